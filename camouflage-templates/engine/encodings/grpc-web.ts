/**
 * gRPC-Web (its PROTOCOL-WEB.md) without compression. A body is frames, each a message of one field with octets:
 *
 *   00 | length u32be | field tag varint | length varint | octets
 *
 * and in an answer last the trailers, `80 | length u32be | grpc-status:0\r\n`.
 */
import { concat, fastEqual, readU32, u32, utf8 } from '#protocol/bytes.ts'
import type { GrpcWebData } from '../template.ts'
import type { PlainBinary } from './binary.ts'

const FRAME_HEADER = 5
/** Protobuf wire type of octets. */
const LENGTH_DELIMITED = 2
const status = utf8('grpc-status:0\r\n')
const trailers = concat(Uint8Array.of(0x80), u32(status.length), status)
const none = new Uint8Array(0)

export function createGrpcWeb({ field, bytes: size, trailer }: GrpcWebData): PlainBinary {
  const tag = varint(field * 8 + LENGTH_DELIMITED)
  const end = trailer ? trailers : none
  const head = (length: number): Uint8Array => {
    const wrapper = concat(tag, varint(length))
    return concat(Uint8Array.of(0), u32(wrapper.length + length), wrapper)
  }
  const fullHead = head(size)
  const headOf = (length: number): Uint8Array => (length === size ? fullHead : head(length))
  const encodedLength = (bytes: number): number => {
    const count = Math.ceil(bytes / size)
    return (count - 1) * fullHead.length + headOf(bytes - (count - 1) * size).length + bytes + end.length
  }
  return {
    encodedLength,
    encode(bytes) {
      const file = new Uint8Array(encodedLength(bytes.length))
      let at = 0
      for (let from = 0; from < bytes.length; from += size) {
        const part = bytes.subarray(from, from + size)
        const before = headOf(part.length)
        file.set(before, at)
        file.set(part, at + before.length)
        at += before.length + part.length
      }
      file.set(end, at)
      return file
    },
    decode(file) {
      const stop = file.length - end.length
      if (stop <= 0 || !fastEqual(file.subarray(stop), end)) return undefined
      const parts: Uint8Array[] = []
      let length = size
      for (let at = 0; at < stop; ) {
        // Only the last message may be shorter.
        if (length !== size || stop - at < FRAME_HEADER) return undefined
        const frame = readU32(file, at + 1)
        length = contentLength(frame, tag.length)
        const before = length > 0 && length <= size ? headOf(length) : undefined
        if (before === undefined || !fastEqual(file.subarray(at, at + before.length), before)) return undefined
        at += before.length + length
        if (at > stop) return undefined
        parts.push(file.subarray(at - length, at))
      }
      return parts.length === 1 ? parts[0] : concat(...parts)
    },
  }
}

/** Octets of the field in a message of `frame` octets; the header that is written for them shows whether it is so. */
function contentLength(frame: number, tagLength: number): number {
  const rest = frame - tagLength
  for (let varintLength = 1; varintLength <= 4; varintLength++) {
    const length = rest - varintLength
    if (length >= 0 && length < 2 ** (7 * varintLength)) return length
  }
  return 0
}

function varint(value: number): Uint8Array {
  const octets: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) + 128)
  return Uint8Array.of(...octets, rest)
}
