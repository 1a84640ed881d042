/**
 * Whether friends are there, and their seeing that we are. A question and its answer are messages like others on the way, under
 * keys that only the two have; nobody stores them, and nothing of it is on our disk. Who is no friend hears nothing.
 */
import { constantTimeEqual, fastEqual, hex, type Millis, type Random } from '#protocol/bytes.ts'
import type { Answer } from '#protocol/presence/decision.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import {
  CHALLENGE_LENGTH,
  messageMark,
  openPresence,
  type PresenceKind,
  type PresenceMessage,
  sealPresence,
} from '#protocol/presence/message.ts'
import { markOf, openNote } from '#protocol/presence/note.ts'
import { NO_FACE, type StateName } from '#protocol/presence/state.ts'
import type { Emit, PresenceView } from '../events.ts'
import type { Identity } from '../identity.ts'
import { PRESENCE_LENGTH, presenceInner, presenceOf } from '../inner.ts'
import type { After } from '../journal.ts'
import type { Contact, Profile } from '../model.ts'
import type { Records } from '../records.ts'
import { some } from './draw.ts'
import { FriendKeys } from './friend-keys.ts'
import { Gossip } from './gossip.ts'
import { AnswerPace } from './pace.ts'
import { maySee } from './visibility.ts'

export interface PresenceParts {
  readonly records: Records
  readonly identity: Identity
  readonly random: Random
  readonly now: () => Millis
  readonly emit: Emit
  /** Hands it to who reads now, at the friend's queues for us, or `byCard` at those where anybody may write. */
  readonly whisper: (to: Uint8Array, inner: Uint8Array, byCard: boolean) => void
  /** This friend knows another face of ours: who we are is said again. */
  readonly greetAgain: (uid: Uint8Array) => void
  /** `nextDue` may be sooner. */
  readonly reschedule: () => void
}

export interface ProbeOptions {
  /** Milliseconds until it leaves. */
  readonly afterMs?: number
  /** By the addresses of their card, should those they told us alone be old. Where they told none, it is so anyway. */
  readonly byCard?: boolean
}

interface Pending {
  readonly uid: Uint8Array
  readonly challenge: Uint8Array
  readonly byCard: boolean
  /** When it is due; undefined once it has left. */
  due: Millis | undefined
  until: Millis
  wrong: boolean
  readonly promise: Promise<Answer>
  readonly resolve: (answer: Answer) => void
}

export class Presence {
  private readonly parts: PresenceParts
  private readonly keys: FriendKeys
  private readonly gossip: Gossip
  private readonly pace = new AnswerPace()
  private readonly heard = new Map<string, PresenceView>()
  /** The sender's time of the latest that was taken in: nothing is taken in twice. */
  private readonly latest = new Map<string, Millis>()
  /** What is older was said to the program that ran before, which may have taken it in: nothing of that is on the disk. */
  private opened: Millis
  private readonly pending = new Map<string, Pending>()
  private readonly probed = new Map<string, { readonly at: Millis; readonly answer: Promise<Answer> }>()
  /** When a friend was last told that we are there. */
  private readonly told = new Map<string, Millis>()
  private circle: readonly Contact[] | undefined

  constructor(parts: PresenceParts) {
    this.parts = parts
    this.opened = parts.now()
    this.keys = new FriendKeys(parts.identity, () => this.friends())
    this.gossip = new Gossip(this.keys, parts.random)
  }

  /** Contacts have changed. */
  contactsChanged(): void {
    this.circle = undefined
  }

  /** What is known now of a friend; undefined where nothing is, or it is too long ago. */
  of(uid: Uint8Array): PresenceView | undefined {
    const view = this.heard.get(hex(uid))
    return view !== undefined && isWithin(this.parts.now() - view.at, PresenceLimits.lifeMs) ? view : undefined
  }

  /** What was found out elsewhere. */
  note(uid: Uint8Array, view: PresenceView): void {
    const before = this.of(uid)
    this.heard.set(hex(uid), view)
    if (before?.state === view.state && before.by === view.by) return
    this.parts.emit({ type: 'presence', contact: hex(uid), presence: view })
  }

