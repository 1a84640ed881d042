/**
 * What a parcel says. Spec section 6.
 *
 *     parcel body = ack block || frame* || zero padding
 *     ack block   = count 1 || (start varint || length-1 varint)*     exchanges whose parcels the sender has received
 *     0x00        padding: everything after it is ignored
 *     0x01/0x02   stream: id || offset || length || data               0x02: these are the last octets (fin)
 *     0x03        window: id || offset up to which the peer may send
 *     0x04        session window: sum of offsets up to which the peer may send
 *     0x05        reset: id || final offset || code
 *     0x06        hold: milliseconds the client is ready to wait for the answer   (client to gateway)
 *     0x07        lost: exchange whose answer the client will never see          (client to gateway)
 *     0x08        close: code                                                    the session is over
 *     0x09        pack pointer: sequence || stage || ttl || hash 32              (gateway to client; no hash at stage 0)
 *     0x0a        room: octets of the largest parcel that the client wants for an answer   (client to gateway)
 *     0x0b        repeats: requests of this session that came once more, so far            (gateway to client)
 *
 * All numbers are varints (varint.ts). Anything else is not a parcel body.
 */
import { Limits } from '../constants.ts'
import { PACK_HASH_LENGTH, PackLimits } from '../pack.ts'
import type { Range } from '../ranges.ts'
import { Reader, varintLength, writeVarint } from '../varint.ts'

export const FrameType = {
  padding: 0x00,
  stream: 0x01,
  streamEnd: 0x02,
  window: 0x03,
  sessionWindow: 0x04,
  reset: 0x05,
  hold: 0x06,
  lost: 0x07,
  close: 0x08,
  packPointer: 0x09,
  room: 0x0a,
  repeats: 0x0b,
} as const

/** Why a session or a stream ended. */
export const CloseCode = { done: 0, gone: 1, protocol: 2, revoked: 3, limit: 4, cancelled: 5 } as const

/** What a gateway says about the pack that its client shall use. Spec section 14.3. */
export const PackStage = { none: 0, canary: 1, current: 2 } as const

export interface PackPointer {
  readonly stage: 0 | 1 | 2
  /** Seconds after which the client asks again. */
  readonly ttl: number
  /** SHA-256 of the pack; empty at stage `none`. */
  readonly hash: Uint8Array
}

export type Frame =
  | {
      readonly kind: 'stream'
      readonly id: number
      readonly offset: number
      readonly end: boolean
      readonly data: Uint8Array
    }
  | { readonly kind: 'window'; readonly id: number; readonly max: number }
  | { readonly kind: 'sessionWindow'; readonly max: number }
  | { readonly kind: 'reset'; readonly id: number; readonly final: number; readonly code: number }
  | { readonly kind: 'hold'; readonly ms: number }
  | { readonly kind: 'lost'; readonly number: number }
  | { readonly kind: 'room'; readonly octets: number }
  | { readonly kind: 'repeats'; readonly count: number }
  | { readonly kind: 'close'; readonly code: number }
  | { readonly kind: 'packPointer'; readonly sequence: number; readonly pointer: PackPointer }

export interface ParcelBody {
  readonly acks: readonly Range[]
  readonly frames: readonly Frame[]
}

/** undefined where the body is malformed. Stream data are views into `bytes`. */
export function decodeBody(bytes: Uint8Array): ParcelBody | undefined {
  const reader = new Reader(bytes)
  const acks = decodeAcks(reader)
  if (acks === undefined) return undefined
  const frames: Frame[] = []
  while (reader.left > 0) {
    const type = reader.octet()
    if (type === FrameType.padding) break
    const frame = frames.length < Limits.frames ? decodeFrame(type!, reader) : undefined
    if (frame === undefined) return undefined
    frames.push(frame)
  }
  return { acks, frames }
}

function decodeAcks(reader: Reader): Range[] | undefined {
  const count = reader.octet()
  if (count === undefined || count > Limits.ackRanges) return undefined
  const acks: Range[] = []
  for (let i = 0; i < count; i++) {
    const start = reader.varint()
    const extra = reader.varint()
    if (start === undefined || extra === undefined || extra > 2 ** 20) return undefined
    acks.push([start, start + extra + 1])
  }
  return acks
}

