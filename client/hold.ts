/**
 * How long a path lets an exchange be held. Starts as the template says; grows only as answers prove that the path bears
 * it, and shrinks after connections were cut while nothing was said on them (seen in the wild: 10, 30, 60, 125 s).
 */
import type { Millis } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'

/** Full holds answered before the next step, and how far it goes. A cut costs little, and a minute of silence is long. */
const PROOFS = 2
const STEP = 1.25
/** What is left of a hold that was cut: after a cut that was seen, and after silence, which tells only that it was too long. */
const AFTER_CUT = 0.8
const AFTER_SILENCE = 0.6
/** Shortest hold, as a part of the template's. */
const LEAST = 0.2
/** Two cuts after about the same time are no accident. */
const ALIKE = 0.3
/** A hold that is longer than a cut by this proves that the cut was an accident. */
const LONGER = 1.05
/** Milliseconds for which a cut is believed: networks change. */
const BELIEVED_MS = 1_800_000

/** What is kept of a hold: thousandths of the template's, and milliseconds that are certainly too long. */
export interface HoldRecord {
  readonly factor: number
  readonly limitMs?: number
}

export class Hold {
  private factor = 1
  private proofs = 0
  /** Time after which the latest held exchange was cut; forgotten when a longer one comes through. */
  private suspected: number | undefined
  private limit: { readonly ms: number; readonly until: Millis } | undefined

  /** As it was found out on this network before; believed anew, so that it is found out anew in time. */
  recall({ factor, limitMs }: HoldRecord, now: Millis): void {
    this.factor = factor / 1000
    this.limit = limitMs === undefined ? undefined : { ms: limitMs, until: now + BELIEVED_MS }
  }

  get record(): HoldRecord {
    const limit = this.limit === undefined ? {} : { limitMs: Math.round(this.limit.ms) }
    return { factor: Math.round(this.factor * 1000), ...limit }
  }

  /** The template's range of holds on this path. */
  range([least, most]: readonly [number, number], now: Millis): readonly [number, number] {
    if (this.limit !== undefined && this.limit.until <= now) this.limit = undefined
    const bound = Math.min(Limits.holdMs, this.limit?.ms ?? Limits.holdMs)
    const factor = Math.max(LEAST, Math.min(this.factor, bound / most))
    return [least * factor, most * factor]
  }

  /** An exchange was held for `hold` milliseconds and answered. */
  proved(hold: number): void {
    if (this.suspected !== undefined && hold > this.suspected * LONGER) this.suspected = undefined
    if (++this.proofs < PROOFS) return
    this.proofs = 0
    this.factor *= STEP
  }

  /**
   * A held exchange failed after `elapsed`; `silent` where nothing told us when. True where the path is now believed to
   * cut idle connections.
   */
  cut(elapsed: number, silent: boolean, most: number, now: Millis): boolean {
    const before = this.suspected
    this.suspected = elapsed
    this.proofs = 0
    // One cut may be anything; what has just grown goes a step back all the same.
    this.factor = Math.max(1, this.factor / STEP)
    if (before === undefined || Math.abs(before - elapsed) > ALIKE * Math.max(before, elapsed)) return false
    const ms = elapsed * (silent ? AFTER_SILENCE : AFTER_CUT)
    this.limit = { ms, until: now + BELIEVED_MS }
    this.factor = Math.max(LEAST, Math.min(this.factor, ms / most))
    this.suspected = undefined
    return true
  }
}
