/** The chat's parts, put together, and what drives them: messages that arrive, and time that passes. */
import type { Store } from '#client/store/store.ts'
import { hex, type Millis, type Random } from '#protocol/bytes.ts'
import type { Argon2Cost } from '#protocol/crypto/argon2id.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { Acks } from './acks.ts'
import { Arrivals } from './arrivals.ts'
import { Avatars } from './avatars/avatars.ts'
import { Beginnings } from './beginnings.ts'
import { Courier } from './courier.ts'
import { isText, MessageType } from './envelope.ts'
import type { Emit, MessageView } from './events.ts'
import { EventsHub } from './events-hub.ts'
import { Expiry } from './expiry.ts'
import { wipeIdentity } from './identity.ts'
import { type After, Journal } from './journal.ts'
import { LateRepeats } from './late-repeats.ts'
import { ChatLimits } from './limits.ts'
import { Maintenance } from './maintenance.ts'
import { messageView } from './message-view.ts'
import type { Contact, Profile, StoredMessage } from './model.ts'
import { SHELF_SIZE, type ShelfSize } from './one-time.ts'
import { Outbox, type Slot } from './outbox.ts'
import { OwnQueues } from './own-queues.ts'
import type { ArrivedMessage, MailboxPort, Wake } from './ports.ts'
import { Presence } from './presence/presence.ts'
import { maySee } from './presence/visibility.ts'
import { PROOF_COST } from './proof-secret.ts'
import { Proofs } from './proofs.ts'
import type { RatchetSuite } from './ratchet-suite.ts'
import { ReceiptTimer } from './receipt-timer.ts'
import { Receiver } from './receiver.ts'
import { Records } from './records.ts'
import { Repairer } from './repairer.ts'
import { Self } from './self.ts'
import { Sender } from './sender.ts'
import { Sessions } from './sessions.ts'
import { Shelves } from './shelves.ts'
import { sottoSuite } from './sotto-suite.ts'

export interface ChatOptions {
  /** Opened with `CHAT_TABLES`. */
  readonly store: Store
  readonly mailbox: MailboxPort
  readonly random: Random
  readonly now: () => Millis
  readonly wake: Wake
  /** Default: the product's. */
  readonly suite?: RatchetSuite
  /** One-time keys that are kept ready for others. Default: as `ChatLimits` says. */
  readonly shelf?: ShelfSize
  /** What a guess at a stolen secret costs. Default: a third of a second, 64 MiB. */
  readonly proofCost?: Argon2Cost
  /** What tells the file of the state from its copies (store/place.ts). Missing: nobody looks. */
  readonly place?: Uint8Array
}

export class Engine {
  readonly records: Records
  readonly journal: Journal
  readonly self: Self
  readonly queues: OwnQueues
  readonly outbox: Outbox
  readonly sender: Sender
  readonly repairer: Repairer
  readonly sessions: Sessions
  readonly expiry: Expiry
  readonly shelves: Shelves
  readonly presence: Presence
  readonly proofs: Proofs
  readonly avatars: Avatars
  readonly hub: EventsHub = new EventsHub()
  private readonly options: ChatOptions
  private readonly receiver: Receiver
  private readonly maintenance: Maintenance
  private readonly acks: Acks
  private readonly receipts: ReceiptTimer
  private readonly repeats: LateRepeats
  /** They are not to see that we are there. */
  readonly isHiddenFrom: (contact: Contact) => boolean
  private maintained: Millis = Number.NEGATIVE_INFINITY
  /** When shelves that were filled before are looked at; undefined for not before the next round. */
  private lookAt: Millis | undefined
  /** Queues are read. */
  private isListening = false
  private closed = false

