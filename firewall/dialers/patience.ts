/**
 * How long one request waits: for its answer to begin, as long as octets come; then for its end. The first piece of an answer is
 * a whole record of TLS, 16 kB at the most, which takes seconds on a slow link, and slow is not lost.
 */

/** Milliseconds that are added while octets still come. Short: what breaks off in the middle has to be noticed. */
const COMING_MS = 1_000

export interface PatienceInput {
  /** Milliseconds until the answer has to begin, and as many from then on; also the most that octets which come may add. */
  readonly timeoutMs: number
  readonly answerMs: number
  /** Octets that have come on the connection of this request alone. */
  readonly heard: () => number
  readonly late: () => void
}

export class Patience {
  private readonly input: PatienceInput
  private timer: NodeJS.Timeout | undefined
  private before = 0
  private graces = 0

  constructor(input: PatienceInput) {
    this.input = input
  }

  /** It has a connection, or one that is coming about. Before, it waits in line as long as others take. */
  carried(): void {
    this.wait(this.input.timeoutMs, () => this.check())
  }

  /** The request leaves: what has come until now is no answer. */
  started(): void {
    this.before = this.input.heard()
  }

  begun(): void {
    this.wait(this.input.answerMs, this.input.late)
  }

  end(): void {
    clearTimeout(this.timer)
  }

  private check(): void {
    const { heard, answerMs, late } = this.input
    const now = heard()
    if (now <= this.before || ++this.graces * COMING_MS > answerMs) return late()
    this.before = now
    this.wait(COMING_MS, () => this.check())
  }

  private wait(ms: number, then: () => void): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(then, ms)
  }
}
