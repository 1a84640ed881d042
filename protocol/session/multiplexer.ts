/**
 * Streams over parcels: fills the parcels of one side, takes in those of the other, and remembers what each sent parcel
 * held until its fate is known. Knows exchanges by number, and neither keys nor HTTP. Spec sections 6 and 7.
 */
import { Limits } from '../constants.ts'
import type { Range } from '../ranges.ts'
import { RangeSet } from '../ranges.ts'
import type { Frame, PackPointer } from './frames.ts'
import { BodyWriter, CloseCode, decodeBody, FrameType } from './frames.ts'
import type { Reset, Said } from './notices.ts'
import { Notices } from './notices.ts'
import type { SentSegment } from './outflow.ts'
import { Outflow } from './outflow.ts'
import { SessionWindow } from './session-window.ts'
import type { Stream, StreamOwner } from './stream.ts'
import { Priority } from './stream.ts'
import type { Role } from './stream-table.ts'
import { StreamTable } from './stream-table.ts'

/** Octets of a frame that says the room for an answer, at the most. */
const ROOM_OCTETS = 5

/** What one sent parcel held, so that it can be sent again or forgotten. */
interface Sent {
  segments: readonly SentSegment[]
  readonly acks: readonly Range[]
  said: Said | undefined
}

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
  /** Client: so many requests of this session have come to the gateway once more. */
  repeated?(count: number): void
  /** Client: which pack the gateway wants it to use. */
  pointed?(pointer: PackPointer): void
}

/** What an accepted parcel asked for besides stream data. */
export interface Accepted {
  /** Milliseconds the client is ready to wait; undefined: answer at once. */
  readonly hold: number | undefined
  /** Octets of the largest parcel that the client wants for an answer; undefined: as large as any. */
  readonly room: number | undefined
}

/** What a request says of the answer that it wants, as `Accepted`. */
export type Wanted = Partial<Accepted>

export class Multiplexer implements StreamOwner {
  /** Service streams may be sent; before that only the control stream. */
  ready = false
  readonly control: Stream
  /** Streams that this side has opened for something large. */
  bulkOpened = 0
  /** Gateway: requests that came once more. Said wherever there is room, so that no answer has to arrive. */
  repeats = 0
  private readonly events: MultiplexerEvents
  private readonly streams: StreamTable
  private readonly window = new SessionWindow()
  private readonly outflow: Outflow
  private readonly notices = new Notices()
  private readonly sent = new Map<number, Sent>()
  /** Exchanges whose parcels arrived and whose arrival the peer may not know yet. */
  private readonly arrived = new RangeSet()
  private readonly role: Role
  private closeCode: number | undefined
  /** Client: sequence of the newest pack pointer heard. Answers overtake each other. */
  private heardPointer = 0

  constructor(role: Role, events: MultiplexerEvents) {
    this.role = role
    this.events = events
    this.streams = new StreamTable(role, this)
    this.outflow = new Outflow(this.streams, this.window)
    this.control = this.streams.control
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
    const stream = this.streams.make(priority)
    if (this.isClosed) queueMicrotask(() => stream.cut(CloseCode.gone))
    else this.streams.add(stream)
    return stream
  }

  // ---- sending -------------------------------------------------------------------------------------------------------

  /** Octets worth sending now, of streams up to priority `most`; stops counting at `enough`. */
  pending(enough: number, most: Priority = Priority.bulk): number {
    const { octets } = this.notices
    if (this.closeCode !== undefined) return octets + 2
    return this.outflow.pending(this.ready, octets, enough, most)
  }

  /** True where something waits that is not bulk: it should not wait for the end of a large transfer. */
  get urgent(): boolean {
    return this.speaks || this.notices.octets > 0
  }

  /** True where a stream that is not bulk has something to say: beside it, credit for a file can wait for what goes next. */
  get speaks(): boolean {
    return this.isClosed || this.outflow.speaks(this.ready)
  }

  /**
   * Fills the body of the parcel of exchange `number`. `services` false: control stream only (keys not yet hybrid).
   * `room` is left out where what waits fits without it, and would not with it.
   */
  build(number: number, length: number, services: boolean, { hold, room }: Wanted = {}): Uint8Array {
    const { writer, sent } = this.begin(number, length)
    if (hold !== undefined) writer.numbers(FrameType.hold, hold)
    const spare = writer.room - this.pending(writer.room + 1)
    if (room !== undefined && (spare < 0 || spare >= ROOM_OCTETS)) writer.numbers(FrameType.room, room)
    if (this.closeCode !== undefined) writer.numbers(FrameType.close, this.closeCode)
    else this.fill(writer, sent, services)
    if (this.repeats > 0) writer.numbers(FrameType.repeats, this.repeats)
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
    return { writer, sent: { segments: [], acks, said: undefined } }
  }

  private fill(writer: BodyWriter, sent: Sent, services: boolean): void {
    sent.said = this.notices.fill(writer, this.window.limit, services)
    sent.segments = this.outflow.fill(writer, services)
  }

  /**
   * Gateway: tells the client which pack to use, in whichever parcel goes next. It wakes nobody: a thousand held exchanges
   * that are answered at one moment would say that something has happened here.
   */
  point(pointer: PackPointer): void {
    this.notices.point(pointer)
  }