function decodeFrame(type: number, reader: Reader): Frame | undefined {
  switch (type) {
    case FrameType.stream:
    case FrameType.streamEnd:
      return decodeStream(reader, type === FrameType.streamEnd)
    case FrameType.window:
      return numbers(reader, 2, ([id, max]) => ({ kind: 'window', id: id!, max: max! }))
    case FrameType.sessionWindow:
      return numbers(reader, 1, ([max]) => ({ kind: 'sessionWindow', max: max! }))
    case FrameType.reset:
      return numbers(reader, 3, ([id, final, code]) => ({ kind: 'reset', id: id!, final: final!, code: code! }))
    case FrameType.hold:
      return numbers(reader, 1, ([ms]) => ({ kind: 'hold', ms: ms! }))
    case FrameType.lost:
      return numbers(reader, 1, ([number]) => ({ kind: 'lost', number: number! }))
    case FrameType.close:
      return numbers(reader, 1, ([code]) => ({ kind: 'close', code: code! }))
    case FrameType.packPointer:
      return decodePointer(reader)
    case FrameType.room:
      return numbers(reader, 1, ([octets]) => ({ kind: 'room', octets: octets! }))
    case FrameType.repeats:
      return numbers(reader, 1, ([count]) => ({ kind: 'repeats', count: count! }))
    default:
      return undefined
  }
}

function decodeStream(reader: Reader, end: boolean): Frame | undefined {
  const id = reader.varint()
  const offset = reader.varint()
  const length = reader.varint()
  if (id === undefined || offset === undefined || length === undefined) return undefined
  const data = reader.take(length)
  return data === undefined ? undefined : { kind: 'stream', id, offset, end, data }
}

function decodePointer(reader: Reader): Frame | undefined {
  const sequence = reader.varint()
  const stage = reader.varint()
  const ttl = reader.varint()
  if (sequence === undefined || ttl === undefined || ttl > PackLimits.ttlSeconds[1]) return undefined
  if (stage !== 0 && stage !== 1 && stage !== 2) return undefined
  const hash = reader.take(stage === PackStage.none ? 0 : PACK_HASH_LENGTH)
  // Copied: it outlives the parcel.
  return hash && { kind: 'packPointer', sequence, pointer: { stage, ttl, hash: hash.slice() } }
}

function numbers(reader: Reader, count: number, make: (values: readonly number[]) => Frame): Frame | undefined {
  const values: number[] = []
  for (let i = 0; i < count; i++) {
    const value = reader.varint()
    if (value === undefined) return undefined
    values.push(value)
  }
  return make(values)
}

/** Fills a parcel body of a fixed length, frame by frame; the unused rest stays zero, which is padding. */
export class BodyWriter {
  private readonly bytes: Uint8Array
  private at = 0
  private frames = 0

  constructor(length: number) {
    this.bytes = new Uint8Array(length)
  }

  get room(): number {
    return this.bytes.length - this.at
  }

  finish(): Uint8Array {
    return this.bytes
  }

  /** Writes as many ranges as fit, at most `Limits.ackRanges`; returns how many. */
  acks(ranges: readonly Range[]): number {
    const countAt = this.at++
    let count = 0
    for (const [start, end] of ranges) {
      const need = varintLength(start) + varintLength(end - start - 1)
      if (count === Limits.ackRanges || need > this.room) break
      this.at = writeVarint(this.bytes, this.at, start)
      this.at = writeVarint(this.bytes, this.at, end - start - 1)
      count++
    }
    this.bytes[countAt] = count
    return count
  }

  /** A frame of numbers only; false (and nothing written) where it does not fit, or the parcel has `Limits.frames`. */
  numbers(type: number, ...values: readonly number[]): boolean {
    let need = 1
    for (const value of values) need += varintLength(value)
    if (need > this.room || this.frames === Limits.frames) return false
    this.frames++
    this.bytes[this.at++] = type
    for (const value of values) this.at = writeVarint(this.bytes, this.at, value)
    return true
  }

  /** False (and nothing written) where it does not fit. */
  pointer(sequence: number, { stage, ttl, hash }: PackPointer): boolean {
    const need = 2 + varintLength(sequence) + varintLength(ttl) + hash.length
    if (need > this.room) return false
    this.numbers(FrameType.packPointer, sequence, stage, ttl)
    this.bytes.set(hash, this.at)
    this.at += hash.length
    return true
  }

  /** Octets of data that a stream frame at this offset can still hold; 0 or less: none. */
  streamRoom(id: number, offset: number): number {
    if (this.frames === Limits.frames) return 0
    const fixed = 1 + varintLength(id) + varintLength(offset)
    const length = varintLength(Math.max(0, this.room - fixed))
    return this.room - fixed - length
  }

  /** `copy` puts exactly `length` octets at the given place. The caller has asked `streamRoom`. */
  stream(
    id: number,
    offset: number,
    length: number,
    end: boolean,
    copy: (target: Uint8Array, at: number) => void,
  ): void {
    this.frames++
    this.bytes[this.at++] = end ? FrameType.streamEnd : FrameType.stream
    this.at = writeVarint(this.bytes, this.at, id)
    this.at = writeVarint(this.bytes, this.at, offset)
    this.at = writeVarint(this.bytes, this.at, length)
    copy(this.bytes, this.at)
    this.at += length
  }
}
