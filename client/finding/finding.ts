/** Finding others, and being found: one object for the program, from trackers, finder, publisher and guard. */
import type { Card } from '#client/chat/card.ts'
import type { Chat } from '#client/chat/chat.ts'
import type { ContactId } from '#client/chat/events.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { Store } from '#client/store/store.ts'
import { empty, hex, utf8, wipe } from '#protocol/bytes.ts'
import type { Argon2Cost } from '#protocol/crypto/argon2id.ts'
import { SottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import { type Guard, LOCK_COST, makeGuard, unlockContents } from '#protocol/tracker/lock.ts'
import type { Question } from '#protocol/tracker/question.ts'
import { questionsOf, questionText, readAnswers, requireStrong, tryAnswers } from './answers.ts'
import { Finder, type Found, type Presence } from './finder.ts'
import { type Published, Publisher, type Wish } from './publisher.ts'
import { trackerId } from './tracker-id.ts'
import { type GatewayWay, Trackers } from './trackers.ts'

/** Milliseconds between two looks at whether our record must be written anew. */
const LOOK_MS = 3_600_000

const WISH = utf8('wish')
const GUARD = utf8('guard')
/** There once all trackers that have a record of ours were told that we are hidden. */
const GONE = utf8('gone')
const kinds: readonly Wish[] = ['hidden', 'online', 'offline']

/** What the work at a tracker, and at a lock, costs. */
export interface FindingCosts {
  readonly workBits: number
  readonly lock: Argon2Cost
}

/** A guard that was set. */
export interface GuardSet {
  /** What the answers are worth, by estimate. */
  readonly bits: number
  /** That know of it now; 0 for somebody hidden. */
  readonly trackers: number
}

export class Finding {
  private readonly chat: Chat
  private readonly store: Store
  private readonly clockwork: Clockwork
  private readonly finder: Finder
  private readonly publisher: Publisher
  private readonly lockCost: Argon2Cost
  private cancel: (() => void) | undefined
  /** How often something was wished since the program was started. */
  private wishes = 0

  /** @param store opened with `FINDING_TABLES` */
  constructor(
    chat: Chat,
    ways: readonly GatewayWay[],
    store: Store,
    clockwork: Clockwork,
    { workBits, lock }: FindingCosts = { workBits: TrackerLimits.workBits, lock: LOCK_COST },
  ) {
    this.chat = chat
    this.store = store
    this.clockwork = clockwork
    this.lockCost = lock
    const trackers = new Trackers(ways, store, clockwork)
    this.finder = new Finder(trackers, ways, clockwork)
    this.publisher = new Publisher({ chat, trackers, ways, store, clockwork, workBits })
  }

  /** What others need to find us. */
  get id(): string {
    return trackerId(this.chat.root)
  }

  /** What the person wishes. Nobody is found before they said so. */
  get wished(): Wish {
    return kinds[this.store.get('finding', WISH)?.[0] ?? 0] ?? 'hidden'
  }

  /**
   * What the person wishes from now on.
   * @returns how many trackers know of it now; the others hear of it later
   * @throws SottoError E_TRACKER_*; the wish is kept
   */
  async wish(wish: Wish): Promise<number> {
    this.wishes++
    this.store.transaction(() => {
      this.store.put('finding', WISH, Uint8Array.of(kinds.indexOf(wish)))
      this.store.delete('finding', GONE)
    })
    return (await this.publish()).told
  }

  /** Only who answers these is told where we are reached; none: everybody with our id is. */
  get questions(): readonly string[] {
    return questionsOf(this.guard?.text ?? '')
  }

  /**
   * From now on only who answers these questions is told where we are reached. Blocks for two seconds.
   * @throws SottoError E_PROOF_SECRET, E_ANSWER_WEAK; nothing was changed then. E_TRACKER_*; the questions are kept then
   */
  async ask(questions: readonly string[], answers: readonly string[]): Promise<GuardSet> {
    const text = questionText(questions)
    const { octets, bits } = readAnswers(text, answers)
    requireStrong(bits)
    const guard = makeGuard(text, octets, this.clockwork.random, this.lockCost)
    wipe(octets)
    this.store.transaction(() => this.store.put('finding', GUARD, encodeMessage(guard)))
    return { bits, trackers: await this.refresh() }
  }

  /** From now on everybody with our id is told. Returns how many trackers know of it now. @throws SottoError E_TRACKER_* */
  async askNothing(): Promise<number> {
    this.store.transaction(() => this.store.delete('finding', GUARD))
    return await this.refresh()
  }

  private get guard(): Guard | undefined {
    const bytes = this.store.get('finding', GUARD)
    return bytes === undefined ? undefined : (decodeMessage(bytes) as Guard)
  }

  /** What our record says: of somebody invisible never that they are there. */
  private get said(): Wish {
    const isGone = this.wished === 'online' && this.chat.presence.showing === 'invisible'
    return isGone ? 'offline' : this.wished
  }

  /** What our record says has changed. Returns how many trackers know of it; 0 where we are hidden. @throws SottoError E_TRACKER_* */
  async refresh(): Promise<number> {
    if (this.wished !== 'hidden') return (await this.publish()).told
    const wasWished = this.store.get('finding', WISH) !== undefined
    if (wasWished && this.store.get('finding', GONE) === undefined) await this.publish()
    return 0
  }

  private async publish(): Promise<Published> {
    const { wishes, said } = this
    const published = await this.publisher.publish(said, this.guard)
    const isGone = said === 'hidden' && published.missed === 0
    // Something else was wished meanwhile: its own run says what was told.
    if (isGone && wishes === this.wishes) this.store.transaction(() => this.store.put('finding', GONE, empty))
    return published
  }

  /** The newest records of these, by root key in hexadecimal. @throws SottoError E_TRACKER_* */
  newest(roots: readonly Uint8Array[]): Promise<Map<string, Found>> {
    return this.finder.newest(roots)
  }

  /** @throws SottoError E_PERSON_*, E_TRACKER_* */
  find(root: Uint8Array): Promise<Found> {
    return this.finder.find(root)
  }

  /** @throws SottoError E_NO_GATEWAY, E_PERSON_UNKNOWN, E_CARD_*, E_TUNNEL_* */
  card(root: Uint8Array, found: Found): Promise<Card> {
    return this.finder.card(root, found)
  }

  /** What somebody found asks first; questions are the lines of it. @throws SottoError E_PERSON_UNKNOWN, E_TRACKER_* */
  question(root: Uint8Array, found: Found): Promise<Question> {
    return this.finder.question(root, found)
  }

  /**
   * What somebody says to those who answer. Blocks for two seconds.
   * @throws SottoError E_ANSWER_WRONG, E_PROOF_SECRET, E_PERSON_UNKNOWN (the question has changed meanwhile)
   */
  answer(found: Found, question: Question, answers: readonly string[]): Found {
    const key = tryAnswers(question, answers, this.lockCost)
    const { locked, ...rest } = found
    const contents = locked && unlockContents(key, locked)
    wipe(key)
    if (contents !== undefined) return { ...rest, contents }
    throw new SottoError(
      'E_PERSON_UNKNOWN',
      'The answers are right, but the questions have just been changed: look again.',
    )
  }

  /** What trackers say of those who are accepted. @throws SottoError E_TRACKER_* */
  async presences(): Promise<Map<ContactId, Presence>> {
    const friends = this.chat.friends()
    if (friends.length === 0) return new Map()
    const found = await this.finder.presences(friends.map(({ root }) => root))
    return new Map(friends.map(({ id, root }) => [id, found.get(hex(root)) ?? 'none']))
  }

  /** A gateway is reached: our record is looked after, from now on every hour. */
  connected(): void {
    this.cancel?.()
    // What cannot be published now is tried again with the next look.
    void this.refresh().catch(() => {})
    this.cancel = this.clockwork.after(LOOK_MS, () => this.connected())
  }

  close(): void {
    this.cancel?.()
    this.cancel = undefined
  }
}
