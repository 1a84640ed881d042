/**
 * The sessions of each contact: which one sends, which ones still open, how a new one begins.
 *
 * Sessions of a pair are ordered by stamp, then id, and both sides send in the highest they know. When both start at the
 * same moment, both know both after one message each, and agree; until then each reads what the other sends.
 */
import { type Millis, type Random, wipe } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { keptCard, requireFresh, requireWay } from './card.ts'
import type { PublicIdentity } from './documents.ts'
import { pad } from './envelope.ts'
import { ANSWERING, OFFERING } from './healing.ts'
import type { Identity } from './identity.ts'
import { decodeInner, encodeInner, type Inner } from './inner.ts'
import type { After } from './journal.ts'
import { type KeyPair, keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { Contact, Session, SessionRef } from './model.ts'
import { pairOf } from './one-time.ts'
import { carriedNext, openStep, type RatchetState, sealStep, startReceiving, startSending } from './ratchet.ts'
import type { RatchetSuite } from './ratchet-suite.ts'
import type { Records } from './records.ts'
import { paddedLength } from './sizes.ts'
import { carriedLength } from './sotto-suite.ts'
import { acceptSession, encodeStart, type Named, type Offer, type StartHeader, startSession } from './start.ts'

export interface SealedEnvelope {
  readonly contact: Contact
  /** Empty where a session must be begun first. */
  readonly inner: Uint8Array
  /** Of the session it is sealed in; 0 where there is none. */
  readonly stamp: number
}

export type OpenedInner =
  | {
      readonly kind: 'opened'
      readonly from: PublicIdentity
      readonly plaintext: Uint8Array
      /** Stamp of the session it came in. */
      readonly stamp: number
      /** The session began with it. */
      readonly isFirst: boolean
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
   * Seals an encoded envelope in the session in use. Where one must be begun first, with keys that are fetched, the envelope
   * stays as it is. Inside a transaction.
   * @throws SottoError E_CARD_EXPIRED, E_CHAT_VERSION where a session would have to be begun and cannot
   */
  seal(contact: Contact, envelope: Uint8Array, now: Millis, after: After): SealedEnvelope {
    const session = this.inUse(contact)
    if (session !== undefined) return this.sealIn(session, contact, envelope, after)
    this.requireWay(contact, now)
    return { contact, inner: new Uint8Array(0), stamp: 0 }
  }

  /** The session to seal in; undefined where one must be begun first. */
  inUse(contact: Contact): Session | undefined {
    const last = contact.begin ? undefined : contact.sessions.at(-1)
    return last && this.records.session(last.id)
  }

  /** From now on nothing is sealed before a session is begun. @throws as `seal` */
  toBegin(contact: Contact, what: 'new' | 'all', now: Millis): Contact {
    this.requireWay(contact, now)
    return { ...contact, begin: contact.begin === 'all' ? 'all' : what }
  }

  /**
   * Begins a session that comes after all others, with keys from the contact's shelf or card. Inside a transaction.
   * @throws SottoError E_CARD_FORMAT
   */
  start(contact: Contact, offer: Offer, now: Millis): { session: Session; contact: Contact } {
    const session = this.begin(contact, offer, now)
    this.records.putSession(session)
    return { session, contact: this.remember(contact, session) }
  }

  private begin(contact: Contact, offer: Offer, now: Millis): Session {
    const { random } = this
    const stamp = Math.max(now, (contact.sessions.at(-1)?.stamp ?? 0) + 1)
    const ephemeral = keyPair(random(32))
    const started = startSession({ identity: this.identity, to: contact, offer, ephemeral, stamp, random })
    wipe(ephemeral.secret)
    const { context, root, id } = started?.secrets ?? unusable(contact.name)
    const contexts = { sendContext: context, receiveContext: context }
    const input = { root, remote: offer.prekey.key, own: keyPair(random(32)), healing: OFFERING, ...contexts }
    const ratchet = startSending(this.suite, input) ?? unusable(contact.name)
    return { id, stamp, contact: contact.uid, start: encodeStart(started!.header), ratchet }
  }

  /** @throws SottoError E_CARD_EXPIRED, E_CHAT_VERSION */
  private requireWay({ card: bytes }: Contact, now: Millis): void {
    const card = keptCard(bytes)
    if (card === undefined) throw new SottoError('E_CARD_EXPIRED', 'The card of this contact has not arrived yet.')
    requireWay(card)
    requireFresh(card, now)
  }

  private sealIn(session: Session, contact: Contact, envelope: Uint8Array, after: After): SealedEnvelope {
    const start = session.start.length > 0 ? session.start : undefined
    const carried = carriedLength(carriedNext(session.ratchet))
    const roomy = paddedLength(envelope.length, session.start.length, carried)
    const length = roomy ?? paddedLength(envelope.length, session.start.length)
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
    const named = this.named(header)
    const { identity } = this
    const claimedId = parsed.session
    const secrets = named && acceptSession({ identity, named, header, claimedId })
    if (named === undefined || secrets === undefined) return { kind: 'refused', from: uid }
    const { root, context } = secrets
    const contexts = { sendContext: context, receiveContext: context }
    const state = startReceiving({ root, own: named.prekey, healing: ANSWERING, ...contexts })
    const first = { id: parsed.session, stamp: header.stamp, contact: uid, from: header.from, quantum: header.quantum }
    return this.openIn(first, state, parsed, now)
  }

  /** The secrets that a header names; undefined where one of them is gone: used before, or forgotten. */
  private named({ prekeyId, quantum }: StartHeader): Named | undefined {
    const found = this.records.prekeys().find(({ id }) => id === prekeyId)
    if (found === undefined) return undefined
    const prekey: KeyPair = { secret: found.secret, publicKey: found.publicKey }
    if (quantum === undefined) return { prekey, oneTime: undefined, kem: undefined }
    const { oneTimeId, kemId } = quantum
    const oneTime = oneTimeId === 0 ? undefined : this.records.oneTimeKey('dh', oneTimeId)
    const kem = kemId === 0 ? found.kem : this.records.oneTimeKey('kem', kemId)?.secret
    if (kem === undefined || (oneTimeId !== 0 && oneTime === undefined)) return undefined
    return { prekey, oneTime: oneTime && pairOf(oneTime), kem }
  }

  private openIn(
    session: Pick<Session, 'id' | 'stamp' | 'contact'> & Partial<Pick<StartHeader, 'from' | 'quantum'>>,
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
      if (session.quantum !== undefined) this.records.useOneTimeKeys(session.quantum)
      return before === undefined ? this.remember(contact, next) : contact
    }
    return { kind: 'opened', from, plaintext: opened.plaintext, stamp, isFirst: before === undefined, keep }
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
