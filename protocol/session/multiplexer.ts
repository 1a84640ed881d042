/**
 * Streams over parcels: fills the parcels of one side, takes in those of the other, and remembers what each sent parcel
 * held until its fate is known. Knows exchanges by number, and neither keys nor HTTP. Spec sections 6 and 7.
 */
import { Limits } from '../constants.ts'
import type { Range } from '../ranges.ts'
import { RangeSet } from '../ranges.ts'
import { varintLength } from '../varint.ts'
import type { Frame, PackPointer } from './frames.ts'
import { BodyWriter, CloseCode, decodeBody, FrameType } from './frames.ts'
import type { Segment } from './send-buffer.ts'
import type { StreamOwner } from './stream.ts'
import { Priority, Stream } from './stream.ts'

interface SentSegment extends Segment {
  readonly stream: Stream
}

/** What one sent parcel held, so that it can be sent again or forgotten. */
interface Sent {
  readonly segments: SentSegment[]
  readonly windows: Stream[]
  readonly resets: Reset[]
  readonly lost: number[]
  readonly acks: readonly Range[]
  sessionWindow: boolean
  /** Sequence of the pack pointer. */
  pointer: number | undefined
}

interface Reset {
  readonly id: number
  readonly final: number
  readonly code: number
}

export type Role = 'client' | 'gateway'

/**
 * Streams of this side that may have begun and not be over. The peer counts up to `Limits.streams`: the rest is for those that
 * are over here, of which it has not heard yet.
 */
const OWN_STREAMS = Limits.streams / 2
/** Of a stream whose turn has not come. */
const UNNUMBERED = -1

export interface MultiplexerEvents {
  /** The peer opened a stream. Set its handlers before returning. */
  stream?(stream: Stream): void
  /** Something became sendable. */
  wake?(): void
  /** The session is over: by the peer, by a broken rule, or by `close`. */
  closed?(code: number): void
  /** The client will never see the answer of this exchange. */
  abandoned?(number: number): void
  /** A parcel that this side sent has arrived. */
  acknowledged?(number: number): void
  /** Client: which pack the gateway wants it to use. */
  pointed?(pointer: PackPointer): void
}

/** What an accepted parcel asked for besides stream data. */
export interface Accepted {
  /** Milliseconds the client is ready to wait; undefined: answer at once. */
  readonly hold: number | undefined
}

export class Multiplexer implements StreamOwner {
  /** Service streams may be sent; before that only the control stream. */
  ready = false
  readonly control: Stream
  /** Streams that this side has opened for something large. */
  bulkOpened = 0
  private readonly events: MultiplexerEvents
  private readonly streams = new Map<number, Stream>()
  private readonly sent = new Map<number, Sent>()
  /** Exchanges whose parcels arrived and whose arrival the peer may not know yet. */
  private readonly arrived = new RangeSet()
  private readonly role: Role
  private nextOwn: number
  private nextPeer: number
  /** Opened by this side; the peer knows nothing of them yet. */
  private waiting: Stream[] = []
  private ownStreams = 0
  private turn = 0

  private sendLimit: number = Limits.sessionWindow
  private sentTotal = 0
  private receiveLimit: number = Limits.sessionWindow
  private receivedTotal = 0
  private consumedTotal = 0
  /** Consumed when the latest limit of the session was told. */
  private grantedTotal = 0

  /** Each once. */
  private dueWindows: Stream[] = []
  private dueSessionWindow = false
  private dueResets: Reset[] = []
  private dueLost: number[] = []
  /** Resets due or under way: what the peer has made us say and not heard yet. */
  private openResets = 0
  private closeCode: number | undefined
  /** Gateway: the newest one said. Client: sequence of the newest one heard. Answers overtake each other. */
  private pointer: PackPointer | undefined
  private pointerSequence = 0
  private pointerDue = false
  /** Streams cut from this side whose end the peer has not named yet, with the octets counted so far. */
  private cutStreams: Map<number, number> | undefined

  constructor(role: Role, events: MultiplexerEvents) {
    this.role = role
    this.events = events
    this.control = new Stream(0, Priority.control, Limits.streamWindow, this)
    this.streams.set(0, this.control)
    this.nextOwn = role === 'client' ? 2 : 1
    this.nextPeer = role === 'client' ? 1 : 2
  }