  /**
   * Asks a friend whether they are there; resolves with what came, after `PresenceLimits.waitMs` in any case. Asking again
   * within `PresenceLimits.probeMs` brings the same answer. Who is not to see us is not asked: `none`.
   */
  probe(uid: Uint8Array, { afterMs = 0, byCard = false }: ProbeOptions = {}): Promise<Answer> {
    const contact = this.parts.records.contact(uid)
    if (contact === undefined || !maySee(contact, this.profile())) return Promise.resolve('none')
    const now = this.parts.now()
    const [key, before] = [hex(uid), this.probed.get(hex(uid))]
    if (before !== undefined && isWithin(now - before.at, PresenceLimits.probeMs) && !byCard) return before.answer
    const { promise, resolve } = Promise.withResolvers<Answer>()
    const challenge = this.parts.random(CHALLENGE_LENGTH)
    this.pending.get(key)?.resolve('none')
    const due = now + afterMs
    const until = due + PresenceLimits.waitMs
    this.pending.set(key, { uid, challenge, byCard, due, until, wrong: false, promise, resolve })
    this.probed.set(key, { at: due, answer: promise })
    this.tick(now)
    this.parts.reschedule()
    return promise
  }

  /** These see us no longer: those who were told that we are there hear that we are not. */
  vanish(contacts: readonly Contact[]): void {
    const now = this.parts.now()
    for (const contact of contacts) {
      const told = this.told.get(hex(contact.uid))
      if (told === undefined || !isWithin(now - told, PresenceLimits.lifeMs)) continue
      this.told.delete(hex(contact.uid))
      this.say(contact, 'news', this.parts.random(CHALLENGE_LENGTH), 'offline', false)
    }
  }

  tick(now: Millis): void {
    for (const [key, probe] of this.pending) {
      if (probe.due !== undefined && probe.due <= now) this.leave(probe, now)
      if (probe.until > now) continue
      this.pending.delete(key)
      probe.resolve(probe.wrong ? 'wrong' : 'none')
    }
  }

