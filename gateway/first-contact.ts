/**
 * Recognises the first contact of a member: the tokens of all cohorts that are expected now, and what has been answered
 * already. A stranger's request costs one look-up in each map. Spec section 3.1.
 */

import type { Millis } from '#protocol/bytes.ts'
import { latin1 } from '#protocol/bytes.ts'
import { BOX_NONCE_LENGTH, BUCKET_MS, COHORT_SLOTS, Limits } from '#protocol/constants.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { CohortKeys } from '#protocol/recognition.ts'
import { bucketOf, cohortToken } from '#protocol/recognition.ts'

export interface Cohort {
  readonly id: string
  readonly keys: CohortKeys
}

/** Tokens of one bucket, of all cohorts. */
type Bucket = Map<string, Cohort>

/** Calls of `prepare`, one a second, that the tokens of a bucket are spread over: less than a bucket has. */
const PREPARE_CALLS = 200

export class CohortTokens {
  private cohorts: readonly Cohort[] = []
  private readonly buckets = new Map<number, Bucket>()
  /** The bucket that is being prepared, and how many cohorts are in it. */
  private ahead: { readonly bucket: number; readonly tokens: Bucket; done: number } | undefined

  /**
   * Replaces the set of cohorts; takes effect at once. An id stands for the same keys for ever, so only the tokens of new
   * ones are computed: with thousands of cohorts, all of them would stop the gateway for seconds at every new invite.
   */
  setCohorts(cohorts: readonly Cohort[]): void {
    const before = new Set(this.cohorts.map(({ id }) => id))
    const after = new Set(cohorts.map(({ id }) => id))
    const added = cohorts.filter(({ id }) => !before.has(id))
    for (const [bucket, tokens] of this.buckets) {
      for (const [token, { id }] of tokens) if (!after.has(id)) tokens.delete(token)
      for (const cohort of added) addTokens(tokens, cohort, bucket)
    }
    this.cohorts = cohorts
    this.ahead = undefined
  }

  /** Computes all that is needed now, and the next bucket. */
  fill(now: Millis): void {
    for (const bucket of [...neighbours(now), bucketOf(now) + 2]) this.tokens(bucket)
  }

  /**
   * Computes a part of what the next bucket will need. Call it about once a second: then no request waits for tokens to be
   * computed when a bucket begins, which anybody could measure, and tell by it what answers.
   */
  prepare(now: Millis): void {
    const bucket = bucketOf(now) + 2
    if (this.buckets.has(bucket)) return
    if (this.ahead?.bucket !== bucket) this.ahead = { bucket, tokens: new Map(), done: 0 }
    const { ahead } = this
    const stop = ahead.done + Math.ceil(this.cohorts.length / PREPARE_CALLS)
    for (const cohort of this.cohorts.slice(ahead.done, stop)) addTokens(ahead.tokens, cohort, bucket)
    ahead.done = stop
    if (stop >= this.cohorts.length) this.keep(bucket, ahead.tokens)
  }

  /** True where no request has to wait for tokens now. */
  isPrepared(now: Millis): boolean {
    return neighbours(now).every((bucket) => this.buckets.has(bucket))
  }

  /** The cohort whose token this is in the bucket of `now` or in one beside it: clocks differ by up to a bucket. */
  find(token: string, now: Millis): Cohort | undefined {
    for (const bucket of neighbours(now)) {
      const cohort = this.tokens(bucket).get(token)
      if (cohort !== undefined) return cohort
    }
    return undefined
  }

  private tokens(bucket: number): Bucket {
    const known = this.buckets.get(bucket)
    if (known !== undefined) return known
    const tokens: Bucket = new Map()
    for (const cohort of this.cohorts) addTokens(tokens, cohort, bucket)
    return this.keep(bucket, tokens)
  }

  private keep(bucket: number, tokens: Bucket): Bucket {
    for (const old of this.buckets.keys()) if (Math.abs(old - bucket) > 3) this.buckets.delete(old)
    this.buckets.set(bucket, tokens)
    return tokens
  }
}

/** The buckets whose tokens are expected, the likeliest first: clocks differ by up to a bucket. */
function neighbours(now: Millis): readonly number[] {
  const current = bucketOf(now)
  return [current, current - 1, current + 1]
}

function addTokens(tokens: Bucket, cohort: Cohort, bucket: number): void {
  for (let slot = 0; slot < COHORT_SLOTS; slot++) tokens.set(latin1(cohortToken(cohort.keys, bucket, slot)), cohort)
}

interface Entry<Answer> {
  readonly at: Millis
  /** Hash of the whole request, so that one with the same nonce and another octet elsewhere is a stranger's. */
  readonly exact: string
  answer: Promise<Answer | undefined> | undefined
}

/**
 * First contacts seen, by the random nonce of their box. The same octets within the answer's life get the same answer
 * (edges deliver a request two or three times); later they are a stranger's, until the token's bucket has passed.
 */
export class ReplayCache<Answer> {
  private readonly seen = new Map<string, Entry<Answer>>()
  /** Those whose answer is still kept. */
  private readonly answered = new Set<Entry<Answer>>()

  /** The earlier answer; 'replay' where it is too late for one, or it was another request; undefined where the box is new. */
  earlier(parcel: Uint8Array, binding: Uint8Array, now: Millis): Promise<Answer | undefined> | 'replay' | undefined {
    this.expire(now)
    const entry = this.seen.get(keyOf(parcel))
    if (entry === undefined) return undefined
    return entry.exact === exactly(parcel, binding) ? (entry.answer ?? 'replay') : 'replay'
  }

  remember(parcel: Uint8Array, binding: Uint8Array, now: Millis, answer: Promise<Answer | undefined>): void {
    const entry: Entry<Answer> = { at: now, exact: exactly(parcel, binding), answer }
    this.seen.set(keyOf(parcel), entry)
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

const keyOf = (parcel: Uint8Array): string => latin1(parcel.subarray(0, BOX_NONCE_LENGTH))