  get isClosed(): boolean {
    return this.closeCode !== undefined
  }

  /** Parcels whose fate is open. */
  get unacknowledged(): number {
    return this.sent.size
  }

  get streamCount(): number {
    return this.streams.size
  }

  /** Where this side has many streams already, the new one begins when others are over. */
  open(priority: Priority): Stream {
    if (priority === Priority.bulk) this.bulkOpened++
    const stream = new Stream(UNNUMBERED, priority, Limits.streamWindow, this)
    if (this.isClosed) queueMicrotask(() => stream.cut(CloseCode.gone))
    else {
      this.waiting.push(stream)
      this.beginWaiting()
    }
    return stream
  }

  /** Numbers are given here and not before: the peer takes a number for the opening of all lower ones. */
  private beginWaiting(): void {
    while (this.ownStreams < OWN_STREAMS && this.waiting.length > 0 && !this.isClosed) {
      const stream = this.waiting.shift()!
      stream.id = this.nextOwn
      this.nextOwn += 2
      this.ownStreams++
      this.streams.set(stream.id, stream)
    }
  }

  // ---- sending -------------------------------------------------------------------------------------------------------

  /** Octets worth sending now, of streams up to priority `most`; stops counting at `enough`. */
  pending(enough: number, most: Priority = Priority.bulk): number {
    let octets = this.dueLost.length * 9 + this.dueResets.length * 20 + this.dueWindows.length * 13
    if (this.dueSessionWindow) octets += 9
    if (this.closeCode !== undefined) return octets + 2
    for (const stream of this.streams.values()) {
      if (octets >= enough) break
      if (stream.priority > most || !this.mayCarry(stream, this.ready)) continue
      const bytes = stream.sending.sendable(this.credit)
      if (bytes > 0) octets += bytes + headLength(stream.id, stream.sending.sent, bytes)
    }
    return octets
  }

  /** True where something waits that is not bulk: it should not wait for the end of a large transfer. */
  get urgent(): boolean {
    if (this.speaks) return true
    return this.dueLost.length > 0 || this.dueResets.length > 0 || this.dueWindows.length > 0 || this.dueSessionWindow
  }

  /** True where a stream that is not bulk has something to say: beside it, credit for a file can wait for what goes next. */
  get speaks(): boolean {
    if (this.closeCode !== undefined) return true
    for (const stream of this.streams.values()) {
      if (stream.priority === Priority.bulk || !this.mayCarry(stream, this.ready)) continue
      if (stream.sending.sendable(this.credit) > 0) return true
    }
    return false
  }

  private get credit(): number {
    return Math.max(0, this.sendLimit - this.sentTotal)
  }

  private mayCarry(stream: Stream, services: boolean): boolean {
    return services || stream.id === 0
  }

  /**
   * Fills the body of the parcel of exchange `number`. `services` false: control stream only (keys not yet hybrid).
   * `hold`: the client's patience for the answer, milliseconds.
   */
  build(number: number, length: number, services: boolean, hold?: number): Uint8Array {
    const { writer, sent } = this.begin(number, length)
    if (hold !== undefined) writer.numbers(FrameType.hold, hold)
    if (this.closeCode !== undefined) writer.numbers(FrameType.close, this.closeCode)
    else this.fill(writer, sent, services)
    this.sent.set(number, sent)
    return writer.finish()
  }

  /** As `build`, with acknowledgements and nothing else. */
  buildBare(number: number, length: number): Uint8Array {
    const { writer, sent } = this.begin(number, length)
    this.sent.set(number, sent)
    return writer.finish()
  }

  private begin(number: number, length: number): { readonly writer: BodyWriter; readonly sent: Sent } {
    if (this.sent.has(number)) throw new RangeError(`exchange ${number} has its parcel already`)
    const writer = new BodyWriter(length)
    const ranges = this.arrived.list()
    const acks = ranges.slice(0, writer.acks(ranges))
    const none = { segments: [], windows: [], resets: [], lost: [] }
    return { writer, sent: { ...none, acks, sessionWindow: false, pointer: undefined } }
  }

  private fill(writer: BodyWriter, sent: Sent, services: boolean): void {
    this.fillLost(writer, sent)
    this.fillResets(writer, sent)
    this.fillWindows(writer, sent)
    if (services) this.fillPointer(writer, sent)
    for (const stream of this.inOrder(services)) this.fillStream(writer, sent, stream)
  }

