/**
 * When what a page asks for leaves. A page is a process of its own in Chromium: what its script asks for in one turn reaches the
 * network a few milliseconds after what caused it, more often one after the other than all at once. A program that asks from
 * within is quicker than any page.
 */
import { randomInt } from 'node:crypto'

/** Microseconds from asking to leaving: nine in ten of Chromium's next requests came 5.3 ms or more after an answer. */
const TURN_US = [3_500, 8_000] as const
/** Of ten requests asked for beside another, so many leave behind the whole of that, so many milliseconds later. */
const APART_IN_TEN = 6
const APART_MS = 1

export class Turns {
  private readonly asked: (() => void)[] = []
  private isUnderWay = false

  /** Runs it with what else is asked for until then, in the order of asking. */
  add(run: () => void): void {
    this.asked.push(run)
    if (this.isUnderWay) return
    this.isUnderWay = true
    setTimeout(() => this.leave(), randomInt(...TURN_US) / 1000)
  }

  private leave(): void {
    for (;;) {
      this.asked.shift()?.()
      this.isUnderWay = this.asked.length > 0
      if (!this.isUnderWay) return
      if (randomInt(10) >= APART_IN_TEN) continue
      setTimeout(() => this.leave(), APART_MS)
      return
    }
  }
}