  constructor(options: ChatOptions, profile: Profile) {
    const { store, mailbox, random } = options
    const now = (): Millis => Math.floor(options.now())
    this.options = { ...options, now }
    const records = new Records(store)
    const journal = new Journal(store)
    const queues = new OwnQueues(records, journal, mailbox, random)
    const self = new Self(records, profile, queues, random)
    const sessions = new Sessions(records, options.suite ?? sottoSuite, self.identity, random)
    const beginnings = new Beginnings({
      ...{ records, journal, mailbox, random, now, emit: this.emit },
      sessions: () => this.sessions,
    })
    const isHiddenFrom = (contact: Contact): boolean => !maySee(contact, records.profile()!)
    const repeats = new LateRepeats({ records, journal, random, now, isHiddenFrom })
    const courier = new Courier({
      ...{ records, journal, mailbox, queues, beginnings, random, now },
      sender: () => this.sender,
      sessions: () => this.sessions,
      oldest: (contact) => this.outbox.oldest(contact),
      afterPut: (slot) => repeats.afterPut(slot),
      onFault: (error, contact) => this.report(error, contact),
    })
    const outbox = new Outbox({
      ...{ entries: records.outbox(), now },
      put: (slot) => courier.put(slot),
      isLate: (entry) => repeats.isLate(entry),
      latePause: () => repeats.pause(),
      onLanded: (slot) => this.landed(slot),
    })
    const sender = new Sender({ records, sessions, self, queues, outbox, random })
    const avatars = new Avatars({ records, sender, isHiddenFrom })
    const repairer = new Repairer(records, sender, this.emit, isHiddenFrom)
    const presence = new Presence({
      ...{ records, identity: self.identity, random, now, emit: this.emit },
      whisper: (to, inner, byCard) => void courier.whisper(to, inner, byCard).catch((error) => this.report(error)),
      greetAgain: (uid) => void this.guard(uid, () => this.greetAgain(uid)),
      reschedule: () => this.schedule(),
    })
    const arrivals = new Arrivals({
      ...{ records, sender, repairer, outbox, avatars, emit: this.emit, isHiddenFrom },
      proofs: () => this.proofs,
      onOwed: (contact) => this.owe(contact),
      onReachable: (contact) => courier.found(contact),
      onChange: (contact, before, next, after) => this.replace(contact, before, next, after),
      onDelivered: (contact, message, after) => this.count(contact, message, now(), after),
    })
    this.isHiddenFrom = isHiddenFrom
    this.repeats = repeats
    this.records = records
    this.journal = journal
    this.queues = queues
    this.self = self
    this.outbox = outbox
    this.sender = sender
    this.repairer = repairer
    this.sessions = sessions
    this.avatars = avatars
    this.proofs = new Proofs({
      ...{ records, sender, identity: self.identity, random, emit: this.emit },
      cost: options.proofCost ?? PROOF_COST,
    })
    this.expiry = new Expiry(records)
    this.presence = presence
    this.receiver = new Receiver({
      ...{ identity: self.identity, records, sessions, arrivals, repairer, emit: this.emit, presence, queues },
    })
    this.shelves = new Shelves({
      ...{ records, journal, mailbox, queues, self, random, now },
      size: options.shelf ?? SHELF_SIZE,
    })
    const { proofs } = this
    this.maintenance = new Maintenance({
      ...{ records, journal, self, queues, sender, repairer, avatars, proofs, isHiddenFrom },
    })
    this.hub.listen(({ type }) => {
      if (type === 'contact' || type === 'removed') presence.contactsChanged()
    })
    this.acks = new Acks(mailbox)
    this.receipts = new ReceiptTimer(random)
  }

  /** Begins to read the mailbox and to send what waits; for queues and receipts, with the first `tick`. */
  start(): void {
    const { mailbox } = this.options
    mailbox.onMessage((message) => this.receive(message))
    mailbox.onLost((rid) => this.lost(rid))
    this.schedule()
  }

  get random(): Random {
    return this.options.random
  }

  /** Whole milliseconds. */
  now(): Millis {
    return this.options.now()
  }

  /** Who opens the chat sees it before: a thousand queues take longer to read than what is shown. */
  private listen(): void {
    if (this.isListening) return
    this.isListening = true
    for (const contact of this.records.contacts()) {
      if (contact.status === 'accepted' && contact.owesReceipt) this.owe(contact.uid)
    }
    this.queues.subscribe()
  }

