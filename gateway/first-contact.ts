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
  readonly at: Millis
  /** Hash of the whole request, so that one with the same token and another octet elsewhere is a stranger's. */
  readonly exact: string
  answer: Promise<Answer | undefined> | undefined
}

/**
 * First contacts that were authentic, by their tokens. The same octets within the answer's life get the same answer
 * (edges deliver a request two or three times); later the token is a stranger's, until its bucket has passed.
 */
export class ReplayCache<Answer> {
  private readonly seen = new Map<string, Entry<Answer>>()
  /** Those whose answer is still kept. */
  private readonly answered = new Set<Entry<Answer>>()

  /** It was used before this process began: its answer is not here. Oldest first, before any other. */
  restore(token: Uint8Array, at: Millis): void {
    this.seen.set(latin1(token), { at, exact: '', answer: undefined })
  }

  /**
   * True where the token of this `lookupKey` has been used and its answer is not given again: a stranger's, before anything else
   * is looked at.
   */
  isOver(key: string, now: Millis): boolean {
    const entry = this.seen.get(key)
    return entry !== undefined && (entry.answer === undefined || now - entry.at > Limits.firstContactAnswerMs)
  }

  /** The earlier answer; 'replay' where it is too late for one, or it was another request; undefined where the token is new. */
  earlier({ token, parcel, binding }: FirstRequest, now: Millis): Promise<Answer | undefined> | 'replay' | undefined {
    this.expire(now)
    const entry = this.seen.get(latin1(token))
    if (entry === undefined) return undefined
    return entry.exact === exactly(parcel, binding) ? (entry.answer ?? 'replay') : 'replay'
  }

  remember({ token, parcel, binding }: FirstRequest, now: Millis, answer: Promise<Answer | undefined>): void {
    const entry: Entry<Answer> = { at: now, exact: exactly(parcel, binding), answer }
    this.seen.set(latin1(token), entry)
    this.answered.add(entry)
    if (this.seen.size > Limits.firstContacts) this.seen.delete(this.seen.keys().next().value!)
  }

  /** Forgets what is too old. Entries stand in order of arrival: stop at the first one that is still young. */
  expire(now: Millis): void {
    for (const [key, entry] of this.seen) {
      if (now - entry.at > Limits.firstContactBuckets * BUCKET_MS) this.seen.delete(key)
      else break
    }
    for (const entry of this.answered) {
      if (now - entry.at <= Limits.firstContactAnswerMs) break
      entry.answer = undefined
      this.answered.delete(entry)
    }
  }
}

const exactly = (parcel: Uint8Array, binding: Uint8Array): string => latin1(sha256(binding, parcel))
