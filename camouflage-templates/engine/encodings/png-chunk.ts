/** PNG (W3C recommendation, third edition) section 5.3: length u32 | type 4 | data | CRC-32 of type and data. */
import { crc32 } from 'node:zlib'
import { concat, fastEqual, readU32, u32, utf8 } from '#protocol/bytes.ts'

/** Octets of a chunk around its data. */
export const CHUNK_OVERHEAD = 12

export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const checked = concat(utf8(type), data)
  return concat(u32(data.length), checked, u32(crc32(checked)))
}

/** Puts `data` into `out` as consecutive chunks of one type, `size` octets in each but the last. */
export function writeChunks(out: Uint8Array, start: number, type: string, data: Uint8Array, size: number): void {
  const name = utf8(type)
  const view = new DataView(out.buffer, out.byteOffset)
  let at = start
  for (let from = 0; from < data.length; from += size) {
    const part = data.subarray(from, from + size)
    const end = at + 8 + part.length
    view.setUint32(at, part.length)
    out.set(name, at + 4)
    out.set(part, at + 8)
    view.setUint32(end, crc32(out.subarray(at + 4, end)))
    at = end + 4
  }
}

/** Octets that `writeChunks` makes of `length` octets. */
export function chunksLength(length: number, size: number): number {
  return length + CHUNK_OVERHEAD * Math.ceil(length / size)
}

/** Puts into `data` what chunks hold that `writeChunks` wrote; false for others. `chunks` has the exact length. */
export function readChunks(data: Uint8Array, chunks: Uint8Array, type: string, size: number): boolean {
  const name = utf8(type)
  let at = 0
  for (let from = 0; from < data.length; from += size) {
    const part = Math.min(size, data.length - from)
    const checked = chunks.subarray(at + 4, at + 8 + part)
    const sound = readU32(chunks, at) === part && fastEqual(checked.subarray(0, 4), name)
    if (!sound || readU32(chunks, at + 8 + part) !== crc32(checked)) return false
    data.set(checked.subarray(4), from)
    at += CHUNK_OVERHEAD + part
  }
  return true
}