  /** Does what is due. */
  tick(now: Millis): void {
    if (this.closed) return
    this.guard(undefined, () => this.listen())
    for (const contact of this.receipts.take(now)) {
      if (!this.guard(contact, () => this.sendReceipt(contact, now))) this.receipts.postpone(contact, now)
    }
    this.presence.tick(now)
    const isGone = (this.expiry.nextDue() ?? Number.POSITIVE_INFINITY) <= now
    if (isGone && !this.guard(undefined, () => this.expire(now))) this.expiry.postpone(now)
    if (now >= this.maintained + ChatLimits.maintenanceMs || now < this.maintained) this.maintain(now)
    else if (this.maintenance.isUnderWay) this.inRound(() => this.maintenance.goOn(now))
    if (this.lookAt !== undefined && (now >= this.lookAt || now < this.lookAt - ChatLimits.shelfLookMs[1])) {
      this.lookAt = undefined
      void this.attendGateways('all')
    }
    this.flush()
  }

  /** A message is to be as `next` from now on, and the views hear of it. Inside a transaction. */
  replace(contact: Contact, before: StoredMessage, next: StoredMessage, after: After): void {
    if (next === before) return
    this.records.putMessage(next, this.records.positionOf(contact.uid, next.id)!)
    const view = (): MessageView => messageView(next, contact, this.outbox.find(contact.uid, next.id))
    after(() => this.emit({ type: 'changed', message: view() }))
  }

  /** A message that disappears has been read, or has arrived: its time begins. Inside a transaction. */
  count(contact: Uint8Array, id: Uint8Array, now: Millis, after: After): void {
    const { timer } = this.records.message(contact, id) ?? {}
    if (timer !== undefined) this.expiry.set({ contact, message: id, at: now + timer * 1000 }, after)
  }

  private expire(now: Millis): void {
    this.journal.commit((after) => {
      for (const { contact, message } of this.expiry.take(now, after)) {
        this.records.deleteMessage(contact, message)
        after(() => this.emit({ type: 'gone', contact: hex(contact), message: hex(message) }))
      }
    })
    this.options.store.tidy()
  }

  /** As `tick`, and everything that could not be done for want of a network is tried now. */
  connected(): void {
    if (this.closed) return
    this.guard(undefined, () => this.listen())
    this.outbox.hurry()
    this.lookLater()
    void this.attendGateways('new')
    this.flush()
  }

  /** Tells contacts and mailboxes at once what would be found at the next round. */
  maintain(now: Millis): void {
    this.maintained = now
    this.inRound(() => this.maintenance.run(now))
  }

  private inRound(work: () => void): void {
    this.guard(undefined, work)
    if (this.maintenance.isUnderWay) return
    this.lookLater()
    void this.attendGateways('new')
    this.guard(undefined, () => this.options.store.tidy())
  }

  /** Contacts hear at once who we are now. */
  announce(): void {
    const now = this.now()
    this.maintain(now)
    this.tick(now)
  }

  /** One change of the store; what it asks to be sent is sent. */
  change<T>(work: (after: After) => T): T {
    const result = this.journal.commit(work)
    this.flush()
    return result
  }

  owe(uid: Uint8Array): void {
    const contact = this.records.contact(uid)
    if (contact !== undefined) this.receipts.owe(uid, this.options.now(), this.isHiddenFrom(contact))
  }

  /** These are not to see any more that we are there. */
  hidden(contacts: readonly Contact[]): void {
    this.presence.vanish(contacts.filter(({ status }) => status === 'accepted'))
    const put = contacts.flatMap(({ uid }) => this.outbox.of(uid)).filter(({ puts }) => puts > 0)
    this.repeats.hide(contacts, put)
    for (const { uid } of contacts) this.outbox.defer(uid)
    this.schedule()
  }

