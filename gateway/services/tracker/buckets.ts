/** Token buckets in bounded memory: one for each source, the longest unused forgotten first. Pure: the time is an argument. */
import type { Millis } from '#protocol/bytes.ts'

interface Bucket {
  readonly tokens: number
  readonly at: Millis
}

export class Buckets {
  private readonly perSecond: number
  private readonly burst: number
  private readonly most: number
  /** Longest unused first. */
  private readonly buckets = new Map<string, Bucket>()

  /** @param most sources that are remembered */
  constructor(perSecond: number, burst: number, most: number) {
    this.perSecond = perSecond
    this.burst = burst
    this.most = most
  }

  /** Takes `cost` where it is there: 0. Otherwise takes nothing: whole seconds until it will be. */
  take(source: string, cost: number, now: Millis): number {
    const tokens = this.tokensOf(source, now)
    const missing = cost - tokens
    this.keep(source, { tokens: missing > 0 ? tokens : tokens - cost, at: now })
    return missing > 0 ? Math.ceil(missing / this.perSecond) : 0
  }

  get size(): number {
    return this.buckets.size
  }

  private tokensOf(source: string, now: Millis): number {
    const known = this.buckets.get(source)
    if (known === undefined) return this.burst
    // A clock that is set back fills nothing and takes nothing away.
    return Math.min(this.burst, known.tokens + (Math.max(0, now - known.at) * this.perSecond) / 1_000)
  }

  private keep(source: string, bucket: Bucket): void {
    this.buckets.delete(source)
    this.buckets.set(source, bucket)
    if (this.buckets.size <= this.most) return
    const [oldest] = this.buckets.keys()
    this.buckets.delete(oldest!)
  }
}
