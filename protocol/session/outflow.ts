/** Which octets of which streams go next, and what becomes of those that went. Spec sections 6 and 7. */
import { varintLength } from '../varint.ts'
import type { BodyWriter } from './frames.ts'
import type { Segment } from './send-buffer.ts'
import type { SessionWindow } from './session-window.ts'
import type { Stream } from './stream.ts'
import { Priority } from './stream.ts'
import type { StreamTable } from './stream-table.ts'

export interface SentSegment extends Segment {
  readonly stream: Stream
}

/** `services` false: of the control stream only, since the keys are not hybrid yet. */
export class Outflow {
  private readonly streams: StreamTable
  private readonly window: SessionWindow
  private turn = 0

  constructor(streams: StreamTable, window: SessionWindow) {
    this.streams = streams
    this.window = window
  }

  /** Octets worth sending now, of streams up to priority `most`, with those counted `before`; stops counting at `enough`. */
  pending(services: boolean, before: number, enough: number, most: Priority): number {
    let octets = before
    for (const stream of this.streams.values()) {
      if (octets >= enough) break
      if (stream.priority > most || !mayCarry(stream, services)) continue
      const bytes = stream.sending.sendable(this.window.credit)
      if (bytes > 0) octets += bytes + headLength(stream.id, stream.sending.sent, bytes)
    }
    return octets
  }

  /** True where a stream that is not bulk has something to say. */
  speaks(services: boolean): boolean {
    for (const stream of this.streams.values()) {
      if (stream.priority === Priority.bulk || !mayCarry(stream, services)) continue
      if (stream.sending.sendable(this.window.credit) > 0) return true
    }
    return false
  }

  /** As much as fits. */
  fill(writer: BodyWriter, services: boolean): SentSegment[] {
    const segments: SentSegment[] = []
    for (const stream of this.inOrder(services)) this.fillStream(writer, segments, stream)
    return segments
  }

  /** By priority; among equals a different one begins each time. */
  private inOrder(services: boolean): Stream[] {
    const all = [...this.streams.values()].filter((stream) => mayCarry(stream, services))
    const turn = this.turn++ % Math.max(1, all.length)
    const rotated = [...all.slice(turn), ...all.slice(0, turn)]
    return rotated.sort((a, b) => a.priority - b.priority)
  }

  private fillStream(writer: BodyWriter, segments: SentSegment[], stream: Stream): void {
    const { id, sending } = stream
    for (;;) {
      const before = sending.sent
      const room = writer.streamRoom(id, before)
      if (room <= 0) return
      const segment = sending.take(room, this.window.credit)
      if (segment === undefined) return
      this.window.spend(sending.sent - before)
      const { offset, length, end } = segment
      writer.stream(id, offset, length, end, (target, at) => sending.copy(offset, length, target, at))
      segments.push({ ...segment, stream })
    }
  }

  heard(segments: readonly SentSegment[]): void {
    for (const segment of segments) {
      segment.stream.sending.onAcked(segment)
      segment.stream.onDrain?.()
      segment.stream.settle()
    }
  }

  /** They will never arrive. */
  again(segments: readonly SentSegment[]): void {
    for (const segment of segments) if (!segment.stream.isClosed) segment.stream.sending.onLost(segment)
  }
}

const mayCarry = ({ id }: Stream, services: boolean): boolean => services || id === 0

/**
 * Octets in front of so much data in a stream frame. To the octet: a message that seems a few longer than it is takes the next
 * class, and that is twice as long.
 */
function headLength(id: number, offset: number, length: number): number {
  // The writer chooses the width of the length by the room that there is, itself included.
  return 1 + varintLength(id) + varintLength(offset) + varintLength(length + varintLength(length))
}
