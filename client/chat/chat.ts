/**
 * The chat: contacts, messages, and everything that keeps them going. It opens no socket, reads no clock and sets no
 * timer: a store, a mailbox, the time, chance, and somebody who calls `tick` are handed in.
 */
import { fastEqual, fromHex, hex, type Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Address } from './address.ts'
import { openAt } from './afresh.ts'
import { AvatarBook } from './avatars/avatar-book.ts'
import { encodeText } from './bodies.ts'
import { type Card, isName, keptCard, readKnownCard } from './card.ts'
import { changed, mayChange } from './changes.ts'
import { ContactBook } from './contact-book.ts'
import { contactView } from './contacts.ts'
import { numberOf } from './documents.ts'
import { type ChatOptions, Engine } from './engine.ts'
import type { ContactId, ContactView, MessageId, MessageView } from './events.ts'
import type { Listener } from './events-hub.ts'
import type { FileNote } from './files/note.ts'
import { type Findable, findableOf } from './findable.ts'
import { fingerprint } from './fingerprint.ts'
import { type After, Journal } from './journal.ts'
import { followingIdentity, isMasterOf, takeNewKeys } from './key-update.ts'
import { ChatLimits } from './limits.ts'
import { messageView } from './message-view.ts'
import type { Contact, OwnQueue, StoredMessage } from './model.ts'
import { type NodeFriend, type NodeInvite, Nodes, type NodeView } from './nodes.ts'
import { ANYBODY } from './own-queues.ts'
import { ChatPresence } from './presence/chat-presence.ts'
import { ProofBook } from './proof-book.ts'
import { Records } from './records.ts'
import { type Change, isSymbol, isTimer, type Said } from './says.ts'
import { createProfile, restoreProfile } from './self.ts'
import type { Sent } from './sender.ts'
import { insertMessage } from './timeline.ts'

export interface SendOptions {
  /** The message that it answers. */
  readonly answers?: MessageId
  /** No gateway may store it: it waits here until the contact is there. */
  readonly noStore?: boolean
}

/** What an identity is made from again. */
export interface Backup {
  readonly master: Uint8Array
  /** Key updates there have been. */
  readonly updates: number
}

/** A file that was told of, and the queue of ours beside which it lies, where it is theirs and the queue is still there. */
export interface FileOf {
  readonly note: FileNote
  readonly mine: boolean
  readonly queue: OwnQueue | undefined
}

export interface HistoryOptions {
  /** Only messages before this one. */
  readonly before?: MessageId
  readonly limit: number
}

export class Chat {
  private readonly engine: Engine
  private readonly book: ContactBook
  private readonly nodeBook: Nodes
  /** Who is there, and who may see that we are. */
  readonly presence: ChatPresence
  /** Finding out whether both know the same secret, and letting in who knows one. */
  readonly proofs: ProofBook
  /** Pictures that people show. */
  readonly avatars: AvatarBook

