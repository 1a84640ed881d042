/**
 * Makes what we send: envelope, ratchet step and outbox entry, stored in the caller's one transaction before anything is
 * sent. Every method returns the contact as changed and stored.
 */
import { fastEqual, type Millis, type Random } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { type AvatarStep, encodeAvatarStep } from './avatars/avatar-body.ts'
import { encodeHello, encodeNode, encodeReceipt, encodeResend, encodeText } from './bodies.ts'
import { chatId, encodeEnvelope, envelopeHash, MESSAGE_ID_LENGTH, MessageType, NO_HASH } from './envelope.ts'
import { encodeFileNote, type FileNote } from './files/note.ts'
import type { After } from './journal.ts'
import type { Contact, OutboxEntry } from './model.ts'
import type { Outbox } from './outbox.ts'
import type { OwnQueues } from './own-queues.ts'
import { encodeProof, type ProofStep } from './proof-body.ts'
import type { Records } from './records.ts'
import { type Change, encodeChange, encodeSaid, encodeTimer, type Said } from './says.ts'
import { type Self, shortHash } from './self.ts'
import { rangesOf } from './sequence.ts'
import type { Sessions } from './sessions.ts'

export interface SenderParts {
  readonly records: Records
  readonly sessions: Sessions
  readonly self: Self
  readonly queues: OwnQueues
  readonly outbox: Outbox
  readonly random: Random
}

export interface HowToSay {
  /** Shown with it. */
  readonly time: Millis
  /** No gateway may store it. */
  readonly noStore: boolean
}

export interface Sent {
  readonly contact: Contact
  /** Of the message. */
  readonly id: Uint8Array
  readonly counter: number
}

export class Sender {
  private readonly parts: SenderParts

  constructor(parts: SenderParts) {
    this.parts = parts
  }

  /** @throws SottoError as `Sessions.seal` and `Self.card` */
  say(contact: Contact, said: Said, { time, noStore }: HowToSay, now: Millis, after: After): Sent {
    const isPlain = said.answers === undefined && said.timer === undefined
    const [type, body] = isPlain
      ? [MessageType.text, encodeText(said.text)]
      : ([MessageType.said, encodeSaid(said)] as const)
    return this.counted(this.introduced(contact, now, after), type, body, time, now, after, noStore)
  }

  /** @throws as `say` */
  file(contact: Contact, note: FileNote, { time, noStore }: HowToSay, now: Millis, after: After): Sent {
    const known = this.introduced(contact, now, after)
    return this.counted(known, MessageType.file, encodeFileNote(note), time, now, after, noStore)
  }

  /** @throws as `say` */
  change(contact: Contact, change: Change, now: Millis, after: After): Sent {
    const known = this.introduced(contact, now, after)
    return this.counted(known, MessageType[change.kind], encodeChange(change), now, now, after)
  }

  /** @throws as `say` */
  timer(contact: Contact, seconds: number, now: Millis, after: After): Sent {
    const known = this.introduced(contact, now, after)
    return this.counted(known, MessageType.timer, encodeTimer(seconds), now, now, after)
  }

  /** Strangers are not told where to reach us, nor what we are called now. @throws as `say` */
  proof(contact: Contact, step: ProofStep, now: Millis, after: After): Contact {
    const known = contact.status === 'request' ? contact : this.introduced(contact, now, after)
    return this.counted(known, MessageType.proof, encodeProof(step), now, now, after).contact
  }

  /** Unless that cannot be done now. */
  avatar(contact: Contact, step: AvatarStep, now: Millis, after: After): Contact {
    return unlessHindered(contact, () => {
      const known = this.introduced(contact, now, after)
      return this.counted(known, MessageType.avatar, encodeAvatarStep(step), now, now, after).contact
    })
  }

  private introduced(contact: Contact, now: Millis, after: After): Contact {
    return contact.announced.length > 0 ? contact : this.hello(contact, now, after)
  }

  /** As `hello`, unless that cannot be done now: without a gateway of ours, or without a session or a fresh card. */
  greet(contact: Contact, now: Millis, after: After): Contact {
    return unlessHindered(contact, () => this.hello(contact, now, after))
  }

  /** As `node`, unless that cannot be done now. */
  tellNode(contact: Contact, now: Millis, after: After): Contact {
    return unlessHindered(contact, () => this.node(contact, now, after))
  }

  /** Of our node, what a contact is to know, unless that is what it was told last. */
  node(contact: Contact, now: Millis, after: After): Contact {
    const { node } = contact
    if (node === undefined || node.offer.length === 0) return contact
    const address = this.parts.queues.ensureAtNode(contact.uid, node.gateway, now, after)
    const body = encodeNode({ address, offer: node.offer })
    const told = shortHash(body)
    if (fastEqual(told, node.told)) return contact
    const known = this.introduced({ ...contact, node: { ...node, told } }, now, after)
    return this.counted(known, MessageType.node, body, now, now, after).contact
  }

