/** What is known of the way to one gateway: round-trip time, whether it works now, how long to rest after a failure. */
import type { Millis } from '#protocol/bytes.ts'
import type { Clockwork } from './clockwork.ts'

/** Shortest and longest rest after failures, milliseconds. A minute-long tunnel of a train must not cost a minute after it. */
const REST_FIRST = 200
const REST_MOST = 8_000
/** Taken where nothing was measured yet, and the most a sample counts for, milliseconds. */
const RTT_UNKNOWN = 500
const RTT_MOST = 10_000
/** Loss is noticed after max(3 s, 4 RTT). */
const PATIENCE_LEAST = 3_000

export class Path {
  private readonly clockwork: Clockwork
  private readonly changed: (path: Path) => void
  private failures = 0
  private roundTrip: number | undefined
  private readonly sleepers = new Set<() => void>()
  /** The latest failure; undefined while the path works. */
  error: unknown
  /** When it began to work or to fail. */
  since: Millis

  constructor(clockwork: Clockwork, changed: (path: Path) => void) {
    this.clockwork = clockwork
    this.changed = changed
    this.since = clockwork.now()
  }

  get works(): boolean {
    return this.failures === 0
  }

  /** Smoothed round-trip time of exchanges that were answered at once, milliseconds. */
  get rtt(): number {
    return this.roundTrip ?? RTT_UNKNOWN
  }

  /** Milliseconds without an answer after which an exchange counts as failed, hold time not included. */
  get patience(): number {
    return Math.max(PATIENCE_LEAST, 4 * this.rtt)
  }

  /** An exchange was answered after `elapsed`, of which it may have been held for up to `hold`. */
  worked(elapsed: number, hold: number): void {
    if (hold === 0 || elapsed < hold / 2) this.measured(elapsed)
    if (this.failures === 0) return
    this.failures = 0
    this.error = undefined
    this.since = this.clockwork.now()
    for (const wake of [...this.sleepers]) wake()
    this.changed(this)
  }

  private measured(elapsed: number): void {
    const sample = Math.min(elapsed, RTT_MOST)
    this.roundTrip = this.roundTrip === undefined ? sample : this.roundTrip + (sample - this.roundTrip) / 8
  }

  failed(error: unknown): void {
    if (this.failures++ === 0) this.since = this.clockwork.now()
    this.error = error
    this.changed(this)
  }

  /** Waits before the next try: longer with every failure, with jitter, and no longer than until the path works again. */
  rest(signal: AbortSignal): Promise<void> {
    const most = Math.min(REST_MOST, REST_FIRST * 2 ** Math.min(this.failures, 10))
    const jitter = this.clockwork.random(1)[0]! / 255
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        this.sleepers.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const cancel = this.clockwork.after(most * (0.5 + jitter / 2), wake)
      this.sleepers.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  /** The network changed or the person asked: try again now. */
  wakeAll(): void {
    for (const wake of [...this.sleepers]) wake()
  }
}
