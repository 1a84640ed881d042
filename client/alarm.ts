/** When the chat wants to be called next. */
import type { Clockwork } from './clockwork.ts'

/**
 * One timer, which rings from `begin` on: whoever opens the chat has shown it by then, where that is done in one go. A first
 * round through a thousand contacts takes half a second.
 */
export class Alarm {
  ring: (now: number) => void = () => {}
  /** The time set; undefined for never. */
  at: number | undefined
  private readonly listeners = new Set<() => void>()
  private readonly clockwork: Clockwork
  private cancel: (() => void) | undefined
  private begun = false

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
  }

  /** Replaces the time set before; undefined for never. */
  set(at: number | undefined): void {
    this.cancel?.()
    this.at = at
    if (at === undefined || !this.begun) this.cancel = undefined
    else this.cancel = this.clockwork.after(Math.max(0, at - this.clockwork.now()), () => this.sound())
  }

  begin(): void {
    this.begun = true
    this.set(this.at)
  }

  /** Called after every ring; returns how to stop. */
  onRing(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  private sound(): void {
    this.ring(this.clockwork.now())
    for (const listener of [...this.listeners]) listener()
  }
}
