/** Time and chance as the client's parts take them: real in the program, simulated in tests. */

import type { Millis, Random } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'

export interface Clockwork {
  readonly now: () => Millis
  readonly random: Random
  /** Calls `run` after `ms`; returns how to cancel. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Calls `run` after the work under way, so that what is written together travels together. */
  readonly soon: (run: () => void) => void
}

export const realClockwork: Clockwork = {
  now: () => Date.now(),
  random: randomBytes,
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  soon: (run) => {
    setImmediate(run)
  },
}
