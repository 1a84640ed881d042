/**
 * The sessions of each contact: which one sends, which ones still open, how a new one begins.
 *
 * Sessions of a pair are ordered by stamp, then id, and both sides send in the highest they know. When both start at the
 * same moment, both know both after one message each, and agree; until then each reads what the other sends.
 */
import { type Millis, type Random, wipe } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { readKnownCard } from './card.ts'
import { pad } from './envelope.ts'
import { ANSWERING, OFFERING } from './healing.ts'
import type { Identity, PublicIdentity } from './identity.ts'
import { decodeInner, encodeInner, type Inner } from './inner.ts'
import type { After } from './journal.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { Contact, Session, SessionRef } from './model.ts'
import { carriedNext, openStep, type RatchetState, sealStep, startReceiving, startSending } from './ratchet.ts'
import type { RatchetSuite } from './ratchet-suite.ts'
import type { Records } from './records.ts'
import { paddedLength } from './sizes.ts'
import { carriedLength } from './sotto-suite.ts'
import { acceptSession, canStart, encodeStart, type StartHeader, startSession } from './start.ts'

export interface SealedEnvelope {
  readonly contact: Contact
  readonly inner: Uint8Array
  /** Of the session it is sealed in. */
  readonly stamp: number
}

export type OpenedInner =
  | {
      readonly kind: 'opened'
      readonly from: PublicIdentity
      readonly plaintext: Uint8Array
      /** Stamp of the session it came in. */
      readonly stamp: number
      /** Stores the session's new state. */
      keep(contact: Contact, after: After): Contact
    }
  /** A repeat, or its key was forgotten; authentic as far as its sender goes. */
  | { readonly kind: 'used'; readonly from: Uint8Array }
  /** `from` where the session says whose it was. */
  | { readonly kind: 'refused'; readonly from: Uint8Array | undefined }

const refused: OpenedInner = { kind: 'refused', from: undefined }

export class Sessions {
  private readonly records: Records
  private readonly suite: RatchetSuite
  private readonly identity: Identity
  private readonly random: Random

  constructor(records: Records, suite: RatchetSuite, identity: Identity, random: Random) {
    this.records = records
    this.suite = suite
    this.identity = identity
    this.random = random
  }

  /**
   * Seals an encoded envelope in the session in use, or in a new one. Inside a transaction.
   * @throws SottoError E_CARD_EXPIRED, E_CARD_VERSION where a session would have to be started and cannot
   */
  seal(contact: Contact, envelope: Uint8Array, now: Millis, after: After): SealedEnvelope {
    const inUse = contact.sessions.at(-1)
    const session = inUse === undefined ? undefined : this.records.session(inUse.id)
    if (session !== undefined) return this.sealIn(session, contact, envelope, after)
    const started = this.start(contact, now)
    return this.sealIn(started.session, started.contact, envelope, after)
  }

  /** Starts a session that comes after all others. Inside a transaction. @throws as `seal` */
  start(contact: Contact, now: Millis): { session: Session; contact: Contact } {
    const session = this.begin(contact, now)
    this.records.putSession(session)
    return { session, contact: this.remember(contact, session) }
  }

  private begin(contact: Contact, now: Millis): Session {
    const { prekey, name } = this.cardOf(contact)
    if (!canStart(prekey)) {
      throw new SottoError('E_CARD_VERSION', `The card of ${name} names no way to begin that this Sotto knows.`)
    }
    if (now >= prekey.expires) throw new SottoError('E_CARD_EXPIRED', `The card of ${name} is too old to begin with.`)
    const stamp = Math.max(now, (contact.sessions.at(-1)?.stamp ?? 0) + 1)
    const ephemeral = keyPair(this.random(32))
    const started = startSession({ identity: this.identity, to: contact, prekey, ephemeral, stamp })
    wipe(ephemeral.secret)
    const { context, root, id } = started?.secrets ?? unusable(name)
    const contexts = { sendContext: context, receiveContext: context }
    const own = keyPair(this.random(32))
    const healing = OFFERING
    const ratchet = startSending(this.suite, { root, remote: prekey.key, own, healing, ...contexts }) ?? unusable(name)
    return { id, stamp, contact: contact.uid, start: encodeStart(started!.header), ratchet }
  }

