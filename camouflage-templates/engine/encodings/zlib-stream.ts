/**
 * RFC 1950 stream of stored blocks:
 *
 *   78 9c | blocks (stored-blocks.ts) | Adler-32 u32be
 */
import { deflateSync } from 'node:zlib'
import { fastEqual, readU32 } from '#protocol/bytes.ts'
import { blocksLength, readBlocks, writeBlocks } from './stored-blocks.ts'

const HEADER = Uint8Array.of(0x78, 0x9c)
const CHECKSUM = 4
/** More than zlib puts around a picture's octets, so that its first output buffer is the last. */
const STREAM_OVERHEAD = 4_096

/** Octets up to which the sum in JavaScript takes less time than setting up zlib (5 against 20 us for 5 KB). */
const SUMMED = 12_288
/** Octets between two reductions: the larger sum stays below 2^31, where V8 reckons with integers. */
const UNREDUCED = 3_800
const BASE = 65_521

/**
 * RFC 1950 section 8.2. Node has no function for it, but every zlib stream ends with it: of much, writing one without
 * compressing takes a sixth of the time of the sum in JavaScript (19 against 119 us for 230 KB).
 */
export function adler32(bytes: Uint8Array): number {
  if (bytes.length <= SUMMED) return summed(bytes)
  const stream = deflateSync(bytes, { level: 0, chunkSize: bytes.length + STREAM_OVERHEAD })
  return stream.readUInt32BE(stream.length - CHECKSUM)
}

function summed(bytes: Uint8Array): number {
  let [a, b] = [1, 0]
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + UNREDUCED, bytes.length)
    for (; at < end; at++) {
      a += bytes[at]!
      b += a
    }
    a %= BASE
    b %= BASE
  }
  return b * 65_536 + a
}

/** Octets of the stream around `length` octets, at least 1. */
export function storedLength(length: number): number {
  return HEADER.length + blocksLength(length) + CHECKSUM
}

/** `stream` has `storedLength(data.length)` octets. */
export function writeStored(stream: Uint8Array, data: Uint8Array): void {
  stream.set(HEADER)
  const end = writeBlocks(stream, HEADER.length, data)
  new DataView(stream.buffer, stream.byteOffset).setUint32(end, adler32(data))
}

/** Fills `data` from a stream that `writeStored` could have written; false for others, whatever `data` then holds. */
export function readStored(data: Uint8Array, stream: Uint8Array): boolean {
  if (stream.length !== storedLength(data.length) || !fastEqual(stream.subarray(0, HEADER.length), HEADER)) return false
  const sound = readBlocks(data, stream.subarray(HEADER.length, -CHECKSUM))
  return sound && readU32(stream, stream.length - CHECKSUM) === adler32(data)
}
