/**
 * Looks people up whose root key is known: at the two trackers that they use, in few questions, and never with fewer keys than
 * somebody else would ask for, so that the gateway that carries the question cannot count.
 */
import { type Card, readCard, requireFresh } from '#client/chat/card.ts'
import type { Clockwork } from '#client/clockwork.ts'
import { fastEqual, fromUtf8, hex, type Millis, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { openCard } from '#protocol/tracker/card-box.ts'
import { ranked, TRACKERS_USED } from '#protocol/tracker/choice.ts'
import { type Contents, ELSEWHERE, isElsewhere, readContents } from '#protocol/tracker/contents.ts'
import { epochOf, type Place, placeKey, placeKeysOf } from '#protocol/tracker/epoch.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import { areLocked } from '#protocol/tracker/lock.ts'
import { readFound, readShown, type Wanted } from '#protocol/tracker/operations.ts'
import { openQuestion, type Question, readQuestionHead } from '#protocol/tracker/question.ts'
import { LEASE_MS, openRecord, RECORD_KEY_LENGTH, type RecordHead, recordKey } from '#protocol/tracker/record.ts'
import { questionsOf } from './answers.ts'
import type { GatewayWay, Trackers } from './trackers.ts'

/** What a tracker says of somebody. */
export interface Found {
  readonly head: RecordHead
  /** Of a record behind a lock nothing, before it is opened. */
  readonly contents: Contents
  /** The contents behind the lock, where their owner asks a question first. */
  readonly locked?: Uint8Array
}

/** online, offline: as they said, and it still holds. unknown: it is too long ago. none: there is no record. */
export type Presence = 'online' | 'offline' | 'unknown' | 'none'

/** Weeks in which somebody is looked for, this one and those before it: a record is kept for 30 days. */
const WEEKS = 5
/** As well, where it is about who is there now: a lease that began in one week may end in the next. */
const WEEKS_OF_LEASE = 2
/** Milliseconds for a gateway to give a card. */
const CARD_MS = 30_000

/** A person, and where a record of theirs may stand. */
interface Spot {
  readonly root: Uint8Array
  readonly place: Place
  /** Blinded. */
  readonly key: Uint8Array
}

export class Finder {
  private readonly trackers: Trackers
  private readonly ways: readonly GatewayWay[]
  private readonly clockwork: Clockwork
  /** The newest record of each friend by tracker, so that it need not be sent again. */
  private readonly records = new Map<string, { readonly seq: number; readonly record: Uint8Array }>()

  constructor(trackers: Trackers, ways: readonly GatewayWay[], clockwork: Clockwork) {
    this.trackers = trackers
    this.ways = ways
    this.clockwork = clockwork
  }

  /**
   * The newest record of somebody: at the two trackers that they should be at, then at the others. Where those two have none of this
   * week, they may know other trackers than we do: all are asked then, and an old record is not taken for the newest.
   * @throws SottoError E_PERSON_ID, E_PERSON_UNKNOWN, E_TRACKER_NONE, E_TRACKER_UNREACHABLE, E_TRACKER_BUSY
   */
  async find(root: Uint8Array): Promise<Found> {
    const trackers = ranked(root, await this.trackers.known())
    const thisWeek = epochOf(root, this.clockwork.now())
    let newest: Found | undefined
    let failure: unknown
    const keyAt = keysOf(root)
    for (const group of inGroups(trackers)) {
      const asked = group.map((tracker) => this.at(tracker, this.spots(root, keyAt, tracker, WEEKS)))
      const results = await Promise.allSettled(asked)
      const found = results.flatMap((result) => (result.status === 'fulfilled' ? [...result.value.values()] : []))
      newest = [...found, ...(newest ? [newest] : [])].toSorted(byAge).at(-1)
      if (newest?.head.epoch === thisWeek) return newest
      failure ??= failureOf(results)
    }
    if (newest !== undefined) return newest
    // Who was not asked everywhere is not known to be nowhere.
    throw failure ?? new SottoError('E_PERSON_UNKNOWN', 'Nobody is found by this id.')
  }

  /** What trackers say of friends, by root key in hexadecimal. @throws as `newest` */
  async presences(roots: readonly Uint8Array[]): Promise<Map<string, Presence>> {
    const newest = await this.newest(roots)
    return new Map(roots.map((root) => [hex(root), presenceOf(newest.get(hex(root)), this.clockwork.now())]))
  }

  /** The newest records of friends whose lease may still hold. @throws as `find`, where no tracker answers at all */
  async newest(roots: readonly Uint8Array[]): Promise<Map<string, Found>> {
    const known = await this.trackers.known()
    const byTracker = new Map<Uint8Array, Spot[]>()
    for (const root of roots) {
      const keyAt = keysOf(root)
      for (const tracker of ranked(root, known).slice(0, TRACKERS_USED)) {
        byTracker.set(tracker, [...(byTracker.get(tracker) ?? []), ...this.spots(root, keyAt, tracker, WEEKS_OF_LEASE)])
      }
    }
    const results = await Promise.allSettled([...byTracker].map(([tracker, spots]) => this.at(tracker, spots)))
    const answered = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    if (answered.length === 0 && results[0]?.status === 'rejected') throw results[0].reason
    return new Map(
      roots.flatMap((root) => {
        const all = answered.flatMap((found) => found.get(hex(root)) ?? [])
        const newest = all.toSorted(byAge).at(-1)
        return newest === undefined ? [] : [[hex(root), newest] as const]
      }),
    )
  }

  /**
   * What somebody found asks of those who wish to reach them: the newest question, since a tracker may not know of it. Each shows it
   * a few times an hour.
   * @throws SottoError E_PERSON_UNKNOWN (no tracker has it), E_TRACKER_NONE, E_TRACKER_UNREACHABLE, E_TRACKER_BUSY
   */
  async question(root: Uint8Array, { head }: Found): Promise<Question> {
    let failure: unknown
    for (const group of inGroups(ranked(root, await this.trackers.known()))) {
      const asked = group.map((tracker) => this.questionAt(root, { tracker, epoch: head.epoch }))
      const results = await Promise.allSettled(asked)
      const shown = results.flatMap((result) => (result.status === 'fulfilled' && result.value ? [result.value] : []))
      if (shown.length > 0) return shown.toSorted((a, b) => a.seq - b.seq).at(-1)!.question
      failure ??= failureOf(results)
    }
    throw failure ?? new SottoError('E_PERSON_UNKNOWN', 'They ask a question first, and no tracker has it.')
  }

  /** undefined where there is none, or what the tracker has is not theirs. */
  private async questionAt(root: Uint8Array, place: Place): Promise<Posed | undefined> {
    const key = placeKey(root, place)
    if (key === undefined) return undefined
    const answer = await this.trackers.ask(place.tracker, { kind: 'question', key: recordKey(key) })
    if (answer.kind === 'refused' && answer.why === 'unknown') return undefined
    if (answer.kind === 'refused') throw busy(answer.seconds)
    const shown = readShown(answer.body)
    const question = shown && openQuestion(shown, { root, place, key })
    if (question === undefined || questionsOf(question.text).length === 0) return undefined
    return { seq: readQuestionHead(shown!)!.seq, question }
  }

  /**
   * The card of somebody found, from a gateway that they receive at and we are a member of.
   * @throws SottoError E_PERSON_ASKS, E_NO_GATEWAY, E_PERSON_UNKNOWN (hidden, or the card is not theirs), E_CARD_*, E_TUNNEL_*
   */
  async card(root: Uint8Array, { head, contents, locked }: Found): Promise<Card> {
    if (locked !== undefined)
      throw new SottoError('E_PERSON_ASKS', 'They are reached by those who answer their question.')
    if (contents.queues.length === 0) throw new SottoError('E_PERSON_UNKNOWN', 'They do not wish to be found now.')
    const known = contents.queues.flatMap((queue) => {
      const way = this.ways.find(({ gateway }) => fastEqual(gateway, utf8(queue.gateway)))
      return way === undefined ? [] : [{ way, queue }]
    })
    if (known.length === 0) throw elsewhere(contents)
    let failure: unknown
    for (const { way, queue } of known.toSorted((a, b) => Number(b.way.isReady()) - Number(a.way.isReady()))) {
      try {
        const { sid, sauth } = queue
        const { box } = (await way.call('cards.fetch', { sid, sauth }, { timeoutMs: CARD_MS })) as { box: Uint8Array }
        const card = cardIn(box, root, head, contents)
        requireFresh(card, this.clockwork.now())
        return card
      } catch (error) {
        failure = error
      }
    }
    if (failure instanceof SottoError) throw failure
    throw new SottoError('E_PERSON_UNKNOWN', 'Their gateway has no card of theirs.', { cause: failure })
  }

  /** Where records of a person may stand at a tracker, this week's first. */
  private spots(root: Uint8Array, keyAt: KeyAt, tracker: Uint8Array, weeks: number): Spot[] {
    const now = epochOf(root, this.clockwork.now())
    return Array.from({ length: weeks }, (_, i): Spot => {
      const place = { tracker, epoch: now - i }
      return { root, place, key: keyAt(place) }
    })
  }

  /** The newest record of each person at one tracker, by root key in hexadecimal. */
  private async at(tracker: Uint8Array, spots: readonly Spot[]): Promise<Map<string, Found>> {
    const best = new Map<string, Found>()
    for (let from = 0; from < spots.length; from += TrackerLimits.idsPerQuery) {
      for (const [spot, found] of await this.ask(tracker, spots.slice(from, from + TrackerLimits.idsPerQuery))) {
        const before = best.get(hex(spot.root))
        if (before === undefined || byAge(before, found) < 0) best.set(hex(spot.root), found)
      }
    }
    return best
  }

  private async ask(tracker: Uint8Array, spots: readonly Spot[]): Promise<(readonly [Spot, Found])[]> {
    const wanted = spots.map(({ key }): Wanted => ({ key: recordKey(key), seq: this.records.get(hex(key))?.seq ?? 0 }))
    while (wanted.length < paddedCount(spots.length))
      wanted.push({ key: this.clockwork.random(RECORD_KEY_LENGTH), seq: 0 })
    const answer = await this.trackers.ask(tracker, { kind: 'lookup', wanted })
    if (answer.kind === 'refused') throw busy(answer.seconds)
    const found = readFound(answer.body, wanted.length) ?? []
    return spots.flatMap((spot, i) => {
      const name = hex(spot.key)
      const record = found[i] === 'known' ? this.records.get(name)?.record : found[i]
      const opened = record instanceof Uint8Array ? openRecord(record, spot) : undefined
      const said = opened && read(opened.contents)
      if (opened === undefined || said === undefined) return []
      this.records.set(name, { seq: opened.head.seq, record: record as Uint8Array })
      // As if there were none: the others tell.
      if (said.locked === undefined && isElsewhere(said.contents)) return []
      return [[spot, { head: opened.head, ...said }] as const]
    })
  }
}

/** A question, and how new it is. */
interface Posed {
  readonly seq: number
  readonly question: Question
}

/** The two that somebody should be at are asked at once, then one after the other. */
function inGroups(trackers: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  return [trackers.slice(0, TRACKERS_USED), ...trackers.slice(TRACKERS_USED).map((each) => [each])]
}

const failureOf = (results: readonly PromiseSettledResult<unknown>[]): unknown =>
  results.find((result) => result.status === 'rejected')?.reason

type KeyAt = (place: Place) => Uint8Array

/** @throws SottoError E_PERSON_ID */
function keysOf(root: Uint8Array): KeyAt {
  const keyAt = placeKeysOf(root)
  if (keyAt !== undefined) return keyAt
  throw new SottoError('E_PERSON_ID', 'This id cannot be used: it is nobody’s.')
}

function read(bytes: Uint8Array): Omit<Found, 'head'> | undefined {
  if (areLocked(bytes)) return { contents: ELSEWHERE, locked: bytes }
  const contents = readContents(bytes)
  return contents && { contents }
}

/** How many keys a question has: 8, 16 or 32. */
function paddedCount(count: number): number {
  return Math.min(TrackerLimits.idsPerQuery, Math.max(8, 2 ** Math.ceil(Math.log2(count))))
}

const byAge = (a: Found, b: Found): number => a.head.epoch - b.head.epoch || a.head.seq - b.head.seq

export function presenceOf(found: Found | undefined, now: Millis): Presence {
  if (found === undefined) return 'none'
  return found.head.leaseEnd > now ? found.head.state : 'unknown'
}

export const busy = (seconds: number): SottoError =>
  new SottoError(
    'E_TRACKER_BUSY',
    `The tracker cannot do that now${seconds > 0 ? `: again in ${seconds} seconds` : ''}.`,
  )

function elsewhere({ queues }: Contents): SottoError {
  const places = queues.map(({ gateway }) => fromUtf8(utf8(gateway))).join(' and ')
  return new SottoError('E_NO_GATEWAY', `they receive messages at ${places}, which you have no invite for`)
}

/**
 * The card that the record is about, or one that was made since. An older one is not taken, whoever hands it out.
 * @throws SottoError E_PERSON_UNKNOWN, E_CARD_*
 */
function cardIn(box: unknown, root: Uint8Array, head: RecordHead, contents: Contents): Card {
  const bytes = box instanceof Uint8Array ? openCard(root, box) : undefined
  if (bytes === undefined) throw new SottoError('E_PERSON_UNKNOWN', 'What their gateway has is no card of theirs.')
  const card = readCard(bytes)
  const isNamed = fastEqual(sha256(bytes), contents.bundle)
  const isNewer = card.issued >= head.leaseEnd - LEASE_MS
  if (fastEqual(card.root, root) && (isNamed || isNewer)) return card
  throw new SottoError('E_PERSON_UNKNOWN', 'What their gateway has is not the card that they speak of.')
}