  /** The parcel of exchange `number` that this side sent has arrived. */
  acknowledge(number: number): void {
    const sent = this.sent.get(number)
    if (sent === undefined) return
    this.sent.delete(number)
    if (sent.said !== undefined) this.notices.heard(sent.said)
    for (const [start, end] of sent.acks) this.arrived.remove(start, end)
    this.forgetArrival(number)
    this.outflow.heard(sent.segments)
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
    this.outflow.again(sent.segments)
    if (sent.said !== undefined) this.notices.again(sent.said)
  }

  /** Client: tell the gateway that the answer of `number` will never be seen. */
  sayLost(number: number): void {
    this.notices.lostDue(number)
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
    let room: number | undefined
    for (const frame of decoded.frames) {
      if (frame.kind === 'hold') hold = frame.ms
      else if (frame.kind === 'room' && this.role === 'gateway') room = frame.octets
      else if (frame.kind === 'room') return this.violation()
      else if (frame.kind === 'lost' && frame.number === number) return this.violation()
      else if (!this.acceptFrame(frame, services)) return this.violation()
      if (this.isClosed) return undefined
    }
    if (this.notices.openResets > Limits.resets) this.close(CloseCode.limit)
    return { hold, room }
  }

  private violation(): undefined {
    this.close(CloseCode.protocol)
    return undefined
  }

  private acceptAcks([start, end]: Range): void {
    for (const number of [...this.sent.keys()]) if (number >= start && number < end) this.acknowledge(number)
  }

  private acceptFrame(frame: Exclude<Frame, { kind: 'hold' | 'room' }>, services: boolean): boolean {
    switch (frame.kind) {
      case 'stream':
        return (services || frame.id === 0) && this.acceptStream(frame)
      case 'window':
        return this.acceptWindow(frame.id, frame.max)
      case 'sessionWindow':
        this.window.raise(frame.max)
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
      case 'repeats':
        return this.acceptRepeats(frame.count)
    }
  }

  private acceptStream(frame: Extract<Frame, { kind: 'stream' }>): boolean {
    const stream = this.incoming(frame.id)
    const stop = frame.offset + frame.data.length
    if (stream === undefined) return this.bury(frame.id, stop, frame.end)
    if (!this.window.receive(stop - stream.receiving.highest)) return false
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

  private acceptWindow(id: number, max: number): boolean {
    const stream = this.streams.get(id)
    if (stream === undefined) return this.streams.wasOpened(id)
    stream.sending.limit = Math.max(stream.sending.limit, max)
    this.events.wake?.()
    return true
  }

  private acceptReset({ id, final, code }: Reset): boolean {
    const stream = this.incoming(id)
    if (stream === undefined) return this.bury(id, final, true)
    const growth = final - stream.receiving.highest
    if (id === 0 || growth < 0 || !this.window.receive(growth)) return false
    this.consumed(stream.receiving.discard(final))
    if (!stream.sending.isDone) this.reset(stream, code)
    stream.cut(code)
    return true
  }

  /** Of a stream that is over; false where it never was, or its octets go beyond the window. */
  private bury(id: number, stop: number, end: boolean): boolean {
    if (!this.streams.wasOpened(id)) return false
    const octets = this.streams.afterCut(id, stop, end)
    if (!this.window.receive(octets)) return false
    this.consumed(octets)
    return true
  }

  private acceptPointer(frame: Extract<Frame, { kind: 'packPointer' }>, services: boolean): boolean {
    if (this.role === 'gateway' || !services) return false
    if (frame.sequence <= this.heardPointer) return true
    this.heardPointer = frame.sequence
    this.events.pointed?.(frame.pointer)
    return true
  }

  private acceptRepeats(count: number): boolean {
    if (this.role === 'gateway') return false
    this.events.repeated?.(count)
    return true
  }

  private acceptLost(number: number): boolean {
    if (this.role === 'client') return false
    this.events.abandoned?.(number)
    this.lose(number)
    this.forgetArrival(number)
    return true
  }

  private incoming(id: number): Stream | undefined {
    return this.streams.incoming(id, (stream) => this.events.stream?.(stream))
  }

  /** Octets that came and were not taken by who reads the streams. */
  get unread(): number {
    return this.window.unread
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
    this.notices.windowDue(stream)
    this.events.wake?.()
  }

  consumed(octets: number): void {
    if (!this.window.consume(octets)) return
    this.notices.sessionWindowDue()
    this.events.wake?.()
  }

  /** A stream is cut from this side. */
  cutOff(stream: Stream, code: number): void {
    if (!this.streams.hasBegun(stream)) return
    this.streams.cutHere(stream)
    this.consumed(stream.receiving.discard(stream.receiving.highest))
    this.reset(stream, code)
  }

  private reset({ id, sending }: Stream, code: number): void {
    this.notices.resetDue({ id, final: sending.sent, code })
    this.events.wake?.()
  }

  settled(stream: Stream): void {
    this.consumed(stream.receiving.discard(stream.receiving.highest))
    this.notices.drop(stream)
    if (this.streams.remove(stream)) this.events.wake?.()
  }

  // ---- ending -----------------------------------------------------------------------------------------------------------

  /** Ends the session and tells the peer in the next parcels. */
  close(code: number): void {
    if (!this.isClosed) this.finish(code)
  }

  private finish(code: number): void {
    if (this.isClosed) return
    this.closeCode = code
    this.streams.close()
    for (const stream of this.streams.all()) stream.cut(code)
    this.events.closed?.(code)
  }
}
