/**
 * The chat: contacts, messages, and everything that keeps them going. It opens no socket, reads no clock and sets no
 * timer: a store, a mailbox, the time, chance, and somebody who calls `tick` are handed in.
 */
import { hex, type Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { openAt } from './afresh.ts'
import { AvatarBook } from './avatars/avatar-book.ts'
import { type Card, isName, readKnownCard } from './card.ts'
import { ContactBook } from './contact-book.ts'
import { contactView } from './contacts.ts'
import { numberOf } from './documents.ts'
import { type ChatOptions, Engine } from './engine.ts'
import type { ContactId, ContactView, MessageId, MessageView } from './events.ts'
import type { Listener } from './events-hub.ts'
import { FileBook } from './files/file-book.ts'
import { type Findable, findableOf } from './findable.ts'
import { fingerprint } from './fingerprint.ts'
import { Journal } from './journal.ts'
import { followingIdentity, isMasterOf, takeNewKeys } from './key-update.ts'
import { ChatLimits } from './limits.ts'
import { type HistoryOptions, MessageBook, type SendOptions } from './message-book.ts'
import { type NodeFriend, type NodeInvite, Nodes, type NodeView } from './nodes.ts'
import { ANYBODY } from './own-queues.ts'
import { ChatPresence } from './presence/chat-presence.ts'
import { ProofBook } from './proof-book.ts'
import { Records } from './records.ts'
import { createProfile, restoreProfile } from './self.ts'

/** What an identity is made from again. */
export interface Backup {
  readonly master: Uint8Array
  /** Key updates there have been. */
  readonly updates: number
}

export class Chat {
  private readonly engine: Engine
  private readonly book: ContactBook
  private readonly nodeBook: Nodes
  private readonly messages: MessageBook
  /** Who is there, and who may see that we are. */
  readonly presence: ChatPresence
  /** Finding out whether both know the same secret, and letting in who knows one. */
  readonly proofs: ProofBook
  /** Pictures that people show. */
  readonly avatars: AvatarBook
  /** Files that messages tell of. */
  readonly files: FileBook

  private constructor(engine: Engine) {
    this.engine = engine
    this.book = new ContactBook(engine)
    this.nodeBook = new Nodes(engine)
    this.presence = new ChatPresence(engine, this.book)
    this.proofs = new ProofBook(engine, this.book)
    this.avatars = new AvatarBook(engine, this.book)
    this.messages = new MessageBook(engine, this.book)
    this.files = new FileBook(engine, this.book, this.messages)
  }

  /**
   * Makes a new identity in an empty store, or that of a backup's master secret, and opens it.
   * @throws SottoError E_CHAT_NAME; RangeError where there is an identity already, or for `updates` beyond what there can be
   */
  static create(options: ChatOptions, name: string, backup?: Backup): Chat {
    requireName(name)
    const { updates } = backup ?? { updates: 0 }
    if (!Number.isInteger(updates) || updates < 0 || updates >= ChatLimits.documents) throw new RangeError('updates')
    const records = new Records(options.store)
    if (records.profile() !== undefined) throw new RangeError('the store holds an identity already')
    const [now, { random }] = [Math.floor(options.now()), options]
    new Journal(options.store).commit(() => {
      if (backup === undefined) createProfile(records, name, now, random)
      else restoreProfile(records, { name, ...backup }, now, random)
    })
    return Chat.open(options)!
  }

  /** undefined where the store holds no identity. @throws SottoError E_STATE_UNREADABLE */
  static open(options: ChatOptions): Chat | undefined {
    const { store, place, random } = options
    const records = new Records(store)
    if (records.profile() === undefined) return undefined
    const now = Math.floor(options.now())
    const notice = place && openAt(place, records, new Journal(store), now, random)
    const engine = new Engine(options, records.profile()!)
    engine.start()
    if (notice !== undefined) engine.hub.standing = { type: 'problem', error: notice }
    return new Chat(engine)
  }

  get me(): { readonly id: ContactId; readonly name: string } {
    const { identity, name } = this.engine.self
    return { id: hex(identity.uid), name }
  }

  /** A copy of the master secret, to be wiped by who asks; undefined once a backup of it was proven. */
  masterSecret(): Uint8Array | undefined {
    return this.engine.records.master()
  }

  /**
   * A backup has been read back: from now on the master secret is in backups alone.
   * @returns whether `master` is of this identity; false: nothing was changed
   * @throws SottoError E_DISK_FULL
   */
  proveBackup(master: Uint8Array): boolean {
    const { records, self } = this.engine
    const isOurs = isMasterOf(self.identity, master)
    if (isOurs) this.engine.change(() => records.deleteMaster())
    return isOurs
  }

  /** Key updates there have been. */
  get updates(): number {
    return numberOf(this.engine.self.identity.chain)
  }

  /**
   * New keys from the master secret, for somebody whose device may have been copied: those that our newest document has
   * committed to. Nothing of before is used any more; contacts hear of it when the chat is next open and connected. It is
   * closed then: open it anew.
   * @returns whether `master` is of this identity; false: nothing was changed
   * @throws SottoError E_IDENTITY_UPDATE (no key can follow), E_DISK_FULL
   */
  updateKeys(master: Uint8Array): boolean {
    const { engine } = this
    if (!isMasterOf(engine.self.identity, master)) return false
    const next = followingIdentity(engine.self.identity, master)
    engine.change((after) => {
      takeNewKeys(engine, next, engine.now(), after)
      after(() => engine.close())
    })
    return true
  }

  /** Contacts hear of it. @throws SottoError E_CHAT_NAME, E_DISK_FULL */
  setName(name: string): void {
    requireName(name)
    this.engine.change(() => this.engine.self.rename(name))
    this.engine.announce()
  }

  /**
   * To be given to others. Rejects, with what the mailbox says, where no gateway could make a queue for it yet.
   * @throws SottoError E_CHAT_NO_GATEWAY
   */
  async myCard(): Promise<Card> {
    const { self, queues } = this.engine
    const card = (): Uint8Array => this.engine.change((after) => self.card(this.engine.now(), after))
    card()
    await queues.make(ANYBODY)
    await this.engine.shelves.first()
    return readKnownCard(card())
  }

  /** For who makes us findable: the card, and what else goes into a record. @throws as `myCard` */
  async findable(): Promise<Findable> {
    return findableOf(this.engine, await this.myCard())
  }

  /** Root keys of those who are accepted, and their cards as we have them, by contact. */
  friends(): { readonly id: ContactId; readonly root: Uint8Array; readonly card: Uint8Array }[] {
    const accepted = this.engine.records.contacts().filter(({ status }) => status === 'accepted')
    return accepted.map(({ uid, root, card }) => ({ id: hex(uid), root, card }))
  }

  /** Our own root key: who has it can look for us. */
  get root(): Uint8Array {
    return this.engine.self.identity.root
  }

  /** Adds a contact, or gives one a fresh card. @throws SottoError E_CARD_OWN, E_CARD_EXPIRED, E_CARD_CHANGED, E_CHAT_VERSION */
  addContact(card: Card): ContactView {
    return this.book.add(card)
  }

  contacts(): ContactView[] {
    return this.engine.records.contacts().map(contactView)
  }

  /** @throws SottoError E_CHAT_CONTACT */
  contact(id: ContactId): ContactView {
    return contactView(this.book.find(id))
  }

  /** Of a request, or of somebody blocked. @throws SottoError E_CHAT_CONTACT */
  accept(id: ContactId): ContactView {
    return this.book.accept(id)
  }

  /** What they write is dropped from now on, and they are told nothing. @throws SottoError E_CHAT_CONTACT */
  block(id: ContactId): ContactView {
    return this.book.block(id)
  }

  /** Forgets a contact with its history. @throws SottoError E_CHAT_CONTACT */
  remove(id: ContactId): void {
    this.book.remove(id)
  }

  /** Nodes of theirs and ours, for everybody accepted. */
  nodes(): NodeView[] {
    return this.nodeBook.views()
  }

  /** From now on they are offered our node. @throws SottoError E_CHAT_CONTACT, E_CHAT_BLOCKED, E_USAGE (too many), E_DISK_FULL */
  offerNode(id: ContactId): ContactView {
    return this.nodeBook.offer(this.book.find(id))
  }

  /** From now on they are not. @throws SottoError E_CHAT_CONTACT, E_DISK_FULL */
  withdrawNode(id: ContactId): ContactView {
    return this.nodeBook.withdraw(this.book.find(id))
  }

  /** To whom our node is offered: for who speaks to it. */
  nodeFriends(): NodeFriend[] {
    return this.nodeBook.friends()
  }

  /** Our node has given leave for a contact, who is told. @throws SottoError E_CHAT_CONTACT, E_DISK_FULL */
  tellNode(id: ContactId, invite: NodeInvite): void {
    this.nodeBook.tell(this.book.find(id), invite)
  }

  /** Our own name for them; empty for theirs. @throws SottoError E_CHAT_CONTACT, E_CHAT_NAME */
  rename(id: ContactId, name: string): ContactView {
    if (name !== '') requireName(name)
    return this.book.update(id, (contact) => ({ ...contact, petname: name }))
  }

  /** `host:port` of the gateway to reach them at, instead of what they say; empty: as they say. @throws SottoError E_CHAT_CONTACT, E_CONTACT_ADDRESS */
  setAddress(id: ContactId, gateway: string): ContactView {
    return this.book.address(id, gateway)
  }

  /** The person has compared the digits, or takes that back. @throws SottoError E_CHAT_CONTACT */
  verify(id: ContactId, verified: boolean): ContactView {
    return this.book.update(id, (contact) => ({ ...contact, verified, changed: false }))
  }

  /** Whether they may know what we have seen. @throws SottoError E_CHAT_CONTACT */
  setReadReceipts(id: ContactId, readReceipts: boolean): ContactView {
    return this.book.update(id, (contact) => ({ ...contact, readReceipts }))
  }

  /** Whether anybody may. Where it is false, nobody does, whatever was said of them. */
  get readReceipts(): boolean {
    return this.engine.self.readReceipts
  }

  /** @throws SottoError E_DISK_FULL */
  setAllReadReceipts(readReceipts: boolean): void {
    const { records } = this.engine
    this.engine.change(() => records.putProfile({ ...records.profile()!, readReceipts }))
  }

  /** 60 digits, the same for both, to compare over another way. @throws SottoError E_CHAT_CONTACT, E_CARD_EXPIRED */
  fingerprint(id: ContactId): string {
    const contact = this.book.find(id)
    if (contact.chain.length === 0) throw new SottoError('E_CARD_EXPIRED', 'Their fresh card has not arrived yet.')
    return fingerprint(this.engine.self.identity, contact)
  }

  /**
   * Stores a text and sends it as soon as that can be done.
   * @throws SottoError E_CHAT_TEXT, E_CHAT_CONTACT, E_CHAT_BLOCKED, E_CHAT_OUTBOX_FULL, E_CHAT_NO_GATEWAY, E_CARD_EXPIRED,
   * E_CHAT_VERSION, E_DISK_FULL, E_CHAT_MESSAGE (what it answers is not here); nothing was stored then
   */
  send(id: ContactId, text: string, options: SendOptions = {}): MessageView {
    return this.messages.send(id, text, options)
  }

  /** Replaces the text of a message of ours, up to 24 hours after it. @throws as `send`, and E_CHAT_CHANGE */
  edit(id: ContactId, message: MessageId, text: string): MessageView {
    return this.messages.edit(id, message, text)
  }

  /** Takes back a message of ours, up to 24 hours after it: its text goes, here and there. @throws as `edit` */
  withdraw(id: ContactId, message: MessageId): MessageView {
    return this.messages.withdraw(id, message)
  }

  /** One symbol to a message of either side; empty takes it back. @throws as `send`, and E_CHAT_TEXT, E_CHAT_CHANGE */
  react(id: ContactId, message: MessageId, symbol: string): MessageView {
    return this.messages.react(id, message, symbol)
  }

  /**
   * What is said from now on, by both, disappears so many seconds after it was read; 0: it stays.
   * @throws as `send`, and RangeError beyond `ChatLimits.timerSeconds`
   */
  setTimer(id: ContactId, seconds: number): ContactView {
    return this.messages.setTimer(id, seconds)
  }

  /** Oldest first. @throws SottoError E_CHAT_CONTACT; RangeError for a message that is not there */
  history(id: ContactId, options: HistoryOptions): MessageView[] {
    return this.messages.history(id, options)
  }

  /** The person has seen everything up to this message; without one, everything. @throws as `history` */
  markRead(id: ContactId, upTo?: MessageId): ContactView {
    return this.messages.markRead(id, upTo)
  }

  /** Does what is due. To be called when the time asked for by `wake` has come. */
  tick(now: Millis): void {
    this.engine.tick(Math.floor(now))
  }

  /** The network is back: what could not be sent is tried at once. */
  connected(): void {
    this.engine.connected()
  }

  /** Returns how to stop. */
  onEvent(listener: Listener): () => void {
    return this.engine.hub.listen(listener)
  }

  /** Nothing is sent or taken in any more. The store stays open: it is its owner's. */
  close(): void {
    this.engine.close()
  }
}

function requireName(name: string): void {
  if (!isName(name)) throw new SottoError('E_CHAT_NAME', 'This name cannot be used.')
}
