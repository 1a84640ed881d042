/** The chat's tables in the store, with types. Writing is for transactions alone. */
import type { Store } from '#client/store/store.ts'
import { concat, empty, type Millis, u64, utf8 } from '#protocol/bytes.ts'
import type { OneTimeKind } from './bundle.ts'
import type { SaidChange } from './changes.ts'
import { KeptContacts } from './kept-contacts.ts'
import type { Contact, Expiring, OutboxEntry, OwnQueue, Profile, Session, StoredMessage } from './model.ts'
import { findKey, NO_KEYS, type OneTimeKey, type OneTimeKeys, withoutKeys } from './one-time.ts'
import { pack, unpack } from './pack.ts'
import type { Prekey } from './prekeys.ts'
import type { Gate } from './proof-state.ts'
import { decodeSession, encodeKept, encodeSession, sameKept } from './session-codec.ts'
import { type Quantum, SESSION_ID_LENGTH } from './start.ts'

/** Tables that the store must be opened with. */
export const CHAT_TABLES: readonly string[] = [
  'self',
  'contacts',
  'sessions',
  'kept',
  'messages',
  'outbox',
  'queues',
  'seen',
  'orphans',
  'expiring',
  'shelves',
  'avatars',
]

const ALL = utf8('all')
const PROFILE = utf8('profile')
const PREKEYS = utf8('prekeys')
const MASTER = utf8('master')
const GATE = utf8('gate')
const AVATAR = utf8('avatar')
const EVERY = Number.MAX_SAFE_INTEGER
const DAY_MS = 86_400_000

export const dayOf = (now: Millis): number => Math.floor(now / DAY_MS)

/** A message and its place in the history. */
export interface PlacedMessage {
  readonly message: StoredMessage
  readonly position: number
}

export class Records {
  private readonly store: Store
  private readonly people: KeptContacts

  /** One for a store that is open: what another one wrote it would not see. */
  constructor(store: Store) {
    this.store = store
    this.people = new KeptContacts({
      isWriting: () => store.isWriting,
      read: (uid) => withChain(this.one<Contact>('contacts', uid)),
      readAll: () => this.all<Contact>('contacts').map(withChain),
    })
  }

  profile(): Profile | undefined {
    return this.one<Profile>('self', PROFILE)
  }

  putProfile(profile: Profile): void {
    this.store.put('self', PROFILE, pack(profile))
  }

  /** For a backup that is made later: nothing else needs it. */
  putMaster(master: Uint8Array): void {
    this.store.put('self', MASTER, master)
  }

  master(): Uint8Array | undefined {
    return this.store.get('self', MASTER)
  }

  deleteMaster(): void {
    this.store.delete('self', MASTER)
  }

  /** The picture that we show. */
  ownAvatar(): Uint8Array | undefined {
    return this.store.get('self', AVATAR)
  }

  putOwnAvatar(avatar: Uint8Array): void {
    this.store.put('self', AVATAR, avatar)
  }

  deleteOwnAvatar(): void {
    this.store.delete('self', AVATAR)
  }

  /** The picture of a contact. */
  avatar(uid: Uint8Array): Uint8Array | undefined {
    return this.store.get('avatars', uid)
  }

  putAvatar(uid: Uint8Array, avatar: Uint8Array): void {
    this.store.put('avatars', uid, avatar)
  }

  deleteAvatar(uid: Uint8Array): void {
    this.store.delete('avatars', uid)
  }

  /** What opens our door to new people. */
  gate(): Gate {
    return this.one<Gate>('self', GATE) ?? {}
  }

  putGate(gate: Gate): void {
    this.store.put('self', GATE, pack(gate))
  }

  prekeys(): readonly Prekey[] {
    return this.one<{ list: Prekey[] }>('self', PREKEYS)?.list ?? []
  }

  putPrekeys(list: readonly Prekey[]): void {
    this.store.put('self', PREKEYS, pack({ list }))
  }

