/**
 * First contacts that were answered, on disk until `ReplayCache` forgets them, and the time up to which it has forgotten some:
 * a gateway that starts anew answers none of them again, on another machine and by another clock either. Whoever records
 * what goes over the wire could otherwise ask once more after every start, and see that something else than the website
 * answers. Spec section 3.1.
 */
import type { Millis } from '#protocol/bytes.ts'
import { latin1, readU64, u64, utf8 } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import type { Forgotten } from './first-contact.ts'
import type { Store, Table } from './store/store.ts'

/** Of what was forgotten. */
export const FORGOTTEN_TABLE = 'first-contacts-forgotten'
export const USED_CONTACT_TABLES: readonly string[] = ['first-contacts', FORGOTTEN_TABLE]

const untilId: Uint8Array = utf8('until')

export interface UsedContact {
  readonly token: Uint8Array
  readonly at: Millis
}

/** Records written late by one call of `forget`. */
const LATE_SLICE = 256

export class UsedContacts {
  private readonly store: Store
  private readonly table: Table
  private readonly forgotten: Table
  /** Those that a full disk had no room for. */
  private unwritten: UsedContact[] = []

  /** `store`: opened with `USED_CONTACT_TABLES` among its tables. */
  constructor(store: Store) {
    this.store = store
    this.table = store.table('first-contacts')
    this.forgotten = store.table(FORGOTTEN_TABLE)
  }

  /** Those on disk, oldest first. @throws SottoError E_STATE_UNREADABLE */
  list(): readonly UsedContact[] {
    const records = this.table.scan(undefined, Number.MAX_SAFE_INTEGER)
    return records.map(({ value }) => decodeMessage(value) as UsedContact).sort((a, b) => a.at - b.at)
  }

  /** The time up to which some were forgotten; undefined where none ever was. @throws SottoError E_STATE_UNREADABLE */
  until(): Millis | undefined {
    return forgottenUntil(this.forgotten)
  }

  /**
   * Resolves when it would survive a loss of power. What could not be written is written by `forget`, once there is room: a gateway
   * does not start before that either.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE
   */
  async keep(contact: UsedContact): Promise<void> {
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
    const late = this.unwritten.slice(0, LATE_SLICE)
    if (late.length === 0) return
    try {
      await this.write(late)
    } catch (error) {
      // Told once, when it came.
      if (isSottoError(error, 'E_DISK_FULL')) return
      throw error
    }
    this.unwritten = this.unwritten.filter((contact) => !late.includes(contact))
  }

  /** Removes what `ReplayCache.forget` returned, and writes what is late. @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE */
  async forget({ tokens, until }: Forgotten): Promise<void> {
    await this.writeLate()
    if (tokens.length === 0) return
    const gone = new Set(tokens.map(latin1))
    this.unwritten = this.unwritten.filter(({ token }) => !gone.has(latin1(token)))
    const remove = (): void => {
      for (const token of tokens) this.table.remove(token)
      if (Number.isFinite(until)) this.forgotten.put(untilId, u64(until))
    }
    await this.store.transaction(remove, { frees: true })
  }
}

/** As `UsedContacts.until`, for who has the table alone. */
export function forgottenUntil(table: Table): Millis | undefined {
  const record = table.get(untilId)
  return record === undefined ? undefined : readU64(record)
}
