/** Credit of a session over all its streams: what may still be sent, and what may still come. Octets. Spec section 7. */
import { Limits } from '../constants.ts'

export class SessionWindow {
  private sendLimit: number = Limits.sessionWindow
  private sent = 0
  private receiveLimit: number = Limits.sessionWindow
  private received = 0
  private consumed = 0
  /** Consumed when the latest limit was told. */
  private granted = 0

  /** What may be sent beside what was. */
  get credit(): number {
    return Math.max(0, this.sendLimit - this.sent)
  }

  /** Up to which the peer may send. */
  get limit(): number {
    return this.receiveLimit
  }

  /** Came and was not taken by who reads the streams. */
  get unread(): number {
    return this.received - this.consumed
  }

  spend(octets: number): void {
    this.sent += octets
  }

  raise(limit: number): void {
    this.sendLimit = Math.max(this.sendLimit, limit)
  }

  /** False where the peer went beyond its limit. */
  receive(octets: number): boolean {
    this.received += Math.max(0, octets)
    return this.received <= this.receiveLimit
  }

  /** True where there is a new limit to tell. */
  consume(octets: number): boolean {
    this.consumed += octets
    if (this.consumed - this.granted < Limits.sessionWindow / 4) return false
    this.granted = this.consumed
    this.receiveLimit = this.consumed + Limits.sessionWindowOpen
    return true
  }
}
