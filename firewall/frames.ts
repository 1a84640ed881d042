/**
 * Frames of the pipe between core and broker, and nothing else: no sockets. All integers big-endian.
 *
 *     frame    length u32 || type u8 || id u32 || head length u32 || head || raw
 *
 *     length   octets after the length field: 9 + head + raw, at most `PipeLimits.frameBytes`
 *     type     what the frame is (messages.ts)
 *     id       number of the call it belongs to; 0 where it belongs to none
 *     head     one message of protocol/services/codec.ts, at most `PipeLimits.headBytes`
 *     raw      octets of a body, as they are; may be empty
 *
 * Lengths are judged as soon as they are there, before anything is stored.
 */
import { empty, readU32 } from '#protocol/bytes.ts'
import { PipeLimits } from './limits.ts'
import { octets, uninitialised } from './octets.ts'

const LENGTH = 4
const FIXED = 9

export interface Frame {
  readonly type: number
  readonly id: number
  readonly head: Uint8Array
  readonly raw: Uint8Array
}

/** Everything of the frame in front of `raw`, which goes to the socket as it is. */
export function encodeFrame(type: number, id: number, head: Uint8Array, rawLength: number): Uint8Array {
  const length = FIXED + head.length + rawLength
  if (head.length > PipeLimits.headBytes || length > PipeLimits.frameBytes) {
    throw new RangeError(`a frame of ${length} octets with a head of ${head.length} is over the limit`)
  }
  const bytes = Buffer.allocUnsafe(LENGTH + FIXED + head.length)
  bytes.writeUInt32BE(length, 0)
  bytes[LENGTH] = type
  bytes.writeUInt32BE(id, LENGTH + 1)
  bytes.writeUInt32BE(head.length, LENGTH + 5)
  bytes.set(head, LENGTH + FIXED)
  return bytes
}

/**
 * Cuts a stream of octets into frames. A frame that lies whole in one chunk is a view of that chunk; one that spans
 * chunks is gathered once, in a buffer of its own. After `false` the decoder is of no more use.
 */
export class FrameDecoder {
  private readonly emit: (frame: Frame) => void
  private readonly prefix: Uint8Array = new Uint8Array(LENGTH)
  private prefixed = 0
  private gathering: Uint8Array = empty
  private gathered = 0

  constructor(emit: (frame: Frame) => void) {
    this.emit = emit
  }

  /** True where the stream may end here without cutting a frame. */
  get atBoundary(): boolean {
    return this.prefixed === 0
  }

  /** False where the stream is no sequence of frames within the limits. */
  push(bytes: Uint8Array): boolean {
    const chunk = octets(bytes)
    let at = 0
    while (at < chunk.length) {
      const used = this.prefixed < LENGTH ? this.takePrefix(chunk, at) : this.takeFrame(chunk, at)
      if (used === undefined) return false
      at += used
    }
    return true
  }

  /** Octets used; undefined for a length out of bounds. */
  private takePrefix(chunk: Uint8Array, at: number): number | undefined {
    const piece = chunk.subarray(at, at + LENGTH - this.prefixed)
    this.prefix.set(piece, this.prefixed)
    this.prefixed += piece.length
    if (this.prefixed === LENGTH) {
      const length = readU32(this.prefix)
      if (length < FIXED || length > PipeLimits.frameBytes) return undefined
    }
    return piece.length
  }

  /** Octets used; undefined for a frame that contradicts itself. */
  private takeFrame(chunk: Uint8Array, at: number): number | undefined {
    const length = readU32(this.prefix)
    const piece = chunk.subarray(at, at + length - this.gathered)
    if (piece.length === length) return this.finish(piece) ? length : undefined
    if (this.gathered === 0) this.gathering = uninitialised(length)
    this.gathering.set(piece, this.gathered)
    this.gathered += piece.length
    return this.gathered < length || this.finish(this.gathering) ? piece.length : undefined
  }

  private finish(bytes: Uint8Array): boolean {
    this.prefixed = 0
    this.gathered = 0
    this.gathering = empty
    const headLength = readU32(bytes, 5)
    const rawAt = FIXED + headLength
    if (headLength > PipeLimits.headBytes || rawAt > bytes.length) return false
    this.emit({
      type: bytes[0]!,
      id: readU32(bytes, 1),
      head: bytes.subarray(FIXED, rawAt),
      raw: bytes.subarray(rawAt),
    })
    return true
  }
}