  nextDue(): Millis | undefined {
    const times = [...this.pending.values()].map(({ due, until }) => due ?? until)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  close(): void {
    for (const { resolve } of this.pending.values()) resolve('none')
    this.pending.clear()
    this.keys.wipe()
  }

  /** Octets that came in a queue of `owner`, or where anybody may write. What is not of a friend, fresh and new, is nothing. */
  take(inner: Uint8Array, owner: Uint8Array | undefined, after: After): void {
    const now = this.parts.now()
    // A clock that was set back since: what comes is from after the start all the same.
    this.opened = Math.min(this.opened, now)
    const sealed = presenceOf(inner)
    const uid = owner ?? this.keys.whose(messageMark(sealed), now)
    const contact = uid && this.parts.records.contact(uid)
    if (contact?.status !== 'accepted') return
    const message = this.open(contact, sealed, now)
    if (message === undefined || !isWithin(now - message.time, PresenceLimits.windowMs)) return this.doubt(contact)
    const isTaken = message.kind === 'answer' ? this.answered(contact, message, after) : this.isNew(contact, message)
    if (isTaken) after(() => this.takeIn(contact, message, now))
  }

  private open(contact: Contact, sealed: Uint8Array, now: Millis): PresenceMessage | undefined {
    for (const keys of this.keys.from(contact, now)) {
      if (!fastEqual(keys.mark, messageMark(sealed))) continue
      const message = openPresence(keys, sealed)
      if (message !== undefined) return message
    }
    return undefined
  }

  /** True for the one answer that was waited for. */
  private answered(contact: Contact, { challenge, state }: PresenceMessage, after: After): boolean {
    const probe = this.pending.get(hex(contact.uid))
    if (probe === undefined || probe.due !== undefined || !constantTimeEqual(probe.challenge, challenge)) {
      this.doubt(contact)
      return false
    }
    this.pending.delete(hex(contact.uid))
    after(() => probe.resolve(state))
    return true
  }

  /** Something came that is no answer: waiting goes on, since anybody on the way can make it up. */
  private doubt({ uid }: Contact): void {
    const probe = this.pending.get(hex(uid))
    if (probe !== undefined) probe.wrong = true
  }

  private isNew({ uid }: Contact, { time }: PresenceMessage): boolean {
    const key = hex(uid)
    if (time <= (this.latest.get(key) ?? this.opened)) return false
    this.latest.set(key, time)
    return true
  }

  private takeIn(contact: Contact, message: PresenceMessage, now: Millis): void {
    const { kind, state, challenge, have, own, passed } = message
    const key = hex(contact.uid)
    this.note(contact.uid, { state, at: now, by: 'themselves' })
    this.gossip.keep(key, own, now)
    for (const note of passed) this.takeNote(note, key, now)
    if (!maySee(contact, this.profile())) return
    const isOther = contact.announced.length > 0 && !fastEqual(have, contact.announced)
    if (isOther && this.pace.mayGreet(key, now)) this.parts.greetAgain(contact.uid)
    if (kind === 'probe' && this.pace.mayAnswer(key, now)) this.say(contact, 'answer', challenge, 'online', false)
  }

  /** A friend says, through another, that they are there. */
  private takeNote(note: Uint8Array, carrier: string, now: Millis): void {
    const from = this.keys.ofNote(markOf(note), now)
    const said = from && openNote(from.key, note)
    if (said === undefined || !isWithin(now - said.time, PresenceLimits.lifeMs)) return
    const author = this.parts.records.contact(from!.author)
    if (author?.status !== 'accepted' || hex(author.uid) === carrier) return
    const before = this.of(author.uid)
    if (before === undefined || before.at < said.time) {
      this.note(author.uid, { state: said.state, at: Math.min(now, said.time), by: 'friends' })
    }
    const isOther = !fastEqual(said.face, NO_FACE) && !fastEqual(said.face, author.greeting ?? NO_FACE)
    // Asked by us, they say who they are now.
    if (isOther && this.pace.mayAsk(hex(author.uid), now)) void this.probe(author.uid)
  }

  private leave(probe: Pending, now: Millis): void {
    const contact = this.parts.records.contact(probe.uid)
    probe.due = undefined
    probe.until = now + PresenceLimits.waitMs
    if (contact !== undefined && maySee(contact, this.profile())) {
      this.say(contact, 'probe', probe.challenge, 'online', probe.byCard)
    }
  }

  private say(contact: Contact, kind: PresenceKind, challenge: Uint8Array, state: StateName, byCard: boolean): void {
    const { random, whisper } = this.parts
    const now = this.parts.now()
    const keys = this.keys.to(contact, now)
    if (keys === undefined) return
    const key = hex(contact.uid)
    if (state === 'online') this.told.set(key, now)
    const profile = this.profile()
    const readers = this.friends().filter((each) => hex(each.uid) !== key && maySee(each, profile))
    const message: PresenceMessage = {
      ...{ kind, challenge, state, time: now, have: contact.greeting ?? NO_FACE },
      own: state === 'online' ? this.gossip.own(readers, now) : [],
      passed: this.gossip.passedTo(key, now),
    }
    whisper(contact.uid, presenceInner(sealPresence(keys, message, PRESENCE_LENGTH, random)), byCard)
  }

  private profile(): Profile {
    return this.parts.records.profile()!
  }

  private friends(): readonly Contact[] {
    this.circle ??= this.parts.records.contacts().filter(({ status }) => status === 'accepted')
    return this.circle
  }

  /** Friends to ask in one round: all, or as many as are asked at once, drawn. */
  round(): Uint8Array[] {
    const profile = this.profile()
    const asked = this.friends().filter((each) => maySee(each, profile))
    return some(asked, PresenceLimits.roundFriends, this.parts.random).map(({ uid }) => uid)
  }
}

const isWithin = (span: number, bound: number): boolean => Math.abs(span) <= bound
