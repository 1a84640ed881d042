/**
 * Things said in polls that may be held for long: whether they have arrived is known only when the poll ends, or when
 * something else is answered. Asks in time, and doubts the path where the answer does not come.
 */
import type { Shared } from './input.ts'

export class Doubts {
  private readonly shared: Shared
  private readonly probe: () => void
  /** By number: how to stop waiting for a sign. */
  private readonly unsure = new Map<number, () => void>()

  /** @param probe begins an exchange for the sake of its answer, where the rhythm lets it */
  constructor(shared: Shared, probe: () => void) {
    this.shared = shared
    this.probe = probe
  }

  /** The parcel of this number waits for a sign that it has arrived. */
  begin(number: number): void {
    const { clockwork, path, attire } = this.shared
    const half = path.patience / 2
    const ask = (): void => {
      const wait = attire.rhythm.sendAt - clockwork.now()
      if (wait > 0) return void this.unsure.set(number, clockwork.after(wait, ask))
      this.unsure.set(
        number,
        clockwork.after(half, () => path.doubt()),
      )
      if (path.works) this.probe()
    }
    this.unsure.set(number, clockwork.after(half, ask))
  }

  /** The gateway has it. */
  settle(number: number): void {
    this.unsure.get(number)?.()
    this.unsure.delete(number)
  }

  /** What was said under one number goes on under another. */
  renumber(before: number, after: number): void {
    if (!this.unsure.has(before)) return
    this.settle(before)
    this.begin(after)
  }

  end(): void {
    for (const cancel of this.unsure.values()) cancel()
  }
}
