/**
 * First contacts that were answered, on disk for as long as their tokens are expected: a gateway that starts anew answers none
 * of them again. Whoever records what goes over the wire could otherwise ask once more after every start, and see that
 * something else than the website answers. Spec section 3.1.
 */
import type { Millis } from '#protocol/bytes.ts'
import { BUCKET_MS, Limits } from '#protocol/constants.ts'
import { isSottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Store, Table } from './store/store.ts'

export const USED_CONTACT_TABLES: readonly string[] = ['first-contacts']

export interface UsedContact {
  readonly token: Uint8Array
  readonly at: Millis
}

/** Records removed by one call of `sweep`. */
const SWEEP_SLICE = 256

export class UsedContacts {
  private readonly store: Store
  private readonly table: Table
  /** Oldest first. */
  private readonly used: UsedContact[]
  /** Those that a full disk had no room for. */
  private unwritten: UsedContact[] = []

  /** `store`: opened with `USED_CONTACT_TABLES` among its tables. */
  constructor(store: Store) {
    this.store = store
    this.table = store.table('first-contacts')
    const records = this.table.scan(undefined, Number.MAX_SAFE_INTEGER)
    this.used = records.map(({ value }) => decodeMessage(value) as UsedContact).sort((a, b) => a.at - b.at)
  }

  /** Oldest first. */
  list(): readonly UsedContact[] {
    return this.used
  }

  /**
   * Resolves when it would survive a loss of power. What could not be written is written by `sweep`, once there is room: a gateway
   * does not start before that either.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE
   */
  async keep(contact: UsedContact): Promise<void> {
    this.used.push(contact)
    try {
      await this.write([contact])
    } catch (error) {
      this.unwritten.push(contact)
      throw error
    }
  }

  /** It makes no room, but all there may be are 10 MB: no reason to shut anybody out while mail fills the disk. */
  private async write(contacts: readonly UsedContact[]): Promise<void> {
    const put = (): void => {
      for (const contact of contacts) this.table.put(contact.token, encodeMessage(contact))
    }
    await this.store.transaction(put, { frees: true })
  }

  private async writeLate(): Promise<void> {
    const late = this.unwritten.slice(0, SWEEP_SLICE)
    if (late.length === 0) return
    try {
      await this.write(late)
    } catch (error) {
      // Told once, when it came.
      if (isSottoError(error, 'E_DISK_FULL')) return
      throw error
    }
    this.unwritten.splice(0, late.length)
  }

  /** Writes what is late, and forgets what nobody expects any more, and the oldest beyond `Limits.firstContacts`. Call it about once a second. */
  async sweep(now: Millis): Promise<void> {
    await this.writeLate()
    const isOver = ({ at }: UsedContact): boolean => now - at > Limits.firstContactBuckets * BUCKET_MS
    let count = 0
    while (count < SWEEP_SLICE && count < this.used.length) {
      if (!isOver(this.used[count]!) && this.used.length - count <= Limits.firstContacts) break
      count++
    }
    if (count === 0) return
    const gone = new Set(this.used.splice(0, count))
    this.unwritten = this.unwritten.filter((contact) => !gone.has(contact))
    const remove = (): void => {
      for (const { token } of gone) this.table.remove(token)
    }
    await this.store.transaction(remove, { frees: true })
  }
}
