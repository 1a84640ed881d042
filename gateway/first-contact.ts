/**
 * Recognises the first contact of a member: the tokens of all cohorts that are expected now, and what has been answered
 * already. A stranger's request costs one HMAC and a look-up in each map, and so does a first contact that is sent again
 * late: nothing of it is read, decoded or opened. Spec section 3.1.
 */

import type { Millis } from '#protocol/bytes.ts'
import { latin1 } from '#protocol/bytes.ts'
import { BUCKET_MS, COHORT_SLOTS, Limits } from '#protocol/constants.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { CohortKeys } from '#protocol/recognition.ts'
import { bucketOf, slotTag, tagReader } from '#protocol/recognition.ts'

export interface Cohort {
  readonly id: string
  readonly keys: CohortKeys
}

/** Tags of one bucket, of all cohorts. */
type Bucket = Map<string, Cohort>

/** Calls of `prepare`, one a second, that the tokens of a bucket are spread over: less than a bucket has. */
const PREPARE_CALLS = 200

export class CohortTokens {
  private readonly tagOf: (token: Uint8Array) => string
  private cohorts: readonly Cohort[] = []
  private readonly buckets = new Map<number, Bucket>()
  /** The bucket that is being prepared, and how many cohorts are in it. */
  private ahead: { readonly bucket: number; readonly tags: Bucket; done: number } | undefined

  /** `maskKey`: `maskKeyOf` the gateway's static public key. */
  constructor(maskKey: Uint8Array) {
    this.tagOf = tagReader(maskKey)
  }

  /**
   * Replaces the set of cohorts; takes effect at once. An id stands for the same keys for ever, so only the tokens of new
   * ones are computed: with thousands of cohorts, all of them would stop the gateway for seconds at every new invite.
   */
  setCohorts(cohorts: readonly Cohort[]): void {
    const before = new Set(this.cohorts.map(({ id }) => id))
    const after = new Set(cohorts.map(({ id }) => id))
    const added = cohorts.filter(({ id }) => !before.has(id))
    for (const [bucket, tags] of this.buckets) {
      for (const [tag, { id }] of tags) if (!after.has(id)) tags.delete(tag)
      for (const cohort of added) addTags(tags, cohort, bucket)
    }
    this.cohorts = cohorts
    this.ahead = undefined
  }

  /** Computes all that is needed now, and the next bucket. */
  fill(now: Millis): void {
    for (const bucket of [...neighbours(now), bucketOf(now) + 2]) this.tags(bucket)
  }

  /**
   * Computes a part of what the next bucket will need. Call it about once a second: then no request waits for tokens to be
   * computed when a bucket begins, which anybody could measure, and tell by it what answers.
   */
  prepare(now: Millis): void {
    const bucket = bucketOf(now) + 2
    if (this.buckets.has(bucket)) return
    if (this.ahead?.bucket !== bucket) this.ahead = { bucket, tags: new Map(), done: 0 }
    const { ahead } = this
    const stop = ahead.done + Math.ceil(this.cohorts.length / PREPARE_CALLS)
    for (const cohort of this.cohorts.slice(ahead.done, stop)) addTags(ahead.tags, cohort, bucket)
    ahead.done = stop
    if (stop >= this.cohorts.length) this.keep(bucket, ahead.tags)
  }

  /** True where no request has to wait for tokens now. */
  isPrepared(now: Millis): boolean {
    return neighbours(now).every((bucket) => this.buckets.has(bucket))
  }

  /** The cohort whose token this is in the bucket of `now` or in one beside it: clocks differ by up to a bucket. */
  find(token: Uint8Array, now: Millis): Cohort | undefined {
    const tag = this.tagOf(token)
    const current = bucketOf(now)
    // The likeliest first.
    return this.tags(current).get(tag) ?? this.tags(current - 1).get(tag) ?? this.tags(current + 1).get(tag)
  }

  private tags(bucket: number): Bucket {
    const known = this.buckets.get(bucket)
    if (known !== undefined) return known
    const tags: Bucket = new Map()
    for (const cohort of this.cohorts) addTags(tags, cohort, bucket)
    return this.keep(bucket, tags)
  }

  private keep(bucket: number, tags: Bucket): Bucket {
    for (const old of this.buckets.keys()) if (Math.abs(old - bucket) > 3) this.buckets.delete(old)
    this.buckets.set(bucket, tags)
    return tags
  }
}

/** The buckets whose tokens are expected: clocks differ by up to a bucket. */
function neighbours(now: Millis): readonly number[] {
  const current = bucketOf(now)
  return [current, current - 1, current + 1]
}

function addTags(tags: Bucket, cohort: Cohort, bucket: number): void {
  for (let slot = 0; slot < COHORT_SLOTS; slot++) tags.set(latin1(slotTag(cohort.keys, bucket, slot)), cohort)
}

/** A first contact as it came. */
export interface FirstRequest {
  readonly token: Uint8Array
  readonly parcel: Uint8Array
  readonly binding: Uint8Array
}

