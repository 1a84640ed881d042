/**
 * Contacts as they are stored, kept once all of them were read: a start and its views ask for all of them five times, and a
 * thousand of them take 20 ms to open. They change nothing of what they are given, so that one copy does for everybody.
 *
 * What is written may be taken back at the end of its transaction. So nothing that was written is kept: it is read again, and
 * kept only outside transactions.
 */
import { latin1 } from '#protocol/bytes.ts'
import type { Contact } from './model.ts'

export interface StoredContacts {
  /** Inside a transaction. */
  readonly isWriting: () => boolean
  readonly read: (uid: Uint8Array) => Contact | undefined
  /** In the order of their places. */
  readonly readAll: () => Contact[]
}

export class KeptContacts {
  private readonly stored: StoredContacts
  /** By uid, in the order of their places; undefined until all were asked for. */
  private kept: Map<string, Contact> | undefined
  /** By uid: written since they were read. */
  private readonly written = new Map<string, Uint8Array>()

  constructor(stored: StoredContacts) {
    this.stored = stored
  }

  get(uid: Uint8Array): Contact | undefined {
    const key = latin1(uid)
    const kept = this.written.has(key) ? undefined : this.kept?.get(key)
    return kept ?? this.stored.read(uid)
  }

  all(): Contact[] {
    const { stored } = this
    if (stored.isWriting() && (this.kept === undefined || this.written.size > 0)) return stored.readAll()
    const { kept } = this
    // Of a new one only the store knows the place.
    const isKnown = (key: string): boolean => kept?.has(key) === true
    if (kept === undefined || ![...this.written.keys()].every(isKnown)) this.kept = byUid(stored.readAll())
    else for (const [key, uid] of this.written) kept.set(key, stored.read(uid)!)
    this.written.clear()
    return [...this.kept!.values()]
  }

  wrote(uid: Uint8Array): void {
    if (this.kept !== undefined) this.written.set(latin1(uid), uid)
  }

  /** One was removed: it may come again, at another place. */
  removed(): void {
    this.kept = undefined
    this.written.clear()
  }
}

function byUid(contacts: readonly Contact[]): Map<string, Contact> {
  return new Map(contacts.map((contact) => [latin1(contact.uid), contact]))
}
