/** A clock that moves only when told: events in order of time, with the micro-tasks of each done before the next. */

interface Event {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

export class VirtualTime {
  now: number
  private events: Event[] = []
  private order = 0

  constructor(start = 1_700_000_000_000) {
    this.now = start
  }

  /** Runs `run` after `ms`; returns how to cancel. */
  after = (ms: number, run: () => void): (() => void) => {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.order++, run }
    this.events.push(event)
    return () => {
      event.run = undefined
    }
  }

  /** Events still to come. */
  get pending(): number {
    return this.events.filter(({ run }) => run !== undefined).length
  }

  /** Runs events until `done()`, nothing is left, or `limit` milliseconds have passed. */
  async run(done: () => boolean, limit: number): Promise<void> {
    const end = this.now + limit
    await settle()
    while (!done()) {
      const event = this.takeNext(end)
      if (event === undefined) {
        this.now = end
        return
      }
      this.now = event.at
      event.run?.()
      await settle()
    }
  }

  private takeNext(end: number): Event | undefined {
    if (this.events.length === 0) return undefined
    let best = 0
    for (let i = 1; i < this.events.length; i++) {
      const a = this.events[i]!
      const b = this.events[best]!
      if (a.at < b.at || (a.at === b.at && a.order < b.order)) best = i
    }
    return this.events[best]!.at > end ? undefined : this.events.splice(best, 1)[0]
  }
}

/** Lets all promises that can settle without time do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