interface Entry<Answer> {
  readonly token: Uint8Array
  /** The machine's clock when it was used. */
  readonly at: Millis
  /** The same by the clock that nobody sets. */
  readonly since: number
  /** Hash of the whole request, so that one with the same token and another octet elsewhere is a stranger's. */
  readonly exact: string
  answer: Promise<Answer | undefined> | undefined
}

/** What is to be removed on disk, too, and the time up to which something was forgotten by then. */
export interface Forgotten {
  readonly tokens: readonly Uint8Array[]
  readonly until: Millis
}

/** Entries looked at by one call of `forget`, one a second: all of them in a minute or so. */
const FORGET_SLICE = 1_024

/**
 * First contacts that were authentic, by their tokens. The same octets within the answer's life get the same answer
 * (edges deliver a request two or three times); later the token is a stranger's, for ever. An entry stands until both
 * the machine's clock and the gateway's count are a day past it, so a clock that is set ahead and corrected drops none. Once
 * some were forgotten, no first contact is recognised by a clock that is back where their tokens were expected: `isShut`.
 * `since` and `elapsed` are milliseconds from some moment on, by a clock that nobody sets.
 */
export class ReplayCache<Answer> {
  private readonly seen = new Map<string, Entry<Answer>>()
  /** Those whose answer is still kept. */
  private readonly answered = new Set<Entry<Answer>>()
  /** The newest that was forgotten in its time, and when no token of that time is expected any more. */
  private until: Millis
  private open: Millis
  /** The time that both clocks had passed when they were last asked. */
  private passed: Millis = Number.NEGATIVE_INFINITY
  private gone: Uint8Array[] = []
  private round: Iterator<[string, Entry<Answer>]> = this.seen.entries()

  /** `until`: as it was told by `forget` of the processes before. */
  constructor(until: Millis = Number.NEGATIVE_INFINITY) {
    this.until = until
    this.open = unexpectedFrom(until)
  }

  /** It was used before this process began: its answer is not here. Oldest first, before any other. */
  restore(token: Uint8Array, at: Millis): void {
    this.seen.set(latin1(token), { token, at, since: 0, exact: '', answer: undefined })
  }

  /**
   * True where the token of this `lookupKey` has been used and its answer is not given again: a stranger's, before anything else
   * is looked at. `elapsed` is asked where it matters only, which it does for no stranger.
   */
  isOver(key: string, elapsed: () => number): boolean {
    const entry = this.seen.get(key)
    return entry !== undefined && (entry.answer === undefined || elapsed() - entry.since > Limits.firstContactAnswerMs)
  }

  /** True where tokens may be expected by `now` that were used and are forgotten: the clock is more than a day behind. */
  isShut(now: Millis): boolean {
    return now < this.open
  }

  /** The earlier answer; 'replay' where it is too late for one, or it was another request; undefined where the token is new. */
  earlier(
    { token, parcel, binding }: FirstRequest,
    elapsed: number,
  ): Promise<Answer | undefined> | 'replay' | undefined {
    this.expire(elapsed)
    const entry = this.seen.get(latin1(token))
    if (entry === undefined) return undefined
    return entry.exact === exactly(parcel, binding) ? (entry.answer ?? 'replay') : 'replay'
  }

  remember(
    { token, parcel, binding }: FirstRequest,
    at: Millis,
    since: number,
    answer: Promise<Answer | undefined>,
  ): void {
    const entry: Entry<Answer> = { token, at, since, exact: exactly(parcel, binding), answer }
    this.seen.set(latin1(token), entry)
    this.answered.add(entry)
    if (this.seen.size > Limits.firstContacts) this.drop(...this.seen.entries().next().value!)
  }

  /** Gives up answers that are too old. They stand in order of arrival: stop at the first one that is still young. */
  expire(elapsed: number): void {
    for (const entry of this.answered) {
      if (elapsed - entry.since <= Limits.firstContactAnswerMs) break
      entry.answer = undefined
      this.answered.delete(entry)
    }
  }

  /**
   * Forgets what is too old; call it about once a second. `now`: the machine's clock; `aged`: a count that no set clock
   * hurries. @returns what has gone since the last call
   */
  forget(now: Millis, aged: Millis): Forgotten {
    this.passed = Math.min(now, aged)
    for (let i = 0; i < FORGET_SLICE; i++) {
      const { value, done } = this.round.next()
      if (done) {
        this.round = this.seen.entries()
        break
      }
      if (this.passed - value[1].at > Limits.firstContactBuckets * BUCKET_MS) this.drop(...value)
    }
    const tokens = this.gone
    this.gone = []
    return { tokens, until: this.until }
  }

  /** Where it is one of too many, and its token may still be expected, nobody is shut out for it. */
  private drop(key: string, entry: Entry<Answer>): void {
    this.seen.delete(key)
    this.gone.push(entry.token)
    if (this.passed < unexpectedFrom(entry.at) || entry.at <= this.until) return
    this.until = entry.at
    this.open = unexpectedFrom(entry.at)
  }
}

/** When no token is expected any more that was used at `at`: it may be of the bucket behind that, and of the one before the next. */
export const unexpectedFrom = (at: Millis): Millis => (bucketOf(at) + 3) * BUCKET_MS

const exactly = (parcel: Uint8Array, binding: Uint8Array): string => latin1(sha256(binding, parcel))