  private cardOf(contact: Contact): ReturnType<typeof readKnownCard> {
    if (contact.card.length > 0) return readKnownCard(contact.card)
    throw new SottoError('E_CARD_EXPIRED', 'The card of this contact has not arrived yet.')
  }

  private sealIn(session: Session, contact: Contact, envelope: Uint8Array, after: After): SealedEnvelope {
    const start = session.start.length > 0 ? session.start : undefined
    const carried = carriedLength(carriedNext(session.ratchet))
    const roomy = paddedLength(envelope.length, start !== undefined, carried)
    const length = roomy ?? paddedLength(envelope.length, start !== undefined)
    if (length === undefined) throw new RangeError(`an envelope of ${envelope.length} octets fits no class`)
    const sealed = sealStep(this.suite, session.ratchet, pad(envelope, length), roomy !== undefined)
    this.records.putSession({ ...session, ratchet: sealed.state }, session)
    after(() => wipe(...sealed.consumed))
    return { contact, inner: encodeInner(session.id, start, sealed.message), stamp: session.stamp }
  }

  /** Opens what was in a box. Nothing changes until `keep` is called, inside a transaction. */
  open(inner: Uint8Array, now: Millis): OpenedInner {
    const parsed = decodeInner(inner)
    if (parsed === undefined) return refused
    const session = this.records.session(parsed.session)
    if (session !== undefined) return this.openIn(session, session.ratchet, parsed, now)
    return parsed.start === undefined ? refused : this.openFirst(parsed.start, parsed, now)
  }

  private openFirst(header: StartHeader, parsed: Inner, now: Millis): OpenedInner {
    const { uid } = header.from
    const lowest = this.records.contact(uid)?.sessions.at(-1 - ChatLimits.archivedSessions)
    if (lowest !== undefined && header.stamp < lowest.stamp) return { kind: 'used', from: uid }
    const prekey = this.records.prekeys().find(({ id }) => id === header.prekeyId)
    const { identity } = this
    const claimedId = parsed.session
    const secrets = prekey && acceptSession({ identity, prekey, header, claimedId })
    if (prekey === undefined || secrets === undefined) return { kind: 'refused', from: uid }
    const { root, context } = secrets
    const own = { secret: prekey.secret, publicKey: prekey.publicKey }
    const contexts = { sendContext: context, receiveContext: context }
    const state = startReceiving({ root, own, healing: ANSWERING, ...contexts })
    const ref = { id: parsed.session, stamp: header.stamp, contact: uid }
    return this.openIn({ ...ref, from: header.from }, state, parsed, now)
  }

  private openIn(
    session: Pick<Session, 'id' | 'stamp' | 'contact'> & { from?: PublicIdentity },
    ratchet: RatchetState,
    { message }: Inner,
    now: Millis,
  ): OpenedInner {
    const before = session.from === undefined ? (session as Session) : undefined
    const opened = openStep(this.suite, ratchet, message, { random: this.random, now })
    if (opened.kind !== 'opened') return { kind: opened.kind, from: session.contact }
    const { id, stamp, contact: uid } = session
    const from = session.from ?? this.records.contact(uid)
    if (from === undefined) return { kind: 'refused', from: uid }
    const next: Session = { id, stamp, contact: uid, start: new Uint8Array(0), ratchet: opened.state }
    const keep = (contact: Contact, after: After): Contact => {
      this.records.putSession(next, before)
      after(() => wipe(...opened.consumed))
      return before === undefined ? this.remember(contact, next) : contact
    }
    return { kind: 'opened', from, plaintext: opened.plaintext, stamp, keep }
  }

  /** Puts a session into the contact's list, and forgets those beyond the limit. */
  private remember(contact: Contact, { id, stamp }: SessionRef): Contact {
    const sessions = [...contact.sessions, { id, stamp }].sort(
      (a, b) => a.stamp - b.stamp || Buffer.compare(a.id, b.id),
    )
    for (const gone of sessions.slice(0, -1 - ChatLimits.archivedSessions)) this.records.deleteSession(gone.id)
    return { ...contact, sessions: sessions.slice(-1 - ChatLimits.archivedSessions) }
  }
}

function unusable(name: string): never {
  throw new SottoError('E_CARD_FORMAT', `The card of ${name} has a key that cannot be used.`)
}
