/**
 * When Chromium gives a connection's window back (net/spdy, `IncreaseRecvWindowSize`): with what was read once that is more
 * than half of the window, or with anything once five seconds have gone by since the last time. Node waits for the half.
 */
import type { Millis } from '#protocol/bytes.ts'

const BUFFERED_MS = 5_000

export class ReceivedWindow {
  private readonly window: number
  private given: Millis
  private unread = 0

  /** @param window octets of the whole window; `now`: when the connection stands */
  constructor(window: number, now: Millis) {
    this.window = window
    this.given = now
  }

  /** So many octets of bodies were read. Returns the increment to say, 0 for none yet. */
  read(octets: number, now: Millis): number {
    this.unread += octets
    if (this.unread === 0 || (this.unread * 2 <= this.window && now - this.given < BUFFERED_MS)) return 0
    const increment = this.unread
    this.unread = 0
    this.given = now
    return increment
  }
}
