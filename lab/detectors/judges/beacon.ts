/**
 * How much a row of events looks like a machine that calls home, as hunters of beacons score it (RITA and its kin): even
 * intervals and even sizes, each by the skew of its quartiles and its spread around the median. 1 is a metronome.
 */
import { median, quantile } from '../../../scripts/bench/report.ts'

export interface Call {
  /** Milliseconds. */
  readonly at: number
  /** Octets. */
  readonly size: number
}

/** Fewer say nothing. */
export const LEAST_CALLS = 6

/** 0 to 1; undefined where there are too few calls. */
export function beaconScore(calls: readonly Call[]): number | undefined {
  if (calls.length < LEAST_CALLS) return undefined
  const times = calls.map(({ at }) => at).toSorted((a, b) => a - b)
  const intervals = times.slice(1).map((at, i) => at - times[i]!)
  return (evenness(intervals) + evenness(calls.map(({ size }) => size))) / 2
}

function evenness(values: readonly number[]): number {
  const [low, middle, high] = [quantile(values, 0.25), median(values), quantile(values, 0.75)]
  const skew = high === low ? 0 : (high + low - 2 * middle) / (high - low)
  const spread = median(values.map((value) => Math.abs(value - middle)))
  return (1 - Math.abs(skew) + Math.max(0, 1 - spread / Math.max(middle, 1e-9))) / 2
}
