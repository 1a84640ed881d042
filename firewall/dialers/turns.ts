/**
 * When what a page asks for leaves. A page is a process of its own in Chromium: what its script asks for in one turn reaches the
 * network one after the other more often than all at once.
 */
import { randomInt } from 'node:crypto'

/**
 * Of ten first requests so many leave a millisecond later, the others with the next turn of the loop. On an idle machine that is
 * all there is to add: Chromium asks for the next thing 3 to 8 ms after an answer, and what a member does with one takes 5 to 7.
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
    if (randomInt(10) < LATER_IN_TEN) setTimeout(() => this.leave(), LATER_MS)
    else setImmediate(() => this.leave())
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
