/**
 * The measures of one endpoint. Pure: the time comes with every call, and may jump; it never counts for more than
 * `MeterLimits.stepMs`, and backwards for nothing.
 */
import type { Millis } from '#protocol/bytes.ts'
import type { Envelope, Measure } from './meter-limits.ts'
import { envelopes, MEASURES, MeterLimits } from './meter-limits.ts'
import type { EndpointKind } from './permit.ts'

const HOUR = 3_600_000

/** `cut`: nothing goes. `throttled`: one exchange a second. */
export type FlowCondition = 'open' | 'throttled' | 'cut'

export type Amounts = Partial<Record<Measure, number>>

/** What is kept of a flow; numbers, so that it can be written down. */
export interface FlowState {
  condition: FlowCondition
  /** What brought it about, unless `open`. */
  reason: Measure | null
  /** When the condition began, for people. */
  since: Millis
  /** When the flow was last looked at. */
  at: Millis
  levels: Amounts
  /** Largest hour, fading, of the measures that may grow; and the present hour with its age. */
  usual: Amounts
  hour: Amounts
  hourMs: number
  hourIsGood: boolean
  /** Milliseconds since a handshake was seen to succeed; null: never. */
  provenMs: number | null
  /** Foreign answers since the last authentic one, and milliseconds since the first of them. */
  foreignRun: number
  foreignMs: number
  cutLeftMs: number
  /** Cuts not forgotten yet, and milliseconds since the latest. */
  cuts: number
  cutAgoMs: number
  /** Milliseconds by which the endpoint's clock is ahead of ours; null: not known. */
  clockAhead: number | null
}

export type FlowNews = { readonly kind: 'throttled' | 'cut' | 'eased'; readonly reason: Measure }

export function newFlow(now: Millis): FlowState {
  return {
    ...{ condition: 'open', reason: null, since: now, at: now },
    ...{ levels: {}, usual: {}, hour: {}, hourMs: 0, hourIsGood: true },
    ...{ provenMs: null, foreignRun: 0, foreignMs: 0 },
    ...{ cutLeftMs: 0, cuts: 0, cutAgoMs: 0, clockAhead: null },
  }
}

export class Flow {
  readonly state: FlowState
  private readonly kind: EndpointKind
  private readonly tell: (news: FlowNews) => void
  private readonly times: number
  /** When the next exchange may begin while slowed down. */
  private nextAt: Millis = Number.NEGATIVE_INFINITY
  /** Share of each bucket that was filled since `saved`. */
  private filled: Amounts = {}

  /** `times`: how many times what is ordinary for everybody is ordinary here. */
  constructor(kind: EndpointKind, state: FlowState, tell: (news: FlowNews) => void, times = 1) {
    this.kind = kind
    this.times = times
    this.state = state
    this.tell = tell
  }

  /** Milliseconds to wait before an exchange; undefined where nothing may go. */
  ask(now: Millis): number | undefined {
    this.tick(now)
    const { state } = this
    if (state.condition === 'cut') return undefined
    if (state.condition === 'open') return 0
    const start = Math.max(now, Math.min(this.nextAt, now + HOUR))
    this.nextAt = start + MeterLimits.spacingMs
    return start - now
  }

  spend(now: Millis, amounts: Amounts): void {
    this.tick(now)
    const { levels, hour } = this.state
    for (const measure of MEASURES) {
      const amount = amounts[measure]
      if (amount === undefined || amount === 0) continue
      levels[measure] = Math.max(0, (levels[measure] ?? 0) + amount)
      hour[measure] = Math.max(0, (hour[measure] ?? 0) + amount)
      this.filled[measure] = (this.filled[measure] ?? 0) + Math.max(0, amount) / this.capacity(measure)
      this.weigh(measure, levels[measure])
    }
  }

  /** An answer was judged. */
  judged(now: Millis, authentic: boolean): void {
    this.tick(now)
    const { state } = this
    if (authentic) {
      state.foreignRun = 0
      state.foreignMs = 0
      state.levels.silence = 0
      return
    }
    state.foreignRun++
    this.spend(now, { foreign: 1 })
    this.hearSilence()
  }

  /** A handshake that only the gateway could have answered has succeeded. */
  proved(now: Millis): void {
    this.judged(now, true)
    this.state.provenMs = 0
    this.state.levels.unproven = 0
  }

  get isProven(): boolean {
    return this.state.provenMs !== null && this.state.provenMs <= MeterLimits.provenMs
  }

  /** The endpoint's clock, as its answer had it. */
  heardClock(now: Millis, date: Millis): void {
    const ahead = date - now
    const before = this.state.clockAhead
    this.state.clockAhead = ahead
    if (before !== null && Math.abs(ahead - before) > MeterLimits.clockMs) this.spend(now, { clock: 1 })
  }

  cut(reason: Measure): void {
    const { state } = this
    if (state.condition === 'cut') return
    state.cuts++
    state.cutAgoMs = 0
    state.cutLeftMs = Math.min(MeterLimits.cutMs * 2 ** Math.min(state.cuts - 1, 10), MeterLimits.cutMostMs)
    this.become('cut', reason)
  }

