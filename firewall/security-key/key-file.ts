/**
 * What a security key needs to be asked for the same secret again. The key itself keeps nothing of it, so who looks at a key
 * does not see that it was ever used here. One line; it is no secret, and opens nothing without the key:
 *
 *     sotto-security-key:<base64url of what>:<base64url of the first 4 octets of SHA-256(what)>
 *
 *     what = flags (1) || salt (32) || id of the credential (1 to 1,023)         flags: 1 its PIN is asked for; nothing else
 */
import { base64url, concat, fastEqual, fromBase64url } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { FidoLimits } from '../limits.ts'

export const KEY_FILE_PREFIX = 'sotto-security-key:'
export const SALT_LENGTH = 32
const CHECK = 4
const PIN = 1

export interface KeyFile {
  /** True where the key had a PIN when the file was made: with and without it, it gives different secrets. */
  readonly pin: boolean
  readonly salt: Uint8Array
  readonly credential: Uint8Array
}

const checkOf = (what: Uint8Array): Uint8Array => sha256(what).subarray(0, CHECK)

export function keyFileText({ pin, salt, credential }: KeyFile): string {
  const what = concat(Uint8Array.of(pin ? PIN : 0), salt, credential)
  return `${KEY_FILE_PREFIX}${base64url(what)}:${base64url(checkOf(what))}\n`
}

/** True for what looks like such a file, whole or not. */
export const isKeyFile = (text: string): boolean => text.trimStart().startsWith(KEY_FILE_PREFIX)

/** @throws SottoError E_BACKUP_DONGLE */
export function readKeyFile(text: string): KeyFile {
  const [what, check] = text.trim().slice(KEY_FILE_PREFIX.length).split(':').map(fromBase64url)
  const flags = what?.[0] ?? PIN + 1
  const length = (what?.length ?? 0) - 1 - SALT_LENGTH
  const isWhole = what !== undefined && check?.length === CHECK && fastEqual(checkOf(what), check)
  if (!isWhole || flags > PIN || length < 1 || length > FidoLimits.credentialBytes) {
    throw new SottoError('E_BACKUP_DONGLE', 'The file of the security key is cut off or damaged.')
  }
  const [salt, credential] = [what.subarray(1, 1 + SALT_LENGTH), what.subarray(1 + SALT_LENGTH)]
  return { pin: flags === PIN, salt, credential }
}
