/**
 * When what a page asks for leaves. A page is a process of its own in Chromium: what its script asks for in one turn reaches the
 * network a few milliseconds after what caused it, all at once. A program that asks from within is quicker than any page.
 */
import { randomInt } from 'node:crypto'

/** Microseconds from asking to leaving: nine in ten of Chromium's next requests came 5.3 ms or more after an answer. */
const TURN_US = [3_500, 8_000] as const

export class Turns {
  private asked: (() => void)[] = []

  /** Runs it with what else is asked for until then, in the order of asking. */
  add(run: () => void): void {
    this.asked.push(run)
    if (this.asked.length > 1) return
    setTimeout(
      () => {
        for (const each of this.asked.splice(0)) each()
      },
      randomInt(...TURN_US) / 1000,
    )
  }
}