  /** The person says that it is well: everything begins anew, and what was too much may be twice as much. */
  allow(now: Millis): void {
    this.tick(now)
    const { state } = this
    for (const measure of MEASURES) {
      const { burst, grows } = this.envelope(measure)
      if (grows === 1 || (state.levels[measure] ?? 0) <= this.capacity(measure)) continue
      const twice = Math.min(2 * this.capacity(measure), burst * grows)
      state.usual[measure] = twice / MeterLimits.usualTimes
    }
    Object.assign(state, { ...newFlow(now), usual: state.usual, provenMs: state.provenMs })
  }

  /** Level of each measure as a share of its bucket, the fullest first; those that are empty are left out. */
  shares(): { readonly measure: Measure; readonly share: number }[] {
    const all = MEASURES.map((measure) => ({
      measure,
      share: (this.state.levels[measure] ?? 0) / this.capacity(measure),
    }))
    return all.filter(({ share }) => share >= 0.005).toSorted((a, b) => b.share - a.share)
  }

  /** Largest share of a bucket that is not written down yet. */
  get unsaved(): number {
    return Math.max(0, ...Object.values(this.filled))
  }

  saved(): void {
    this.filled = {}
  }

  /** Lets the time pass. */
  tick(now: Millis): void {
    const { state } = this
    const passed = Math.max(0, now - state.at)
    const elapsed = Math.min(passed, MeterLimits.stepMs)
    state.at = now
    if (elapsed === 0) return
    for (const measure of MEASURES) this.runOut(measure, elapsed)
    // The clock alone never makes anybody proven: here the whole of it counts.
    if (state.provenMs !== null) state.provenMs += passed
    if (state.foreignRun > 0) state.foreignMs += elapsed
    state.cutAgoMs += elapsed
    if (state.cuts > 0 && state.condition !== 'cut' && state.cutAgoMs > MeterLimits.cutForgottenMs) {
      state.cuts--
      state.cutAgoMs = 0
    }
    this.learn(elapsed)
    this.recover(elapsed)
  }

  private runOut(measure: Measure, elapsed: number): void {
    const level = this.state.levels[measure]
    if (level === undefined) return
    const { burst, perHour } = this.envelope(measure)
    const left = level - (perHour * (this.capacity(measure) / burst) * elapsed) / HOUR
    if (left > 0) this.state.levels[measure] = left
    else delete this.state.levels[measure]
  }

  /** An hour in which all was well shows what is usual. */
  private learn(elapsed: number): void {
    const { state } = this
    state.hourMs += elapsed
    if (state.hourMs < HOUR) return
    for (const measure of MEASURES) {
      if (this.envelope(measure).grows === 1) continue
      const faded = (state.usual[measure] ?? 0) * (1 - MeterLimits.usualFade)
      const usual = state.hourIsGood ? Math.max(faded, state.hour[measure] ?? 0) : faded
      if (usual > 0) state.usual[measure] = usual
    }
    Object.assign(state, { hour: {}, hourMs: 0, hourIsGood: state.condition === 'open' })
  }

  private recover(elapsed: number): void {
    const { state } = this
    if (state.condition === 'cut') {
      state.cutLeftMs -= elapsed
      if (state.cutLeftMs > 0) return
      state.cutLeftMs = 0
      // On trial: as full as a bucket may be.
      for (const { measure } of this.shares()) {
        state.levels[measure] = Math.min(state.levels[measure]!, this.capacity(measure))
      }
      this.become('throttled', state.reason!)
    } else if (state.condition === 'throttled') {
      if (this.shares().every(({ share }) => share <= 0.5)) this.become('open', state.reason!)
    }
  }

  private hearSilence(): void {
    const { state } = this
    if (state.foreignRun < MeterLimits.silenceAnswers) return
    const days = state.foreignMs / MeterLimits.silenceMs
    state.levels.silence = days
    this.weigh('silence', days)
  }

  private weigh(measure: Measure, level: number): void {
    const capacity = this.capacity(measure)
    if (level > 2 * capacity) this.cut(measure)
    else if (level > capacity && this.state.condition === 'open') this.become('throttled', measure)
  }

  private become(condition: FlowCondition, reason: Measure): void {
    const { state } = this
    state.condition = condition
    state.since = state.at
    state.reason = condition === 'open' ? null : reason
    if (condition !== 'open') state.hourIsGood = false
    this.filled[reason] = 1
    this.tell({ kind: condition === 'open' ? 'eased' : condition, reason })
  }

  private envelope(measure: Measure): Envelope {
    const { burst, perHour, grows } = envelopes[this.kind][measure]
    return { burst: burst * this.times, perHour: perHour * this.times, grows }
  }

  private capacity(measure: Measure): number {
    const { burst, grows } = this.envelope(measure)
    if (grows === 1) return burst
    return Math.min(Math.max(burst, MeterLimits.usualTimes * (this.state.usual[measure] ?? 0)), burst * grows)
  }
}
