/** What follows from an authentic envelope, by its type. Every method is for the inside of a transaction. */
import { concat, empty, fastEqual, hex, type Millis } from '#protocol/bytes.ts'
import { afresh } from './afresh.ts'
import { type Avatars, forgetUnnamed } from './avatars/avatars.ts'
import { decodeHello, decodeNode, decodeReceipt, decodeResend, decodeText, type Receipt } from './bodies.ts'
import { keptCard } from './card.ts'
import { changed, type SaidChange } from './changes.ts'
import { contactView, newSeries, withCard } from './contacts.ts'
import { type Envelope, isText, MessageType } from './envelope.ts'
import type { Emit } from './events.ts'
import { decodeFileNote } from './files/note.ts'
import { adopt } from './identities.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import { messageView } from './message-view.ts'
import type { Contact, StoredMessage } from './model.ts'
import type { Outbox, Slot } from './outbox.ts'
import type { Proofs } from './proofs.ts'
import type { Records } from './records.ts'
import type { Repairer } from './repairer.ts'
import { type Change, decodeChange, decodeSaid, decodeTimer, type Said } from './says.ts'
import { shortHash } from './self.ts'
import type { Sender } from './sender.ts'
import { accept } from './sequence.ts'
import { clampTime, insertMessage } from './timeline.ts'

export interface ArrivalParts {
  readonly records: Records
  readonly sender: Sender
  readonly repairer: Repairer
  readonly outbox: Outbox
  readonly proofs: () => Proofs
  readonly avatars: Avatars
  readonly emit: Emit
  /** They are not to see that we are there: nothing is sent because of what they send. */
  readonly isHiddenFrom: (contact: Contact) => boolean
  /** A receipt is owed. */
  readonly onOwed: (contact: Uint8Array) => void
  /** A contact told where to reach it. */
  readonly onReachable: (contact: Uint8Array) => void
  /** A message is to be as `next`. Inside the transaction. */
  readonly onChange: (contact: Contact, before: StoredMessage, next: StoredMessage, after: After) => void
  /** They have it. Inside the transaction. */
  readonly onDelivered: (contact: Uint8Array, message: Uint8Array, after: After) => void
}

/** What of a contact is worth telling the views when something of it has come. */
const shown = ['name', 'ownName', 'status', 'unread', 'timer', 'changed', 'verified', 'avatar', 'avatarHere'] as const

export interface Arrival {
  readonly envelope: Envelope
  readonly hash: Uint8Array
  /** Stamp of the session it came in. */
  readonly stamp: number
  /** The contact as it was, undefined for somebody new. */
  readonly before: Contact | undefined
  readonly now: Millis
  readonly after: After
}

export class Arrivals {
  private readonly parts: ArrivalParts

  constructor(parts: ArrivalParts) {
    this.parts = parts
  }

  /** Stores the contact, and everything else that follows. False where there is no room for it. */
  take(opened: Contact, arrival: Arrival): boolean {
    const { envelope, now, after } = arrival
    const contact = this.heard(opened, arrival)
    const { records } = this.parts
    if (envelope.type === MessageType.receipt) {
      // Little is said to strangers; where nothing was, nothing can be received.
      if (contact.status === 'request' && this.parts.outbox.of(contact.uid).length === 0) return false
      this.takeReceipt(contact, decodeReceipt(envelope.body), now, after)
      return true
    }
    const key = concat(contact.uid, envelope.id)
    if (records.seen(key) !== undefined) {
      this.settle({ ...contact, owesReceipt: true }, arrival)
      return true
    }
    const { counter, previous } = envelope
    const accepted = accept(contact.received, { counter, previous, hash: arrival.hash })
    // It is asked for again when there is room.
    if (accepted === undefined || isTooMuch(contact, envelope)) {
      this.parts.repairer.later(contact)
      return false
    }
    records.putSeen(key, contact.uid, now)
    const strange = contact.status === 'request' ? { strange: (contact.strange ?? 0) + 1 } : {}
    const owing = { ...contact, ...strange, received: accepted.received, owesReceipt: true }
    const highest = contact.received.ahead.at(-1)?.[0] ?? contact.received.upTo
    const taken = this.takeNew(owing, arrival, { late: counter < highest, forked: accepted.forked })
    this.settle(this.parts.proofs().greetStranger(taken, now, after), arrival)
    return true
  }

