/**
 * When what a page asks for leaves. A page is a process of its own in Chromium: what its script asks for in one turn reaches the
 * network one after the other more often than all at once.
 */
import { randomInt } from 'node:crypto'

/**
 * A first request leaves a millisecond later, and of ten so many leave a millisecond after that. A quarter of Chromium's next requests
 * after an answer leave within 2.7 to 4.1 ms on an idle machine; what a member does with one takes less.
 */
const LATER_IN_TEN = 4
const LATER_MS = 1
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
    setTimeout(() => this.leave(), LATER_MS * (randomInt(10) < LATER_IN_TEN ? 2 : 1))
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