  /** There is no node for them any more. */
  noNode(contact: Contact, now: Millis, after: After): Contact {
    this.parts.queues.dropAtNode(contact.uid, after)
    const { node, ...rest } = contact
    if (node === undefined || node.told.length === 0) return rest
    return this.counted(rest, MessageType.node, encodeNode(undefined), now, now, after).contact
  }

  /** Who we are and where this contact reaches us, unless that is what it was told last. */
  hello(contact: Contact, now: Millis, after: After): Contact {
    const card = this.parts.self.card(now, after)
    const { requeue = false, ...known } = contact
    const { queues } = this.parts
    const own = requeue ? queues.replace(contact.uid, now, after) : queues.ensure(contact.uid, now, after)
    const body = encodeHello(card, own)
    const announced = shortHash(body)
    if (Buffer.compare(announced, contact.announced) === 0) return contact
    return this.counted({ ...known, announced }, MessageType.hello, body, now, now, after).contact
  }

  /** What has come and what the person has seen. A receipt that has not left yet is replaced. */
  receipt(contact: Contact, now: Millis, after: After): Contact {
    const { received, read } = contact
    const shown = this.parts.self.readReceipts && contact.readReceipts ? read : 0
    const body = encodeReceipt({ upTo: received.upTo, read: shown, ranges: rangesOf(received) })
    for (const slot of this.parts.outbox.of(contact.uid)) {
      if (slot.type === MessageType.receipt && !slot.flying) this.withdraw(slot.sequence, after)
    }
    const id = this.parts.random(MESSAGE_ID_LENGTH)
    const receipt = { id, type: MessageType.receipt, counter: 0 }
    const envelope = this.envelope(contact, { ...receipt, time: now, previous: NO_HASH, body })
    return this.enqueue({ ...contact, owesReceipt: false }, receipt, envelope, now, after)
  }

  /** Asks, in a new session, for everything that we have not received. @throws as `Sessions.seal` */
  resend(contact: Contact, now: Millis, after: After): Sent {
    const fresh = this.parts.sessions.toBegin(contact, 'new', now)
    const body = encodeResend({ upTo: contact.received.upTo, cardHash: shortHash(contact.card) })
    return this.counted(fresh, MessageType.resend, body, now, now, after)
  }

  /** Seals an entry anew, in the session in use, under a new id. */
  reseal(entry: OutboxEntry, contact: Contact, now: Millis, after: After): OutboxEntry {
    const sealed = this.parts.sessions.seal(contact, entry.envelope, now, after)
    this.parts.records.putContact(sealed.contact)
    const again = { ...entry, inner: sealed.inner, stamp: sealed.stamp, ...this.freshIds() }
    this.parts.records.putOutboxEntry(again)
    return again
  }

  /** Takes an entry out. */
  withdraw(sequence: number, after: After): void {
    this.parts.records.deleteOutboxEntry(sequence)
    after(() => this.parts.outbox.delete(sequence))
  }

  /** Envelopes of our series, in which a contact sees what is missing. */
  private counted(
    contact: Contact,
    type: MessageType,
    body: Uint8Array,
    time: Millis,
    now: Millis,
    after: After,
    noStore = false,
  ): Sent {
    const id = this.parts.random(MESSAGE_ID_LENGTH)
    const { next: counter, hash: previous } = contact.sent
    const envelope = this.envelope(contact, { id, type, time, counter, previous, body })
    const sent = { next: counter + 1, hash: envelopeHash(envelope) }
    const what = { id, type, counter, ...(noStore ? { noStore } : {}) }
    return { contact: this.enqueue({ ...contact, sent }, what, envelope, now, after), id, counter }
  }

  private envelope(contact: Contact, rest: Omit<Parameters<typeof encodeEnvelope>[0], 'chat'>): Uint8Array {
    return encodeEnvelope({ ...rest, chat: chatId(this.parts.self.identity.uid, contact.uid) })
  }

  private enqueue(
    contact: Contact,
    { id, ...what }: Pick<OutboxEntry, 'id' | 'type' | 'counter' | 'noStore'>,
    envelope: Uint8Array,
    now: Millis,
    after: After,
  ): Contact {
    const { records, sessions, outbox } = this.parts
    const sealed = sessions.seal(contact, envelope, now, after)
    const { inner, stamp } = sealed
    const sequence = outbox.number()
    const common = { sequence, contact: contact.uid, message: id, ...what, envelope, inner, stamp }
    const entry = { ...common, ...this.freshIds() }
    records.putOutboxEntry(entry)
    records.putContact(sealed.contact)
    after(() => outbox.add(entry, now))
    return sealed.contact
  }

  private freshIds(): { readonly id: Uint8Array; readonly ephemeral: Uint8Array } {
    return { id: this.parts.random(MESSAGE_ID_LENGTH), ephemeral: this.parts.random(32) }
  }
}

/** The contact as it was where there is no gateway of ours, or neither a session nor a fresh card. */
function unlessHindered(contact: Contact, work: () => Contact): Contact {
  try {
    return work()
  } catch (error) {
    if (isSottoError(error, 'E_CHAT_NO_GATEWAY') || isSottoError(error, 'E_CARD_EXPIRED')) return contact
    throw error
  }
}