  /** They answer in a session that was started because they might have lost the others: all that waits goes in it. */
  private heard(contact: Contact, { stamp, after }: Arrival): Contact {
    const isHidden = contact.status === 'accepted' && this.parts.isHiddenFrom(contact)
    if (!isHidden) after(() => this.parts.outbox.hurryFailed(contact.uid))
    if (contact.probing === 0 || stamp < contact.probing) return contact
    if (!isHidden) after(() => this.parts.outbox.hurryContact(contact.uid, ChatLimits.resealed))
    return { ...contact, probing: 0, resealBelow: Math.max(contact.resealBelow, contact.probing) }
  }

  /** A repeat of something already taken in: the receipt for it may have been lost. */
  repeated(uid: Uint8Array, after: After): void {
    const contact = this.parts.records.contact(uid)
    if (contact?.status !== 'accepted') return
    if (!contact.owesReceipt) this.parts.records.putContact({ ...contact, owesReceipt: true })
    after(() => this.parts.onOwed(uid))
  }

  private takeNew(contact: Contact, arrival: Arrival, place: { late: boolean; forked: boolean }): Contact {
    const { type } = arrival.envelope
    switch (type) {
      case MessageType.text:
      case MessageType.said:
        return this.takeText(contact, arrival, place)
      case MessageType.file:
        return this.takeFile(contact, arrival, place)
      case MessageType.hello:
        return this.takeHello(contact, arrival)
      case MessageType.edit:
        return this.takeChange(contact, arrival, 'edit')
      case MessageType.withdraw:
        return this.takeChange(contact, arrival, 'withdraw')
      case MessageType.reaction:
        return this.takeChange(contact, arrival, 'reaction')
      case MessageType.timer:
        return takeTimer(contact, arrival)
      case MessageType.node:
        return this.takeNode(contact, arrival)
      case MessageType.avatar:
        return this.parts.avatars.take(contact, arrival.envelope.body, arrival.now)
      case MessageType.proof:
        return this.parts.proofs().take(contact, arrival.envelope.body, arrival.now, arrival.after)
      default:
        return this.takeResend(contact, arrival)
    }
  }

  /** To a message that is here; kept until it comes where it is not. */
  private takeChange(contact: Contact, { envelope, after }: Arrival, kind: Change['kind']): Contact {
    const change = decodeChange(kind, envelope.body)
    if (change === undefined) return contact
    const { counter, time } = envelope
    const said = { ...change, mine: false, counter, time }
    const message = this.parts.records.message(contact.uid, change.target)
    if (message === undefined) this.keepOrphan(contact.uid, said)
    else this.parts.onChange(contact, message, changed(message, said), after)
    return contact
  }

  private keepOrphan(contact: Uint8Array, change: SaidChange): void {
    const { records } = this.parts
    const orphans = records.orphans(contact)
    if (orphans.length >= ChatLimits.orphans) records.deleteOrphan(contact, orphans[0]!)
    records.putOrphan(contact, change)
  }

  /** What was said about a message before it came. */
  private withOrphans(message: StoredMessage): StoredMessage {
    const { records } = this.parts
    const own = records.orphans(message.contact).filter(({ target }) => fastEqual(target, message.id))
    for (const each of own) records.deleteOrphan(message.contact, each)
    return own.reduce(changed, message)
  }

  private takeText(contact: Contact, arrival: Arrival, place: { late: boolean; forked: boolean }): Contact {
    const { envelope } = arrival
    const said = envelope.type === MessageType.said ? decodeSaid(envelope.body) : plain(decodeText(envelope.body))
    return said === undefined ? contact : this.takeSaid(contact, arrival, place, said)
  }

