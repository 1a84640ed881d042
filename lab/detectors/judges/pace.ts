/**
 * How long a client takes from what came to what it says next: what a browser's page is known by, and what a client of ours has to
 * take as long for. Seen at its own device, where nothing lies between.
 */
import { quantile } from '../../../scripts/bench/report.ts'
import { RecordType } from '../capture/records.ts'
import type { SeenConnection, Session } from '../capture/session.ts'

/** The end of the handshake after the server's part of it, what comes behind that, and what is asked first, second and third of a page. */
export const STEPS = ['finished', 'preface', 'shown', 'first', 'second'] as const
export type Step = (typeof STEPS)[number]

/** Milliseconds, of quantiles 0.05, 0.15 and so on to 0.95: each stands for a tenth of all. */
export type Pace = Readonly<Record<Step, readonly number[]>>

export function paceOf(sessions: readonly Session[]): Pace {
  const times = sessions.map(timesOf)
  const of = (step: Step): number[] => {
    const all = times.map((each) => each[step]).filter(Number.isFinite)
    return Array.from({ length: 10 }, (_, tenth) => quantile(all, tenth / 10 + 0.05))
  }
  return Object.fromEntries(STEPS.map((step) => [step, of(step)])) as Record<Step, number[]>
}

function timesOf({ connections }: Session): Readonly<Record<Step, number>> {
  const exchanges = connections.flatMap((each) => each.exchanges).toSorted((a, b) => a.askedAt - b.askedAt)
  const after = (at: number): number => (exchanges[at]?.askedAt ?? Number.NaN) - (exchanges[at - 1]?.answeredAt ?? 0)
  const [first] = connections
  const begin = first === undefined ? [Number.NaN, Number.NaN] : beginOf(first)
  return { finished: begin[0]!, preface: begin[1]!, shown: after(1), first: after(2), second: after(3) }
}

function beginOf({ records }: SeenConnection): number[] {
  const ups = records.filter(({ up, type }) => up && type === RecordType.data)
  const [finished, preface] = ups
  const last = records.findLast(({ up, at }) => !up && finished !== undefined && at <= finished.at)
  if (finished === undefined || preface === undefined || last === undefined) return [Number.NaN, Number.NaN]
  return [finished.at - last.at, preface.at - finished.at]
}
