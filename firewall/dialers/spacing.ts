/** Keeps beginnings apart. Several TLS handshakes to one host at the same moment are what programs do, and people's browsers seldom. */
import type { Millis } from '#protocol/bytes.ts'

export class Spacing {
  private readonly apartMs: Millis
  private readonly now: () => Millis
  private nextAt: Millis = Number.NEGATIVE_INFINITY

  /** `now` never goes back. */
  constructor(apartMs: Millis, now: () => Millis = () => performance.now()) {
    this.apartMs = apartMs
    this.now = now
  }

  /** Milliseconds until the next one may begin. */
  get wait(): Millis {
    return Math.max(0, this.nextAt - this.now())
  }

  /** Takes the next place; milliseconds until it. */
  take(): Millis {
    const at = Math.max(this.now(), this.nextAt)
    this.nextAt = at + this.apartMs
    return at - this.now()
  }
}
