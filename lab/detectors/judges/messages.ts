/**
 * Whether somebody who sees only records learns when a person writes and how much (Bahramali and others, NDSS 2020): windows of
 * time with a message against those without, by the largest call in them; long texts against short ones by the call's size.
 */

import type { Interval } from '../../prober/statistics.ts'
import { auc, folded } from '../../prober/statistics.ts'
import type { Session } from '../capture/session.ts'
import { callsOf } from './calls.ts'

const WINDOW_MS = 500
/** Letters that split texts into short and long ones. */
const LONG = 60

export interface MessageLeak {
  /** Folded areas; undefined where there is too little. */
  readonly event: Interval | undefined
  readonly length: Interval | undefined
}

export function messageLeak(sessions: readonly Session[]): MessageLeak {
  const [during, otherwise, short, long]: number[][] = [[], [], [], []]
  for (const session of sessions) {
    const calls = callsOf(session)
    const largest = (from: number): number =>
      Math.max(0, ...calls.filter(({ at }) => at >= from && at < from + WINDOW_MS).map(({ size }) => size))
    for (const { at, letters } of session.said) (letters > LONG ? long : short)!.push(largest(at))
    const first = calls[0]?.at ?? session.beganAt
    for (let at = first; at + WINDOW_MS < session.endedAt; at += WINDOW_MS) {
      const speaks = session.said.some((said) => said.at >= at && said.at < at + WINDOW_MS - 50)
      ;(speaks ? during : otherwise)!.push(largest(at))
    }
  }
  return { event: area(during!, otherwise!), length: area(long!, short!) }
}

function area(a: readonly number[], b: readonly number[]): Interval | undefined {
  return a.length < 8 || b.length < 8 ? undefined : folded(auc(Float64Array.from(a), Float64Array.from(b)))
}