  private fillLost(writer: BodyWriter, sent: Sent): void {
    while (this.dueLost.length > 0 && writer.numbers(FrameType.lost, this.dueLost[0]!))
      sent.lost.push(this.dueLost.shift()!)
  }

  private fillResets(writer: BodyWriter, sent: Sent): void {
    for (let reset = this.dueResets[0]; reset !== undefined; reset = this.dueResets[0]) {
      if (!writer.numbers(FrameType.reset, reset.id, reset.final, reset.code)) return
      sent.resets.push(reset)
      this.dueResets.shift()
    }
  }

  private fillWindows(writer: BodyWriter, sent: Sent): void {
    if (this.dueSessionWindow && writer.numbers(FrameType.sessionWindow, this.receiveLimit)) {
      sent.sessionWindow = true
      this.dueSessionWindow = false
    }
    for (let stream = this.dueWindows[0]; stream !== undefined; stream = this.dueWindows[0]) {
      if (!writer.numbers(FrameType.window, stream.id, stream.receiving.limit)) return
      sent.windows.push(stream)
      this.dueWindows.shift()
    }
  }

  private fillPointer(writer: BodyWriter, sent: Sent): void {
    if (!this.pointerDue || !writer.pointer(this.pointerSequence, this.pointer!)) return
    sent.pointer = this.pointerSequence
    this.pointerDue = false
  }

  /**
   * Gateway: tells the client which pack to use, in whichever parcel goes next. It wakes nobody: a thousand held exchanges
   * that are answered at one moment would say that something has happened here.
   */
  point(pointer: PackPointer): void {
    this.pointer = pointer
    this.pointerSequence++
    this.pointerDue = true
  }

  /** By priority; among equals a different one begins each time. */
  private inOrder(services: boolean): Stream[] {
    const all = [...this.streams.values()].filter((stream) => this.mayCarry(stream, services))
    const turn = this.turn++ % Math.max(1, all.length)
    const rotated = [...all.slice(turn), ...all.slice(0, turn)]
    return rotated.sort((a, b) => a.priority - b.priority)
  }

  private fillStream(writer: BodyWriter, sent: Sent, stream: Stream): void {
    for (;;) {
      const before = stream.sending.sent
      const room = writer.streamRoom(stream.id, before)
      if (room <= 0) return
      const segment = stream.sending.take(room, this.credit)
      if (segment === undefined) return
      this.sentTotal += stream.sending.sent - before
      const { offset, length, end } = segment
      writer.stream(stream.id, offset, length, end, (target, at) => stream.sending.copy(offset, length, target, at))
      sent.segments.push({ ...segment, stream })
    }
  }

  /** The parcel of exchange `number` that this side sent has arrived. */
  acknowledge(number: number): void {
    const sent = this.sent.get(number)
    if (sent === undefined) return
    this.sent.delete(number)
    this.openResets -= sent.resets.length
    for (const [start, end] of sent.acks) this.arrived.remove(start, end)
    this.forgetArrival(number)
    for (const segment of sent.segments) {
      segment.stream.sending.onAcked(segment)
      segment.stream.onDrain?.()
      segment.stream.settle()
    }
    this.events.acknowledged?.(number)
  }

  /** Who has the answer of a request, or wants none, need not be told that the request arrived. */
  private forgetArrival(number: number): void {
    if (this.role === 'gateway') this.arrived.remove(number, number + 1)
  }

  /** The parcel of exchange `number` will never arrive: what it held is due again. */
  lose(number: number): void {
    const sent = this.sent.get(number)
    if (sent === undefined) return
    this.sent.delete(number)
    for (const segment of sent.segments) if (!segment.stream.isClosed) segment.stream.sending.onLost(segment)
    for (const stream of sent.windows) if (!stream.isClosed) this.windowDue(stream)
    this.dueResets.push(...sent.resets)
    this.dueLost.push(...sent.lost)
    if (sent.sessionWindow) this.dueSessionWindow = true
    if (sent.pointer === this.pointerSequence) this.pointerDue = true
  }

  /** Client: tell the gateway that the answer of `number` will never be seen. */
  sayLost(number: number): void {
    this.dueLost.push(number)
    this.events.wake?.()
  }