  /** Our one-time keys for the shelf of a queue. */
  oneTimeKeys(rid: Uint8Array): OneTimeKeys {
    return this.one<OneTimeKeys>('shelves', rid) ?? NO_KEYS
  }

  putOneTimeKeys(rid: Uint8Array, keys: OneTimeKeys): void {
    this.store.put('shelves', rid, pack(keys), { group: ALL, position: this.placeOf('shelves', rid) })
  }

  deleteOneTimeKeys(rid: Uint8Array): void {
    this.store.delete('shelves', rid)
  }

  /** On whichever shelf; numbers are used once over all of them. */
  oneTimeKey(kind: OneTimeKind, id: number): OneTimeKey | undefined {
    for (const keys of this.all<OneTimeKeys>('shelves')) {
      const key = findKey(keys, kind, id)
      if (key !== undefined) return key
    }
    return undefined
  }

  /** They have begun a session, and begin no other. */
  useOneTimeKeys({ oneTimeId, kemId }: Quantum): void {
    for (const { rid } of this.queues()) {
      const keys = this.oneTimeKeys(rid)
      const left = withoutKeys(keys, { dh: oneTimeId, kem: kemId })
      if (left.dh.length + left.kem.length < keys.dh.length + keys.kem.length) this.putOneTimeKeys(rid, left)
    }
  }

  contact(uid: Uint8Array): Contact | undefined {
    return this.people.get(uid)
  }

  contacts(): Contact[] {
    return this.people.all()
  }

  putContact(contact: Contact): void {
    this.people.wrote(contact.uid)
    this.store.put('contacts', contact.uid, pack(contact), {
      group: ALL,
      position: this.placeOf('contacts', contact.uid),
    })
  }

  session(id: Uint8Array): Session | undefined {
    const bytes = this.store.get('sessions', id)
    return bytes && decodeSession(bytes, this.store.get('kept', id)?.subarray(SESSION_ID_LENGTH) ?? new Uint8Array(0))
  }

  /** `before` is the session as it was read, if it was. */
  putSession(session: Session, before?: Session): void {
    this.store.put('sessions', session.id, encodeSession(session))
    const { receiving } = session.ratchet
    if (sameKept(receiving, before?.ratchet.receiving ?? [])) return
    const kept = encodeKept(session.ratchet)
    if (kept.length === 0) this.store.delete('kept', session.id)
    else this.store.put('kept', session.id, concat(session.id, kept), { group: ALL, position: 0 })
  }

  /** Those that keep keys for messages under way. */
  sessionsWithKept(): Session[] {
    const rows = this.store.list('kept', ALL, { order: 'ascending', limit: EVERY })
    return rows
      .map(({ value }) => this.session(value.subarray(0, SESSION_ID_LENGTH)))
      .filter((session) => session !== undefined)
  }

  deleteSession(id: Uint8Array): void {
    this.store.delete('sessions', id)
    this.store.delete('kept', id)
  }

  message(contact: Uint8Array, id: Uint8Array): StoredMessage | undefined {
    return this.one<StoredMessage>('messages', concat(contact, id))
  }

  positionOf(contact: Uint8Array, id: Uint8Array): number | undefined {
    return this.store.position('messages', concat(contact, id))
  }

  putMessage(message: StoredMessage, position: number): void {
    const key = concat(message.contact, message.id)
    this.store.put('messages', key, pack(message), { group: message.contact, position })
  }

  /** The newest first, below a position. */
  messages(contact: Uint8Array, limit: number, below: number = EVERY): PlacedMessage[] {
    const rows = this.store.list('messages', contact, { order: 'descending', limit, below })
    return rows.map(({ position, value }) => ({ position, message: unpack<StoredMessage>(value) }))
  }

  /** Moves every message above a position, to make room for one. */
  makeRoom(contact: Uint8Array, above: number, by: number): void {
    this.store.shift('messages', contact, above, by)
  }

  deleteMessage(contact: Uint8Array, id: Uint8Array): void {
    this.store.delete('messages', concat(contact, id))
  }

