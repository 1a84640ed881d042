/**
 * When what a page asks for leaves. A page is a process of its own in Chromium: what its script asks for in one turn reaches the
 * network one after the other more often than all at once.
 */
import { randomInt } from 'node:crypto'

/** A first request leaves a millisecond later, and of ten so many leave a millisecond after that. */
const LATER_IN_TEN = 4
const LATER_MS = 1
/**
 * Milliseconds behind an answer within which nothing leaves: one of ten of Chromium's next requests leaves within 2.7 to 2.9 ms, a
 * quarter within 4.1 to 4.5 (320 pages of Chromium 156, `npm run -s lab -- detectors`); what a member does with an answer takes less.
 */
const AFTER_ANSWER_MS = [2.4, 4.4] as const
/** Of ten requests asked for beside another, so many leave behind the whole of that, so many milliseconds later. */
const APART_IN_TEN = 6
const APART_MS = 1

export class Turns {
  private readonly asked: (() => void)[] = []
  private isUnderWay = false
  private notBefore = Number.NEGATIVE_INFINITY

  /** An answer has come, whole. */
  answered(): void {
    const [from, to] = AFTER_ANSWER_MS
    this.notBefore = performance.now() + from + (randomInt(256) / 256) * (to - from)
  }

  /** Runs it with what else is asked for until then, in the order of asking. */
  add(run: () => void): void {
    this.asked.push(run)
    if (this.isUnderWay) return
    this.isUnderWay = true
    const later = LATER_MS * (randomInt(10) < LATER_IN_TEN ? 2 : 1)
    setTimeout(() => this.leave(), Math.max(later, this.notBefore - performance.now()))
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