  // ---- receiving -----------------------------------------------------------------------------------------------------

  /**
   * Takes in the body of the parcel of exchange `number`. `services` false: it came under keys that may carry the
   * control stream only. undefined where the peer broke a rule or closed: the session is over.
   */
  accept(number: number, body: Uint8Array, services: boolean): Accepted | undefined {
    if (this.isClosed) return undefined
    const decoded = decodeBody(body)
    if (decoded === undefined) return this.violation()
    this.arrived.add(number, number + 1)
    for (const range of decoded.acks) this.acceptAcks(range)
    let hold: number | undefined
    for (const frame of decoded.frames) {
      if (frame.kind === 'hold') hold = frame.ms
      else if (frame.kind === 'lost' && frame.number === number) return this.violation()
      else if (!this.acceptFrame(frame, services)) return this.violation()
      if (this.isClosed) return undefined
    }
    if (this.openResets > Limits.resets) this.close(CloseCode.limit)
    return { hold }
  }

  private violation(): undefined {
    this.close(CloseCode.protocol)
    return undefined
  }

  private acceptAcks([start, end]: Range): void {
    for (const number of [...this.sent.keys()]) if (number >= start && number < end) this.acknowledge(number)
  }

  private acceptFrame(frame: Exclude<Frame, { kind: 'hold' }>, services: boolean): boolean {
    switch (frame.kind) {
      case 'stream':
        return (services || frame.id === 0) && this.acceptStream(frame)
      case 'window':
        return this.acceptWindow(frame.id, frame.max)
      case 'sessionWindow':
        this.sendLimit = Math.max(this.sendLimit, frame.max)
        this.events.wake?.()
        return true
      case 'reset':
        return this.acceptReset(frame)
      case 'lost':
        return this.acceptLost(frame.number)
      case 'close':
        this.finish(frame.code)
        return true
      case 'packPointer':
        return this.acceptPointer(frame, services)
    }
  }

  private acceptStream(frame: Extract<Frame, { kind: 'stream' }>): boolean {
    const stream = this.incoming(frame.id)
    const stop = frame.offset + frame.data.length
    if (stream === undefined) return this.wasOpened(frame.id) && this.bury(frame.id, stop, frame.end)
    if (!this.account(stop - stream.receiving.highest)) return false
    const before = stream.receiving.fragmentCount
    if (!stream.accept(frame.offset, frame.data, frame.end)) return false
    return stream.receiving.fragmentCount <= before || this.fragments <= Limits.sessionFragments
  }

  /** Held out of order on all streams. */
  private get fragments(): number {
    let count = 0
    for (const { receiving } of this.streams.values()) count += receiving.fragmentCount
    return count
  }

  /** Counts octets against the session's window; false where the peer went beyond it. */
  private account(octets: number): boolean {
    this.receivedTotal += Math.max(0, octets)
    return this.receivedTotal <= this.receiveLimit
  }

  private acceptWindow(id: number, max: number): boolean {
    const stream = this.streams.get(id)
    if (stream === undefined) return this.wasOpened(id)
    stream.sending.limit = Math.max(stream.sending.limit, max)
    this.events.wake?.()
    return true
  }

  private acceptReset({ id, final, code }: Reset): boolean {
    const stream = this.incoming(id)
    if (stream === undefined) return this.wasOpened(id) && this.bury(id, final, true)
    if (id === 0 || final < stream.receiving.highest || !this.account(final - stream.receiving.highest)) return false
    this.consumed(stream.receiving.discard(final))
    if (!stream.sending.isDone) this.reset(stream, code)
    stream.cut(code)
    return true
  }

  /** Octets of a stream that was cut here still count against the session's window until the peer names the end. */
  private bury(id: number, stop: number, end: boolean): boolean {
    const counted = this.cutStreams?.get(id)
    if (counted === undefined) return true
    const growth = Math.max(0, stop - counted)
    if (!this.account(growth)) return false
    this.consumed(growth)
    if (end) this.cutStreams!.delete(id)
    else this.cutStreams!.set(id, counted + growth)
    return true
  }

