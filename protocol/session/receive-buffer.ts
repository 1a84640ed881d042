/** The receiving half of a stream: puts octets in order, drops what came twice, and refuses what was never allowed. */
import { compact } from '../bytes.ts'
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
  /** Octets the owner has said it is done with, and of them those that the latest limit was told after. */
  private consumed = 0
  private granted = 0
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

  /** The peer has named its last octet, whether all of them are here or not. */
  get isEndKnown(): boolean {
    return this.final !== undefined
  }

  /** Fragments held out of order. */
  get fragmentCount(): number {
    return this.fragments.length
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
    if (stop <= this.next || data.length === 0) return []
    if (offset > this.next) return this.hold(offset, data) ? [] : undefined
    const out = [data.subarray(this.next - offset)]
    this.next = stop
    this.follow(out)
    return out
  }

  private consistentEnd(stop: number, end: boolean): boolean {
    if (this.final !== undefined) return end ? stop === this.final : stop <= this.final
    return !end || stop >= this.top
  }

  /** Keeps what is not held yet: the same octets sent again and again take no room. False beyond the limit. */
  private hold(offset: number, data: Uint8Array): boolean {
    const stop = offset + data.length
    let at = this.position(offset)
    let start = offset
    while (start < stop) {
      const held = this.fragments[at]
      const until = Math.min(stop, held?.offset ?? stop)
      if (start < until) {
        this.fragments.splice(at++, 0, { offset: start, data: compact(data.subarray(start - offset, until - offset)) })
        if (this.fragments.length > Limits.streamFragments) return false
      }
      start = held === undefined ? stop : Math.max(start, held.offset + held.data.length)
      at++
    }
    return true
  }

  /** Index of the first fragment that ends beyond `offset`. */
  private position(offset: number): number {
    let low = 0
    let high = this.fragments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const { offset: start, data } = this.fragments[middle]!
      if (start + data.length > offset) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Adds the fragments that have come to be in order. */
  private follow(out: Uint8Array[]): void {
    let used = 0
    for (const { offset, data } of this.fragments) {
      if (offset > this.next) break
      used++
      if (offset + data.length <= this.next) continue
      out.push(data.subarray(this.next - offset))
      this.next = offset + data.length
    }
    if (used > 0) this.fragments.splice(0, used)
  }

  /**
   * The stream is over, and ends at `final`: drops what is held and returns how many octets nobody has consumed. Once more
   * returns none.
   */
  discard(final: number): number {
    const left = final - this.consumed
    this.fragments = []
    this.next = final
    this.top = final
    this.consumed = final
    return left
  }

  /** The owner has consumed `octets`; returns a new limit to announce once that is a quarter of the first window. */
  consume(octets: number): number | undefined {
    this.consumed += octets
    if (this.final !== undefined || this.consumed - this.granted < Limits.streamWindow / 4) return undefined
    this.granted = this.consumed
    this.limit = this.consumed + Limits.streamWindowOpen
    return this.limit
  }
}