  /** Changes of a message that is not here, in the order they came. */
  orphans(contact: Uint8Array): SaidChange[] {
    const rows = this.store.list('orphans', contact, { order: 'ascending', limit: EVERY })
    return rows.map(({ value }) => unpack<SaidChange>(value))
  }

  putOrphan(contact: Uint8Array, change: SaidChange): void {
    const newest = this.store.list('orphans', contact, { order: 'descending', limit: 1 })[0]
    const place = { group: contact, position: (newest?.position ?? 0) + 1 }
    this.store.put('orphans', concat(contact, u64(change.counter)), pack(change), place)
  }

  deleteOrphan(contact: Uint8Array, { counter }: SaidChange): void {
    this.store.delete('orphans', concat(contact, u64(counter)))
  }

  expiring(): Expiring[] {
    return this.all<Expiring>('expiring')
  }

  putExpiring(expiring: Expiring): void {
    const key = concat(expiring.contact, expiring.message)
    this.store.put('expiring', key, pack(expiring), { group: ALL, position: this.placeOf('expiring', key) })
  }

  deleteExpiring({ contact, message }: Expiring): void {
    this.store.delete('expiring', concat(contact, message))
  }

  outboxEntry(sequence: number): OutboxEntry | undefined {
    return this.one<OutboxEntry>('outbox', u64(sequence))
  }

  outbox(): OutboxEntry[] {
    return this.all<OutboxEntry>('outbox')
  }

  putOutboxEntry(entry: OutboxEntry): void {
    this.store.put('outbox', u64(entry.sequence), pack(entry), { group: ALL, position: entry.sequence })
  }

  deleteOutboxEntry(sequence: number): void {
    this.store.delete('outbox', u64(sequence))
  }

  queues(): OwnQueue[] {
    return this.all<OwnQueue>('queues')
  }

  putQueue(queue: OwnQueue): void {
    this.store.put('queues', queue.rid, pack(queue), { group: ALL, position: this.placeOf('queues', queue.rid) })
  }

  deleteQueue(rid: Uint8Array): void {
    this.store.delete('queues', rid)
  }

  /** Who sent what has this key; undefined where it is new. Empty where it was dropped unread. */
  seen(key: Uint8Array): Uint8Array | undefined {
    return this.store.get('seen', key)
  }

  putSeen(key: Uint8Array, contact: Uint8Array, now: Millis): void {
    this.store.put('seen', key, contact, { group: dayGroup(dayOf(now)), position: 0 })
  }

  forgetSeen(day: number): void {
    this.store.deleteGroup('seen', dayGroup(day))
  }

  /** Removes everything about a contact that is stored under its name. */
  deleteContact(contact: Contact): void {
    this.people.removed()
    for (const { id } of contact.sessions) this.deleteSession(id)
    this.store.deleteGroup('messages', contact.uid)
    this.store.deleteGroup('orphans', contact.uid)
    this.store.delete('avatars', contact.uid)
    this.store.delete('contacts', contact.uid)
  }

  /** A row keeps its place; a new one goes to the end. */
  private placeOf(table: string, key: Uint8Array): number {
    const position = this.store.position(table, key)
    if (position !== undefined) return position
    return (this.store.list(table, ALL, { order: 'descending', limit: 1 })[0]?.position ?? 0) + 1
  }

  private one<T extends object>(table: string, key: Uint8Array): T | undefined {
    const bytes = this.store.get(table, key)
    return bytes && unpack<T>(bytes)
  }

  private all<T extends object>(table: string): T[] {
    return this.store.list(table, ALL, { order: 'ascending', limit: EVERY }).map(({ value }) => unpack<T>(value))
  }
}

/** A contact from before there were documents has none. */
function withChain<T extends Contact | undefined>(contact: T): T {
  return contact === undefined || contact.chain !== undefined ? contact : { ...contact, chain: empty }
}

function dayGroup(day: number): Uint8Array {
  return utf8(`day ${day}`)
}
