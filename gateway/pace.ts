/**
 * How fast one member may exchange, so that none takes the gateway from the others: a token bucket for each, over all of its
 * sessions. Pure: the time is an argument. Only members are paced, after their parcel was found authentic: strangers get the
 * website at the website's own speed, whatever they send.
 */
import type { Millis } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'

interface Bucket {
  tokens: number
  at: Millis
}

/** Octets of one exchange that make it cost next to nothing: what moves much needs few. */
const BULK_OCTETS = 65_536
/** What even the largest costs. */
const LEAST = 0.02

export class Pace {
  private readonly buckets = new Map<string, Bucket>()
  private readonly perSecond: number
  private readonly burst: number

  constructor(perSecond: number, burst: number) {
    this.perSecond = perSecond
    this.burst = burst
  }

  /** Takes one; milliseconds until it is there, 0 while the bucket is not empty. */
  take(member: string, now: Millis): Millis {
    const bucket = this.filled(member, now)
    // Whoever does not wait for answers is in debt, and not for ever.
    bucket.tokens = Math.max(-this.burst, bucket.tokens - 1)
    return bucket.tokens >= 0 ? 0 : Math.ceil((-bucket.tokens * 1_000) / this.perSecond)
  }

  /** As `take` where there is one left; false, and nothing is taken, where not. */
  takeNow(member: string, now: Millis): boolean {
    const bucket = this.filled(member, now)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  /** An exchange of so many octets is over: gives back what it did not cost. */
  settle(member: string, octets: number): void {
    const bucket = this.buckets.get(member)
    if (bucket === undefined) return
    bucket.tokens = Math.min(this.burst, bucket.tokens + Math.min(1 - LEAST, octets / BULK_OCTETS))
  }

  /** Forgets those who are full again. */
  sweep(now: Millis): void {
    for (const member of this.buckets.keys()) {
      if (this.filled(member, now).tokens >= this.burst) this.buckets.delete(member)
    }
  }

  /** Members that are remembered now. */
  get size(): number {
    return this.buckets.size
  }

  private filled(member: string, now: Millis): Bucket {
    const known = this.buckets.get(member)
    if (known === undefined) {
      const bucket = { tokens: this.burst, at: now }
      this.buckets.set(member, bucket)
      return bucket
    }
    // A clock that is set back fills nothing and takes nothing away.
    known.tokens = Math.min(this.burst, known.tokens + (Math.max(0, now - known.at) * this.perSecond) / 1_000)
    known.at = now
    return known
  }
}

/** Exchanges of members. */
export const exchangePace = (): Pace => new Pace(Limits.memberExchanges, Limits.memberExchangeBurst)
/** First contacts of members. */
export const contactPace = (): Pace => new Pace(Limits.memberContacts / 3_600, Limits.memberContactBurst)