  private acceptPointer(frame: Extract<Frame, { kind: 'packPointer' }>, services: boolean): boolean {
    if (this.role === 'gateway' || !services) return false
    if (frame.sequence <= this.pointerSequence) return true
    this.pointerSequence = frame.sequence
    this.events.pointed?.(frame.pointer)
    return true
  }

  private acceptLost(number: number): boolean {
    if (this.role === 'client') return false
    this.events.abandoned?.(number)
    this.lose(number)
    this.forgetArrival(number)
    return true
  }

  /** The stream of a frame; opens it, and those before it, where it is a new one of the peer's. */
  private incoming(id: number): Stream | undefined {
    const known = this.streams.get(id)
    if (known !== undefined || id < this.nextPeer || id % 2 !== this.nextPeer % 2) return known
    while (this.nextPeer <= id) {
      if (this.streams.size + (this.cutStreams?.size ?? 0) > Limits.streams) return undefined
      const stream = new Stream(this.nextPeer, Priority.normal, Limits.streamWindow, this)
      this.streams.set(stream.id, stream)
      this.nextPeer += 2
      this.events.stream?.(stream)
    }
    return this.streams.get(id)
  }

  /** A frame of a stream that is over is harmless; one of a stream that never was is not. */
  private wasOpened(id: number): boolean {
    return id % 2 === this.nextPeer % 2 ? id < this.nextPeer : id < this.nextOwn
  }

  /** Octets that came and were not taken by who reads the streams. */
  get unread(): number {
    return this.receivedTotal - this.consumedTotal
  }

  /** Octets that were written to the streams and have not been acknowledged. */
  get unsettled(): number {
    let octets = 0
    for (const { held } of this.streams.values()) octets += held
    return octets
  }

  // ---- what streams ask of their session -------------------------------------------------------------------------------

  wake(): void {
    this.events.wake?.()
  }

  announceWindow(stream: Stream): void {
    this.windowDue(stream)
    this.events.wake?.()
  }

  private windowDue(stream: Stream): void {
    if (!this.dueWindows.includes(stream)) this.dueWindows.push(stream)
  }

  consumed(octets: number): void {
    this.consumedTotal += octets
    if (this.consumedTotal - this.grantedTotal < Limits.sessionWindow / 4) return
    this.grantedTotal = this.consumedTotal
    this.receiveLimit = this.consumedTotal + Limits.sessionWindowOpen
    this.dueSessionWindow = true
    this.events.wake?.()
  }

  /** A stream is cut from this side. */
  cutOff(stream: Stream, code: number): void {
    if (stream.id === UNNUMBERED) return
    const { highest, isDone } = stream.receiving
    this.consumed(stream.receiving.discard(highest))
    if (!isDone) {
      this.cutStreams ??= new Map()
      this.cutStreams.set(stream.id, highest)
    }
    this.reset(stream, code)
  }

  private reset(stream: Stream, code: number): void {
    this.openResets++
    this.dueResets.push({ id: stream.id, final: stream.sending.sent, code })
    this.events.wake?.()
  }

  settled(stream: Stream): void {
    if (stream.id === UNNUMBERED) {
      this.waiting = this.waiting.filter((other) => other !== stream)
      return
    }
    this.consumed(stream.receiving.discard(stream.receiving.highest))
    this.streams.delete(stream.id)
    this.dueWindows = this.dueWindows.filter((other) => other !== stream)
    if (stream.id % 2 !== this.nextOwn % 2 || stream.id === 0) return
    this.ownStreams--
    if (this.waiting.length === 0) return
    this.beginWaiting()
    this.events.wake?.()
  }

  // ---- ending -----------------------------------------------------------------------------------------------------------

  /** Ends the session and tells the peer in the next parcels. */
  close(code: number): void {
    if (!this.isClosed) this.finish(code)
  }

  private finish(code: number): void {
    if (this.isClosed) return
    this.closeCode = code
    for (const stream of [...this.streams.values(), ...this.waiting]) stream.cut(code)
    this.events.closed?.(code)
  }
}

/**
 * Octets in front of so much data in a stream frame. To the octet: a message that seems a few longer than it is takes the next
 * class, and that is twice as long.
 */
function headLength(id: number, offset: number, length: number): number {
  // The writer chooses the width of the length by the room that there is, itself included.
  return 1 + varintLength(id) + varintLength(offset) + varintLength(length + varintLength(length))
}
