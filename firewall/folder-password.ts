/** The password of the folder at work: what the person sets holds from now on, and the core gets what locks its own key. */
import type { Random } from '#protocol/bytes.ts'
import { KEY_LENGTH } from '#protocol/constants.ts'
import { SottoError } from '#protocol/errors.ts'
import { replaceSecret } from './folder.ts'
import { passwordPath } from './options.ts'
import { keyUnder, sealPasswordFile } from './password.ts'
import type { PasswordInfo } from './permit.ts'
import type { Vault } from './vault.ts'

export interface FolderPasswordInput {
  /** The broker's own. */
  readonly folder: string
  readonly vault: Vault
  readonly random: Random
  /** What the password opened, or lay in the clear; undefined where none was ever set. */
  readonly secret: Uint8Array | undefined
  readonly isSet: boolean
}

export class FolderPassword {
  private readonly input: FolderPasswordInput
  private secret: Uint8Array | undefined
  private isSet: boolean
  private change: Promise<void> | undefined

  constructor(input: FolderPasswordInput) {
    this.input = input
    this.secret = input.secret
    this.isSet = input.isSet
  }

  /** Rejects where the latest change was not taken, as `take`. */
  async info(): Promise<PasswordInfo> {
    await this.change
    return { isSet: this.isSet, ...(this.secret && { lock: keyUnder(this.secret, 'core') }) }
  }

  /**
   * Another password, or none. Where this ends in the middle, the next opening of either half locks its key.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE, or what `change` rejects with
   */
  take(change: Promise<string | undefined>): Promise<void> {
    this.change = this.takeIt(change)
    return this.change
  }

  private async takeIt(change: Promise<string | undefined>): Promise<void> {
    const { folder, vault, random } = this.input
    const password = await change
    // Nothing to take away.
    if (password === undefined && this.secret === undefined) return
    const secret = this.secret ?? random(KEY_LENGTH)
    await replaceSecret(passwordPath(folder), sealPasswordFile(secret, password, random))
    this.secret = secret
    this.isSet = password !== undefined
    await vault.lockWith(keyUnder(secret, 'broker')).catch((cause: SottoError) => {
      throw new SottoError(cause.code, cause.message, {
        kept: 'The change of the password is taken; the next command locks the key where it is not locked yet.',
        next: cause.next,
        cause,
      })
    })
  }
}
