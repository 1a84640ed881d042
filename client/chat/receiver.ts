/** Opens what arrives, down to the envelope. Everything that follows from one message is stored in one transaction. */
import { fastEqual, type Millis } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Arrivals } from './arrivals.ts'
import { openFromAnybody, openFromContact } from './box.ts'
import { newContact } from './contacts.ts'
import type { PublicIdentity } from './documents.ts'
import { chatId, decodeEnvelope, MESSAGE_ID_LENGTH } from './envelope.ts'
import type { Emit } from './events.ts'
import { adopt } from './identities.ts'
import type { Identity } from './identity.ts'
import { isPresence } from './inner.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Contact, OwnQueue } from './model.ts'
import type { OwnQueues } from './own-queues.ts'
import type { ArrivedMessage } from './ports.ts'
import type { Presence } from './presence/presence.ts'
import type { Records } from './records.ts'
import type { Repairer } from './repairer.ts'
import type { OpenedInner, Sessions } from './sessions.ts'

export interface ReceiverParts {
  readonly identity: Identity
  readonly records: Records
  readonly sessions: Sessions
  readonly arrivals: Arrivals
  readonly repairer: Repairer
  readonly emit: Emit
  readonly presence: Pick<Presence, 'take'>
  readonly queues: Pick<OwnQueues, 'shutLeaked'>
}

type Opened = Extract<OpenedInner, { kind: 'opened' }>

/** `dropped`: read, and not to be kept. */
type Outcome = 'taken' | 'dropped' | 'unreadable'

/** Stands for the sender of what was dropped unread. */
const NOBODY = new Uint8Array(0)
const NONCE_LENGTH = 24

export class Receiver {
  private readonly parts: ReceiverParts

  constructor(parts: ReceiverParts) {
    this.parts = parts
  }

  /**
   * Inside a transaction; once it is committed, the mailbox may forget the message.
   * @throws SottoError E_CHAT_REQUESTS_FULL
   */
  take(queue: OwnQueue, message: ArrivedMessage, now: Millis, after: After): void {
    const { records, repairer, arrivals } = this.parts
    const seen = records.seen(message.id)
    if (seen !== undefined) return arrivals.repeated(seen, after)
    const owner = queue.contact.length === 0 ? undefined : queue.contact
    const inner = this.unbox(queue, message)
    // Nothing of it is stored: who asks whether we are there leaves no trace.
    if (inner !== undefined && isPresence(inner)) return this.parts.presence.take(inner, owner, after)
    const opened = inner && this.parts.sessions.open(inner, now)
    const from = senderOf(opened)
    const isForeign = owner !== undefined && from !== undefined && !fastEqual(owner, from)
    const isOpen = opened?.kind === 'opened' && !isForeign
    const outcome = isOpen ? this.takeOpened(opened, now, after) : 'unreadable'
    // Anybody may write to the queue on our card: what is dropped there leaves nothing behind.
    if (owner !== undefined || outcome === 'taken')
      records.putSeen(message.id, outcome === 'unreadable' ? NOBODY : from!, now)
    if (outcome === 'unreadable') repairer.failed(owner ?? from, now, after)
    else if (owner !== undefined && queue.retired === 0) this.parts.queues.shutLeaked(owner, now, after)
  }

  private unbox({ contact, seal, box }: OwnQueue, message: ArrivedMessage): Uint8Array | undefined {
    if (message.box.length < NONCE_LENGTH || message.id.length !== MESSAGE_ID_LENGTH) return undefined
    const [nonce, sealed] = [message.box.subarray(0, NONCE_LENGTH), message.box.subarray(NONCE_LENGTH)]
    const body = xchacha20poly1305.open(seal, nonce, sealed)
    if (body === undefined) return undefined
    if (contact.length > 0) return openFromContact(box, message.id, body)
    return openFromAnybody(this.parts.records.prekeys().toReversed(), message.id, body)
  }

  private takeOpened(opened: Opened, now: Millis, after: After): Outcome {
    const { from, stamp } = opened
    const { identity, arrivals } = this.parts
    const decoded = decodeEnvelope(opened.plaintext)
    if (decoded === undefined || fastEqual(from.uid, identity.uid)) return 'unreadable'
    if (!fastEqual(decoded.envelope.chat, chatId(from.uid, identity.uid))) return 'unreadable'
    const before = this.parts.records.contact(from.uid)
    const contact = before ?? this.request(from, now)
    if (contact.status === 'blocked') return 'dropped'
    const adopted = opened.isFirst ? adopt(this.parts.records, contact, from, this.parts.emit, after) : contact
    if (adopted === undefined) return 'unreadable'
    // With new keys comes a new session: this one. What waits goes in it.
    const isRenewed = adopted.begin === 'all' && adopted !== contact
    const current = isRenewed ? { ...adopted, begin: '' as const, resealBelow: stamp } : adopted
    const isTaken = arrivals.take(opened.keep(current, after), { ...decoded, stamp, before, now, after })
    return isTaken ? 'taken' : 'dropped'
  }

  /** Somebody new. Where too many wait, nothing is taken in, and the mailbox keeps the message. */
  private request(from: PublicIdentity, now: Millis): Contact {
    const waiting = this.parts.records.contacts().filter(({ status }) => status === 'request').length
    if (waiting < ChatLimits.requests) return newContact(from, 'request', now)
    const kept = 'The message stays in the mailbox.'
    throw new SottoError('E_CHAT_REQUESTS_FULL', 'Somebody new wrote, but too many requests wait already.', { kept })
  }
}

function senderOf(opened: OpenedInner | undefined): Uint8Array | undefined {
  return opened?.kind === 'opened' ? opened.from.uid : opened?.from
}
