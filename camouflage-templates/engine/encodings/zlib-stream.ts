/**
 * RFC 1950 stream of stored blocks, as zlib writes data that does not compress:
 *
 *   78 9c | (final u8 | length u16le | ~length u16le | octets)... | Adler-32 u32be
 *
 * zlib at its default level ends such a block after 16,383 symbols, so every block but the last has that length.
 */
import { deflateSync } from 'node:zlib'

const BLOCK = 16_383
const HEADER = Uint8Array.of(0x78, 0x9c)
const BLOCK_HEADER = 5
const CHECKSUM = 4
/** More than zlib puts around a picture's octets, so that its first output buffer is the last. */
const STREAM_OVERHEAD = 4_096

/**
 * RFC 1950 section 8.2. Node has no function for it, but every zlib stream ends with it: writing one without compressing
 * takes a sixth of the time of the sum in JavaScript (19 against 119 us for 230 KB).
 */
export function adler32(bytes: Uint8Array): number {
  const stream = deflateSync(bytes, { level: 0, chunkSize: bytes.length + STREAM_OVERHEAD })
  return stream.readUInt32BE(stream.length - CHECKSUM)
}

/** Octets of the stream around `length` octets, at least 1. */
export function storedLength(length: number): number {
  return HEADER.length + BLOCK_HEADER * Math.ceil(length / BLOCK) + length + CHECKSUM
}

export function writeStored(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(storedLength(data.length))
  out.set(HEADER)
  let at = HEADER.length
  for (let from = 0; from < data.length; from += BLOCK) {
    writeBlockHeader(out, at, blockLength(data.length, from), from + BLOCK >= data.length)
    out.set(data.subarray(from, from + BLOCK), at + BLOCK_HEADER)
    at += BLOCK_HEADER + blockLength(data.length, from)
  }
  new DataView(out.buffer).setUint32(at, adler32(data))
  return out
}

/** The `length` octets of a stream that `writeStored` could have written, otherwise undefined. */
export function readStored(stream: Uint8Array, length: number): Uint8Array | undefined {
  if (stream.length !== storedLength(length) || stream[0] !== HEADER[0] || stream[1] !== HEADER[1]) return undefined
  const data = new Uint8Array(length)
  const expected = new Uint8Array(BLOCK_HEADER)
  let at = HEADER.length
  for (let from = 0; from < length; from += BLOCK) {
    const size = blockLength(length, from)
    writeBlockHeader(expected, 0, size, from + BLOCK >= length)
    if (expected.some((value, index) => stream[at + index] !== value)) return undefined
    data.set(stream.subarray(at + BLOCK_HEADER, at + BLOCK_HEADER + size), from)
    at += BLOCK_HEADER + size
  }
  const checksum = new DataView(stream.buffer, stream.byteOffset).getUint32(at)
  return checksum === adler32(data) ? data : undefined
}

function blockLength(total: number, from: number): number {
  return Math.min(BLOCK, total - from)
}

function writeBlockHeader(out: Uint8Array, at: number, size: number, final: boolean): void {
  const inverse = ~size & 0xffff
  out.set([final ? 1 : 0, size & 0xff, size >>> 8, inverse & 0xff, inverse >>> 8], at)
}
