/**
 * First contacts that were answered, on disk for as long as their tokens are expected: a gateway that starts anew answers none
 * of them again. Whoever records what goes over the wire could otherwise ask once more after every start, and see that
 * something else than the website answers. Spec section 3.1.
 */
import type { Millis } from '#protocol/bytes.ts'
import { BUCKET_MS, Limits } from '#protocol/constants.ts'
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

  /** Resolves when it would survive a loss of power. @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE */
  async keep(contact: UsedContact): Promise<void> {
    this.used.push(contact)
    // It makes no room, but all there may be are 10 MB: no reason to shut anybody out while mail fills the disk.
    await this.store.transaction(() => this.table.put(contact.token, encodeMessage(contact)), { frees: true })
  }

  /** Forgets what nobody expects any more, and the oldest beyond `Limits.firstContacts`. Call it about once a second. */
  async sweep(now: Millis): Promise<void> {
    const isOver = ({ at }: UsedContact): boolean => now - at > Limits.firstContactBuckets * BUCKET_MS
    let count = 0
    while (count < SWEEP_SLICE && count < this.used.length) {
      if (!isOver(this.used[count]!) && this.used.length - count <= Limits.firstContacts) break
      count++
    }
    if (count === 0) return
    const gone = this.used.splice(0, count)
    const remove = (): void => {
      for (const { token } of gone) this.table.remove(token)
    }
    await this.store.transaction(remove, { frees: true })
  }
}