  private constructor(engine: Engine) {
    this.engine = engine
    this.book = new ContactBook(engine)
    this.nodeBook = new Nodes(engine)
    this.presence = new ChatPresence(engine, this.book)
    this.proofs = new ProofBook(engine, this.book)
    this.avatars = new AvatarBook(engine, this.book)
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
  send(id: ContactId, text: string, { answers, noStore = false }: SendOptions = {}): MessageView {
    requireText(text)
    const contact = this.toward(id)
    const said: Said = {
      text,
      ...(answers === undefined ? {} : { answers: this.messageOf(contact, answers).id }),
      ...(contact.timer ? { timer: contact.timer } : {}),
    }
    const { sender } = this.engine
    return this.tell(contact, said, (time, now, after) => sender.say(contact, said, { time, noStore }, now, after))
  }

  /**
   * Says where a file lies, whose pieces have been laid there. `stored` runs in the transaction that stores the message.
   * @throws as `send`
   */
  sendFile(
    id: ContactId,
    note: Omit<FileNote, 'timer'>,
    { noStore = false }: Pick<SendOptions, 'noStore'>,
    stored: (message: MessageId) => void,
  ): MessageView {
    const contact = this.toward(id)
    const timer = contact.timer ? { timer: contact.timer } : {}
    const file: FileNote = { ...note, ...timer }
    return this.tell(contact, { text: note.name, file, ...timer }, (time, now, after) => {
      const sent = this.engine.sender.file(contact, file, { time, noStore }, now, after)
      stored(hex(sent.id))
      return sent
    })
  }

  private tell(
    contact: Contact,
    what: Said & Pick<StoredMessage, 'file'>,
    send: (time: Millis, now: Millis, after: After) => Sent,
  ): MessageView {
    const { records } = this.engine
    const [message, next] = this.engine.change((after) => {
      const now = this.engine.now()
      const newest = records.messages(contact.uid, 1)[0]?.message.time ?? 0
      const time = Math.max(now, newest)
      const sent = send(time, now, after)
      const { id, counter } = sent
      const stored = { id, contact: contact.uid, mine: true, time, counter, forked: false, ...what }
      return [insertMessage(records, stored, false), sent.contact] as const
    })
    return messageView(message, next, this.engine.outbox.find(contact.uid, message.id))
  }

  /** Queues beside which files for a contact may be laid. @throws as `send`, and E_CARD_EXPIRED where none is known yet */
  placesFor(id: ContactId): readonly Address[] {
    const contact = this.book.find(id)
    this.requireRoom(contact)
    const places = contact.addresses.length > 0 ? contact.addresses : keptCard(contact.card)?.addresses
    if (places === undefined) throw new SottoError('E_CARD_EXPIRED', 'Their fresh card has not arrived yet.')
    return places
  }

  /** Whether a contact may find out what the person has seen, and that they are there. @throws SottoError E_CHAT_CONTACT */
  showsWhatIsSeen(id: ContactId): boolean {
    const contact = this.book.find(id)
    return this.engine.self.readReceipts && contact.readReceipts && !this.engine.isHiddenFrom(contact)
  }

  /** Tells the chat how to find out whether a file that was not fetched yet lies beside a queue of ours. */
  keepQueuesWith(holdsFile: (rid: Uint8Array) => boolean): void {
    this.engine.queues.holdsFile = holdsFile
  }

  /** What opens the file of a message; undefined where the message is not there, or never was a file. */
  fileOf(id: ContactId, messageId: MessageId): FileOf | 'withdrawn' | undefined {
    const [uid, bytes] = [fromHex(id), fromHex(messageId)]
    const message = uid && bytes && this.engine.records.message(uid, bytes)
    if (message?.withdrawn) return 'withdrawn'
    if (message?.file === undefined) return undefined
    const { file: note, mine } = message
    const queue = mine ? undefined : this.engine.queues.bySid(note.sid)
    // One that was made for somebody else is none of theirs.
    const isTheirs = queue !== undefined && (queue.contact.length === 0 || fastEqual(queue.contact, uid!))
    return { note, mine, queue: isTheirs ? queue : undefined }
  }

  /** Replaces the text of a message of ours, up to 24 hours after it. @throws as `send`, and E_CHAT_CHANGE */
  edit(id: ContactId, message: MessageId, text: string): MessageView {
    requireText(text)
    return this.alter(id, message, 'edit', text)
  }

  /** Takes back a message of ours, up to 24 hours after it: its text goes, here and there. @throws as `edit` */
  withdraw(id: ContactId, message: MessageId): MessageView {
    return this.alter(id, message, 'withdraw', '')
  }

  /** One symbol to a message of either side; empty takes it back. @throws as `send`, and E_CHAT_TEXT, E_CHAT_CHANGE */
  react(id: ContactId, message: MessageId, symbol: string): MessageView {
    if (!isSymbol(symbol)) throw new SottoError('E_CHAT_TEXT', 'A reaction is one symbol.')
    return this.alter(id, message, 'reaction', symbol)
  }

  /**
   * What is said from now on, by both, disappears so many seconds after it was read; 0: it stays.
   * @throws as `send`, and RangeError beyond `ChatLimits.timerSeconds`
   */
  setTimer(id: ContactId, seconds: number): ContactView {
    if (!isTimer(seconds)) throw new RangeError('not a time for messages to disappear after')
    const contact = this.toward(id)
    this.engine.change((after) => {
      const now = this.engine.now()
      const { contact: told } = this.engine.sender.timer(contact, seconds, now, after)
      this.engine.records.putContact({ ...told, timer: seconds, timerSet: now })
    })
    return this.contact(id)
  }

  private alter(id: ContactId, messageId: MessageId, kind: Change['kind'], text: string): MessageView {
    const contact = this.toward(id)
    const message = this.messageOf(contact, messageId)
    const time = this.engine.now()
    if (!mayChange(message, { kind, mine: true, time })) throw cannotChange(message, kind)
    return this.engine.change((after) => {
      const change = { kind, target: message.id, text }
      const { contact: next, counter } = this.engine.sender.change(contact, change, time, after)
      const altered = changed(message, { ...change, mine: true, counter, time })
      this.engine.replace(next, message, altered, after)
      return messageView(altered, next, this.engine.outbox.find(contact.uid, message.id))
    })
  }

  /** @throws SottoError E_CHAT_MESSAGE */
  private messageOf(contact: Contact, id: MessageId): StoredMessage {
    const bytes = fromHex(id)
    const message = bytes && this.engine.records.message(contact.uid, bytes)
    if (message === undefined) throw new SottoError('E_CHAT_MESSAGE', 'There is no such message in this conversation.')
    return message
  }

  /** Oldest first. @throws SottoError E_CHAT_CONTACT; RangeError for a message that is not there */
  history(id: ContactId, { before, limit }: HistoryOptions): MessageView[] {
    const contact = this.book.find(id)
    const below = before === undefined ? undefined : this.positionOf(contact, before)
    const slots = new Map(this.engine.outbox.of(contact.uid).map((slot) => [hex(slot.message), slot]))
    const page = this.engine.records.messages(contact.uid, limit, below).reverse()
    return page.map(({ message }) => messageView(message, contact, slots.get(hex(message.id))))
  }

  /** The person has seen everything up to this message; without one, everything. @throws as `history` */
  markRead(id: ContactId, upTo?: MessageId): ContactView {
    const contact = this.book.find(id)
    const below = upTo === undefined ? undefined : this.positionOf(contact, upTo) + 1
    return this.book.markRead(contact, below)
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

  private positionOf(contact: Contact, id: MessageId): number {
    const bytes = fromHex(id)
    const position = bytes && this.engine.records.positionOf(contact.uid, bytes)
    if (position === undefined) throw new RangeError('no such message')
    return position
  }

  /** Somebody to whom something is said now: they see then that we are there. */
  private toward(id: ContactId): Contact {
    const contact = this.book.find(id)
    this.requireRoom(contact)
    if (!this.engine.isHiddenFrom(contact)) return contact
    this.engine.shown(contact)
    const shown = this.book.find(id)
    return this.engine.change((after) => this.engine.avatars.look(shown, true, this.engine.now(), after))
  }

  private requireRoom(contact: Contact): void {
    if (contact.status !== 'accepted') {
      throw new SottoError('E_CHAT_BLOCKED', 'Nothing is sent to somebody who is not accepted.')
    }
    const oldest = this.engine.outbox.oldest(contact.uid)
    if (oldest !== undefined && contact.sent.next - oldest.counter >= ChatLimits.window) {
      throw new SottoError('E_CHAT_OUTBOX_FULL', 'Too many messages are on their way to this contact.')
    }
  }
}

function cannotChange({ mine, withdrawn, file }: StoredMessage, kind: Change['kind']): SottoError {
  if (kind === 'edit' && file !== undefined) return new SottoError('E_CHAT_CHANGE', 'A file cannot be edited.')
  if (withdrawn) return new SottoError('E_CHAT_CHANGE', 'The message was withdrawn.')
  const hours = ChatLimits.changeMs / 3_600_000
  const what = mine ? `It is too late: messages can be changed for ${hours} hours.` : 'This is not your message.'
  return new SottoError('E_CHAT_CHANGE', what)
}

function requireName(name: string): void {
  if (!isName(name)) throw new SottoError('E_CHAT_NAME', 'This name cannot be used.')
}

function requireText(text: string): void {
  const { length } = encodeText(text)
  if (length >= 1 && length <= ChatLimits.textBytes) return
  const what =
    length === 0 ? 'The text is empty.' : `The text has ${length} octets; ${ChatLimits.textBytes} is the most.`
  throw new SottoError('E_CHAT_TEXT', what)
}
