/** What the processes of the lab say to each other: lines of JSON on standard output. */
import type { Tried } from './attempt.ts'

/**
 * Where an attempt is made. `open`: nothing guards (to see that attempts are real); `core`: the core of a client; `broker`: a
 * process that is locked down; `kernel`: a process that only the kernel binds.
 */
export type Place = 'open' | 'core' | 'broker' | 'kernel' | 'dependency' | 'answers' | 'environment'

export interface TriedLine extends Tried {
  readonly place: Place
  /** Events that were told of it. */
  readonly told: number
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly to: number
}

/** Prints attempts as they end. `told` counts the events since the last call. */
export function printer(place: Place, told: () => number | Promise<number>): (tried: Tried) => Promise<void> {
  let from = Date.now()
  return async (tried) => {
    const line: TriedLine = { ...tried, place, told: await told(), from, to: Date.now() }
    process.stdout.write(`${JSON.stringify(line)}\n`)
    from = Date.now()
  }
}

/** How the permitted exchanges went that were made meanwhile. */
export interface ExchangeLine {
  readonly place: Place
  readonly exchanges: number
  readonly failed: number
}