  /** Something is said to them, or they may see us from now on: what has waited for that goes out with it. */
  shown(contact: Contact): void {
    const now = this.options.now()
    this.repeats.said(contact)
    if (contact.status === 'accepted') this.receipts.hasten(contact.uid, now)
    this.outbox.hurryPut(contact.uid)
    this.maintenance.attend(contact, now)
    this.schedule()
  }

  /** They know another hello than the last one; unless that is still on its way, they get it again. */
  private greetAgain(uid: Uint8Array): void {
    if (this.outbox.of(uid).some(({ type }) => type === MessageType.hello)) return
    this.change((after) => {
      const contact = this.records.contact(uid)
      if (contact?.status !== 'accepted') return
      this.sender.greet({ ...contact, announced: new Uint8Array(0) }, this.now(), after)
    })
  }

  close(): void {
    this.closed = true
    this.outbox.close()
    this.presence.close()
    wipeIdentity(this.self.identity)
  }

  private readonly emit: Emit = (event) => this.hub.emit(event)

  private flush(): void {
    this.outbox.pump()
    this.schedule()
  }

  private schedule(): void {
    const next = this.maintenance.isUnderWay ? this.now() : this.maintained + ChatLimits.maintenanceMs
    const { outbox, receipts, expiry, presence } = this
    const due = [outbox, receipts, expiry, presence].map((part) => part.nextDue())
    const times = [next, ...[this.lookAt, ...due].filter((at) => at !== undefined)]
    if (!this.closed) this.options.wake(Math.max(Math.min(...times), this.options.now()))
  }

  private async receive(message: ArrivedMessage): Promise<void> {
    const queue = this.closed ? undefined : this.queues.byRid(message.rid)
    if (queue === undefined) return
    try {
      this.journal.commit((after) => this.receiver.take(queue, message, this.options.now(), after))
    } catch (error) {
      this.report(error)
      throw error
    }
    this.acks.add(queue, message.id)
    this.flush()
  }

  private sendReceipt(uid: Uint8Array, now: Millis): void {
    const contact = this.records.contact(uid)
    if (contact?.status !== 'accepted') return
    this.journal.commit((after) => this.sender.receipt(contact, now, after))
  }

  private lost(rid: Uint8Array): void {
    this.guard(undefined, () => this.queues.lost(rid))
    void this.attendGateways('all')
  }

  /** Not at once: what a connection begins with is to be no more than it must. */
  private lookLater(): void {
    const [from, to] = ChatLimits.shelfLookMs
    this.lookAt = this.now() + from + Math.floor(((to - from) * this.random(1)[0]!) / 255)
  }

  /** Has queues made and shelves filled that are not yet; a gateway out of reach is asked again with the next round. */
  private async attendGateways(shelves: 'all' | 'new'): Promise<void> {
    try {
      await this.queues.makeAll()
      if (this.closed) return
      const failures = await this.shelves.keep(shelves)
      const full = failures.find((failure) => isSottoError(failure, 'E_DISK_FULL'))
      if (full !== undefined) this.report(full)
    } catch (error) {
      this.report(error)
    }
  }

  private landed({ type, puts, contact, message }: Readonly<Slot>): void {
    if (isText(type) && puts === 1) {
      this.emit({ type: 'receipt', contact: hex(contact), status: 'sent', messages: [hex(message)] })
    }
    if (type === MessageType.node && puts === 1) this.emit({ type: 'node-told', contact: hex(contact) })
    this.schedule()
  }

  /** Runs something nobody waits for. False where it failed. */
  private guard(contact: Uint8Array | undefined, work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      this.report(error, contact)
      return false
    }
  }

  private report(cause: unknown, contact?: Uint8Array): void {
    if (this.closed) return
    const error = isSottoError(cause) ? cause : new SottoError('E_INTERNAL', 'Something in the chat failed.', { cause })
    this.emit(contact === undefined ? { type: 'problem', error } : { type: 'problem', contact: hex(contact), error })
  }
}
