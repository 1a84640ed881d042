/** The receiving half of a stream: puts octets in order, drops what came twice, and refuses what was never allowed. */
import { Limits } from '../constants.ts'

interface Fragment {
  readonly offset: number
  readonly data: Uint8Array
}

export class ReceiveBuffer {
  /** Highest offset the peer was allowed. */
  limit: number = Limits.streamWindow
  /** Offset of the next octet to deliver. */
  private next = 0
  /** Octets the owner has said it is done with. */
  private consumed = 0
  /** Highest offset seen: what counts against the session's window. */
  private top = 0
  private final: number | undefined
  /** Sorted by offset. */
  private fragments: Fragment[] = []

  get highest(): number {
    return this.top
  }

  get isDone(): boolean {
    return this.final !== undefined && this.next === this.final
  }

  /**
   * @returns the octets that are now in order (views, possibly none), or undefined where the peer broke a rule:
   *   beyond its window, beyond the end, a second end elsewhere, too many fragments
   */
  accept(offset: number, data: Uint8Array, end: boolean): Uint8Array[] | undefined {
    const stop = offset + data.length
    if (stop > this.limit || !this.consistentEnd(stop, end)) return undefined
    this.top = Math.max(this.top, stop)
    if (end) this.final = stop
    if (stop > this.next && data.length > 0) this.insert({ offset, data })
    return this.fragments.length > Limits.streamFragments ? undefined : this.ordered()
  }

  private consistentEnd(stop: number, end: boolean): boolean {
    if (this.final !== undefined) return end ? stop === this.final : stop <= this.final
    return !end || stop >= this.top
  }

  private insert(fragment: Fragment): void {
    let at = this.fragments.length
    while (at > 0 && this.fragments[at - 1]!.offset > fragment.offset) at--
    this.fragments.splice(at, 0, fragment)
  }

  private ordered(): Uint8Array[] {
    const out: Uint8Array[] = []
    let used = 0
    for (const { offset, data } of this.fragments) {
      if (offset > this.next) break
      used++
      if (offset + data.length <= this.next) continue
      out.push(data.subarray(this.next - offset))
      this.next = offset + data.length
    }
    if (used > 0) this.fragments.splice(0, used)
    return out
  }

  /** The stream was cut at `final`: drops what is held and returns how many octets were never delivered. */
  discard(final: number): number {
    const undelivered = final - this.next
    this.fragments = []
    this.next = final
    return undelivered
  }

  /** The owner has consumed `octets`; returns a new limit to announce once half the window is used up. */
  consume(octets: number): number | undefined {
    this.consumed += octets
    if (this.final !== undefined || this.limit - this.consumed > Limits.streamWindow / 2) return undefined
    this.limit = this.consumed + Limits.streamWindow
    return this.limit
  }
}