  /** Of strangers without its picture: nobody has asked to see anything of theirs. */
  private takeFile(contact: Contact, arrival: Arrival, place: { late: boolean; forked: boolean }): Contact {
    const note = decodeFileNote(arrival.envelope.body)
    if (note === undefined) return contact
    const { picture, ...rest } = note
    const file = picture === undefined || contact.status === 'request' ? rest : note
    const timer = note.timer === undefined ? {} : { timer: note.timer }
    return this.takeSaid(contact, arrival, place, { text: note.name, file, ...timer })
  }

  private takeSaid(
    contact: Contact,
    { envelope, now, after }: Arrival,
    place: { late: boolean; forked: boolean },
    said: Said & Pick<StoredMessage, 'file'>,
  ): Contact {
    // The place of a late one is found between its neighbours, and so is its earliest time.
    const time = clampTime(envelope.time, place.late ? 0 : contact.shownTime, now)
    const { id, counter } = envelope
    const fixed = { id, contact: contact.uid, mine: false, time, counter, forked: place.forked }
    const message = this.withOrphans({ ...fixed, ...said })
    const stored = insertMessage(this.parts.records, message, place.late)
    after(() => this.parts.emit({ type: 'message', message: messageView(stored, contact, undefined) }))
    return { ...contact, unread: contact.unread + 1, shownTime: Math.max(contact.shownTime, stored.time) }
  }

  private takeHello(contact: Contact, { envelope, after }: Arrival): Contact {
    const hello = decodeHello(envelope.body)
    if (hello === undefined || envelope.counter < contact.helloCounter) return contact
    if (!fastEqual(hello.card.uid, contact.uid)) return contact
    const adopted = adopt(this.parts.records, contact, hello.card, this.parts.emit, after)
    if (adopted === undefined) return contact
    const current = keptCard(contact.card)
    after(() => this.parts.onReachable(contact.uid))
    const { addresses } = hello
    const greeting = shortHash(envelope.body)
    const known = withCard(adopted, hello.card, current)
    forgetUnnamed(this.parts.records, contact, known)
    return { ...known, addresses, greeting, helloCounter: envelope.counter }
  }

  /** What it is worth, the firewall judges, and the person. */
  private takeNode(contact: Contact, { envelope, after }: Arrival): Contact {
    const told = decodeNode(envelope.body)
    if (told === undefined || envelope.counter < (contact.peer?.counter ?? 0)) return contact
    const peer = { counter: envelope.counter, ...(told === 'none' ? { offer: empty } : told) }
    const next = { ...contact, peer }
    after(() => this.parts.emit({ type: 'node', contact: contactView(next), offered: told !== 'none' }))
    return next
  }

  /** Everything they have not received is sealed anew when it is put next, the oldest of it now. */
  private takeResend(contact: Contact, { envelope, stamp, after }: Arrival): Contact {
    const resend = decodeResend(envelope.body)
    if (resend === undefined) return contact
    if (!this.parts.isHiddenFrom(contact)) after(() => this.parts.outbox.hurryContact(contact.uid, ChatLimits.resealed))
    const isCurrent = fastEqual(resend.cardHash, shortHash(this.parts.records.profile()!.card))
    const announced = isCurrent ? contact.announced : new Uint8Array(0)
    return { ...contact, announced, resealBelow: Math.max(contact.resealBelow, stamp) }
  }

