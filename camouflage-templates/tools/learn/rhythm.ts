/** Hold, concurrency and think time out of the times of the recording. */
import type { TemplateData } from '#engine/template.ts'
import type { Exchange } from './har.ts'
import type { Notebook } from './notebook.ts'

/** An answer that takes this long was waited for, milliseconds. */
const WAITED = 1_000
/** The engine's least hold, the gateway's most, milliseconds. */
const HOLD_LEAST = 1_000
const HOLD_MOST = 50_000
const CONNECTIONS = 6

export interface Times {
  /** Milliseconds from an answer to the next request. */
  readonly p10: number
  readonly p50: number
  readonly p90: number
}

export function quantileOf(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0
}

export function timesOf(values: readonly number[]): Times {
  const at = (q: number): number => Math.round(quantileOf(values, q))
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) }
}

/** `polls`: exchanges of the route that is polled; `used`: of all routes that the template uses. */
export function learnRhythm(
  polls: readonly Exchange[],
  used: readonly Exchange[],
  notebook: Notebook,
): TemplateData['rhythm'] {
  const waits = polls.map(({ waitMs }) => waitMs).filter((ms) => ms >= WAITED)
  const holdMs = learnHold(waits, polls.length, notebook)
  const held = waits.length === 0 ? 1 : Math.min(3, mostAtOnce(polls))
  return { holdMs, concurrency: Math.max(held + 1, Math.min(CONNECTIONS, mostAtOnce(used))), polls: held }
}

function learnHold(waits: readonly number[], polls: number, notebook: Notebook): [number, number] {
  if (waits.length < polls / 4 || waits.length === 0) {
    const what = 'no answer of the polled route was waited for: polls are held for 1 to 1.3 s, the least there is'
    notebook.note('open', 'rhythm', what)
    return [HOLD_LEAST, 1_300]
  }
  const from = Math.min(HOLD_MOST - 10_000, Math.max(HOLD_LEAST, Math.round(quantileOf(waits, 0.1))))
  const to = Math.min(HOLD_MOST, Math.round(quantileOf(waits, 0.9)))
  const spread = Math.round(1.2 * from)
  if (to < spread) notebook.note('open', 'rhythm', 'the recorded holds are nearly equal: they are spread by a fifth')
  return [from, Math.max(to, spread)]
}

/** Exchanges open at the same time, at the most. */
export function mostAtOnce(exchanges: readonly Exchange[]): number {
  const events = exchanges.flatMap(({ began, ended }) => [[began, 1] as const, [ended, -1] as const])
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  let open = 0
  let most = 1
  for (const [, step] of events) {
    open += step
    most = Math.max(most, open)
  }
  return most
}

/** From each answer to the next request of the same route, where they do not overlap. */
export function thinkTimes(exchanges: readonly Exchange[]): number[] {
  return exchanges.slice(1).flatMap((each, at) => {
    const pause = each.began - exchanges[at]!.ended
    return pause >= 0 ? [pause] : []
  })
}
