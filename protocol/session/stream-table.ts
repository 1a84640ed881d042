/**
 * Which streams a session has: those of this side, begun and waiting, those that the peer opens, and those that were cut here
 * and whose end the peer has not named yet. Spec section 7.
 */
import { Limits } from '../constants.ts'
import type { StreamOwner } from './stream.ts'
import { Priority, Stream } from './stream.ts'

export type Role = 'client' | 'gateway'

/**
 * Streams of this side that may have begun and not be over. The peer counts up to `Limits.streams`: the rest is for those that
 * are over here, of which it has not heard yet.
 */
const OWN_STREAMS = Limits.streams / 2
/** Of a stream whose turn has not come. */
const UNNUMBERED = -1

export class StreamTable {
  readonly control: Stream
  private readonly owner: StreamOwner
  private readonly begun = new Map<number, Stream>()
  private nextOwn: number
  private nextPeer: number
  private own = 0
  /** Opened by this side; the peer knows nothing of them yet. */
  private waiting: Stream[] = []
  /** Octets counted so far of streams that were cut here. */
  private cut: Map<number, number> | undefined

  constructor(role: Role, owner: StreamOwner) {
    this.owner = owner
    this.control = new Stream(0, Priority.control, Limits.streamWindow, owner)
    this.begun.set(0, this.control)
    this.nextOwn = role === 'client' ? 2 : 1
    this.nextPeer = role === 'client' ? 1 : 2
  }

  /** Of those that have begun. */
  get size(): number {
    return this.begun.size
  }

  get(id: number): Stream | undefined {
    return this.begun.get(id)
  }

  /** Those that have begun. */
  values(): Iterable<Stream> {
    return this.begun.values()
  }

  /** Those that wait as well. */
  all(): Stream[] {
    return [...this.begun.values(), ...this.waiting]
  }

  /** A stream of this side that nobody else knows. */
  make(priority: Priority): Stream {
    return new Stream(UNNUMBERED, priority, Limits.streamWindow, this.owner)
  }

  /** Where this side has many streams already, the new one begins when others are over. */
  add(stream: Stream): void {
    this.waiting.push(stream)
    this.beginWaiting()
  }

  /** Numbers are given here and not before: the peer takes a number for the opening of all lower ones. */
  private beginWaiting(): void {
    while (this.own < OWN_STREAMS && this.waiting.length > 0) {
      const stream = this.waiting.shift()!
      stream.id = this.nextOwn
      this.nextOwn += 2
      this.own++
      this.begun.set(stream.id, stream)
    }
  }

  /** True where the peer has to hear that it is cut. */
  hasBegun({ id }: Stream): boolean {
    return this.begun.has(id)
  }

  /** The stream is over. True where others begin in its place. */
  remove(stream: Stream): boolean {
    if (!this.begun.delete(stream.id)) {
      this.waiting = this.waiting.filter((other) => other !== stream)
      return false
    }
    if (stream.id === 0 || stream.id % 2 !== this.nextOwn % 2) return false
    this.own--
    if (this.waiting.length === 0) return false
    this.beginWaiting()
    return true
  }

  /** No stream begins any more. */
  close(): void {
    this.own = Number.POSITIVE_INFINITY
  }

  /**
   * The stream of a frame; opens it, and those before it, where it is a new one of the peer's. undefined for one that is over,
   * for one that never was, and where the peer has too many.
   */
  incoming(id: number, opened: (stream: Stream) => void): Stream | undefined {
    const known = this.begun.get(id)
    if (known !== undefined || id < this.nextPeer || id % 2 !== this.nextPeer % 2) return known
    while (this.nextPeer <= id) {
      if (this.begun.size + (this.cut?.size ?? 0) > Limits.streams) return undefined
      const stream = new Stream(this.nextPeer, Priority.normal, Limits.streamWindow, this.owner)
      this.begun.set(stream.id, stream)
      this.nextPeer += 2
      opened(stream)
    }
    return this.begun.get(id)
  }

  /** A frame of a stream that is over is harmless; one of a stream that never was is not. */
  wasOpened(id: number): boolean {
    return id % 2 === this.nextPeer % 2 ? id < this.nextPeer : id < this.nextOwn
  }

  /** The stream is cut here: what still comes of it counts until the peer names its end. */
  cutHere({ id, receiving }: Stream): void {
    if (receiving.isEndKnown) return
    this.cut ??= new Map()
    this.cut.set(id, receiving.highest)
  }

  /** Octets that count beside those before, of a frame of a stream that is over and goes up to `stop`. */
  afterCut(id: number, stop: number, end: boolean): number {
    const counted = this.cut?.get(id)
    if (counted === undefined) return 0
    if (end) this.cut!.delete(id)
    else this.cut!.set(id, Math.max(counted, stop))
    return Math.max(0, stop - counted)
  }
}