  /** Stores the contact, greets it where it does not know us yet, and tells the views. */
  private settle(contact: Contact, { before, now, after }: Arrival): void {
    this.parts.records.putContact(contact)
    if (contact.status === 'accepted') {
      after(() => this.parts.onOwed(contact.uid))
      const isHidden = before?.status !== 'request' && this.parts.isHiddenFrom(contact)
      const isStrange = contact.announced.length === 0 && !isHidden
      const introduced = isStrange ? this.parts.sender.greet(contact, now, after) : contact
      const greeted = isHidden ? introduced : this.parts.avatars.give(introduced, now, after)
      if (before?.status === 'request' && greeted.repair.due) this.parts.repairer.repair(greeted, now, after)
    }
    const [old, view] = [before && contactView(before), contactView(contact)]
    const isSame = old !== undefined && shown.every((key) => old[key] === view[key])
    if (!isSame) after(() => this.parts.emit({ type: 'contact', contact: view }))
  }

  private takeReceipt(contact: Contact, receipt: Receipt | undefined, now: Millis, after: After): void {
    const { records, outbox, sender } = this.parts
    if (receipt === undefined) return records.putContact(contact)
    if (namesUnsaid(receipt, contact)) return records.putContact(afresh(contact, false, now))
    const waiting = outbox.of(contact.uid).filter(({ counter }) => counter > 0)
    const done = waiting.filter(({ counter }) => isReceived(receipt, counter))
    for (const { sequence } of done) sender.withdraw(sequence, after)
    const isAnswered = done.some(({ counter }) => counter === contact.repair.pending)
    const repair = isAnswered ? { ...contact.repair, pending: 0 } : contact.repair
    const theirRead = Math.max(contact.theirRead, Math.min(receipt.read, contact.sent.next - 1))
    // They have acknowledged what they do not have: they lost their state, and would wait for it for ever.
    const isLost = waiting.length === done.length && receipt.upTo + 1 < contact.sent.next
    const sent = isLost ? newSeries(contact, now) : contact.sent
    records.putContact({ ...contact, sent, repair, theirRead })
    const delivered = done.filter(({ type }) => isText(type))
    for (const { message } of delivered) this.parts.onDelivered(contact.uid, message, after)
    const seen = theirRead > contact.theirRead ? this.between(contact, theirRead) : []
    this.tell(contact, 'delivered', idsOf(delivered), after)
    this.tell(contact, 'read', seen, after)
  }

  private tell(contact: Contact, status: 'delivered' | 'read', messages: readonly string[], after: After): void {
    if (messages.length === 0) return
    after(() => this.parts.emit({ type: 'receipt', contact: hex(contact.uid), status, messages }))
  }

  /** Our messages that they have seen since, oldest first. */
  private between({ uid, theirRead }: Contact, upTo: number): string[] {
    const recent = this.parts.records.messages(uid, ChatLimits.window).map(({ message }) => message)
    const isNew = ({ mine, counter }: StoredMessage): boolean => mine && counter > theirRead && counter <= upTo
    return recent
      .filter(isNew)
      .map(({ id }) => hex(id))
      .toReversed()
  }
}

const plain = (text: string | undefined): Said | undefined => (text === undefined ? undefined : { text })

/** What was set later counts, by the clocks of those who set it. */
function takeTimer(contact: Contact, { envelope }: Arrival): Contact {
  const timer = decodeTimer(envelope.body)
  const isLater = envelope.time >= (contact.timerSet ?? 0)
  return timer === undefined || !isLater ? contact : { ...contact, timer, timerSet: envelope.time }
}

function isTooMuch({ status, unread, strange = 0 }: Contact, { type }: Envelope): boolean {
  if (status !== 'request') return false
  return strange >= ChatLimits.requestEnvelopes || (isText(type) && unread >= ChatLimits.requestMessages)
}

function isReceived({ upTo, ranges }: Receipt, counter: number): boolean {
  if (counter === 0) return false
  return counter <= upTo || ranges.some(([from, to]) => counter >= from && counter <= to)
}

/** They have what we do not know to have said: our state is an old one. */
function namesUnsaid({ upTo, ranges }: Receipt, { sent }: Contact): boolean {
  return Math.max(upTo, ...ranges.map(([, to]) => to)) >= sent.next
}

function idsOf(slots: readonly Readonly<Slot>[]): string[] {
  return slots.map(({ message }) => hex(message))
}
