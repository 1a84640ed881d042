/**
 * The sending half of a stream: octets written and not yet acknowledged, and which of them have to be sent (again).
 * Written chunks are kept by reference, not copied: the writer must not change them afterwards.
 */
import { RangeSet } from '../ranges.ts'

export interface Segment {
  readonly offset: number
  readonly length: number
  readonly end: boolean
}

export class SendBuffer {
  /** Highest offset the peer allows. */
  limit: number
  private chunks: Uint8Array[] = []
  /** Offset of the first octet still held. */
  private base = 0
  /** Offset of the next octet never sent. */
  private next = 0
  private written = 0
  private readonly acked = new RangeSet()
  private readonly lost = new RangeSet()
  private ended = false
  private endSent = false
  private endAcked = false

  constructor(limit: number) {
    this.limit = limit
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.chunks.push(bytes)
    this.written += bytes.length
  }

  end(): void {
    this.ended = true
  }

  get isEnded(): boolean {
    return this.ended
  }

  /** Octets written and not yet acknowledged. */
  get held(): number {
    return this.written - this.base
  }

  /** Octets ever put into a parcel: what the peer may have to account for. */
  get sent(): number {
    return this.next
  }

  get isDone(): boolean {
    return this.endAcked && this.base === this.written
  }

  /** Octets that could go out now; an outstanding end alone counts as one. `credit` bounds octets never sent before. */
  sendable(credit: number): number {
    let again = 0
    for (const [start, end] of this.lost.list()) again += end - start
    const fresh = Math.max(0, Math.min(this.written, this.limit, this.next + credit) - this.next)
    const endOnly = this.ended && !this.endSent && this.next + fresh === this.written ? 1 : 0
    return again + fresh + endOnly
  }

  /** Takes the next octets to send, at most `max`, lost ones first. */
  take(max: number, credit: number): Segment | undefined {
    const again = this.lost.first()
    if (again !== undefined) return this.takeLost(again[0], Math.min(again[1], again[0] + max))
    const stop = Math.min(this.written, this.limit, this.next + Math.min(max, credit))
    const offset = this.next
    const end = this.ended && stop === this.written
    if (stop <= offset && !(end && !this.endSent)) return undefined
    this.next = Math.max(offset, stop)
    if (end) this.endSent = true
    return { offset, length: this.next - offset, end }
  }

  private takeLost(start: number, stop: number): Segment | undefined {
    if (stop <= start) return undefined
    this.lost.remove(start, stop)
    const end = this.ended && stop === this.written
    if (end) this.endSent = true
    return { offset: start, length: stop - start, end }
  }

  /** Copies a taken segment out. */
  copy(offset: number, length: number, target: Uint8Array, at: number): void {
    let position = this.base
    for (const chunk of this.chunks) {
      const from = Math.max(offset, position)
      const to = Math.min(offset + length, position + chunk.length)
      if (from < to) target.set(chunk.subarray(from - position, to - position), at + from - offset)
      position += chunk.length
      if (position >= offset + length) return
    }
  }

  onAcked(segment: Segment): void {
    if (segment.end) this.endAcked = true
    const start = Math.max(segment.offset, this.base)
    const stop = segment.offset + segment.length
    this.acked.add(start, stop)
    this.lost.remove(start, stop)
    this.release(this.acked.reach(this.base))
  }

  onLost(segment: Segment): void {
    if (segment.end && !this.endAcked) this.endSent = false
    const start = Math.max(segment.offset, this.base)
    for (const [low, high] of this.acked.missing(start, segment.offset + segment.length)) this.lost.add(low, high)
  }

  private release(to: number): void {
    while (this.chunks.length > 0 && this.base + this.chunks[0]!.length <= to) this.base += this.chunks.shift()!.length
    if (this.base < to) {
      this.chunks[0] = this.chunks[0]!.subarray(to - this.base)
      this.base = to
    }
    this.acked.remove(0, this.base)
  }
}
