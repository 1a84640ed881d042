/**
 * RFC 1951 stored blocks, as zlib writes data that does not compress:
 *
 *   final u8 | length u16le | ~length u16le | octets
 *
 * zlib at its default level ends such a block after 16,383 symbols, so every block but the last has that length.
 */

const BLOCK = 16_383
const HEADER = 5

/** Octets of the blocks around `length` octets, at least 1. */
export function blocksLength(length: number): number {
  return length + HEADER * Math.ceil(length / BLOCK)
}

/** Writes `data` into `out` from `start` on; returns where the blocks end. */
export function writeBlocks(out: Uint8Array, start: number, data: Uint8Array): number {
  let at = start
  for (let from = 0; from < data.length; from += BLOCK) {
    const size = Math.min(BLOCK, data.length - from)
    writeHeader(out, at, size, from + BLOCK >= data.length)
    out.set(data.subarray(from, from + size), at + HEADER)
    at += HEADER + size
  }
  return at
}

/** Puts into `data` what blocks hold that `writeBlocks` wrote; false for others. `blocks` has the exact length. */
export function readBlocks(data: Uint8Array, blocks: Uint8Array): boolean {
  const expected = new Uint8Array(HEADER)
  let at = 0
  for (let from = 0; from < data.length; from += BLOCK) {
    const size = Math.min(BLOCK, data.length - from)
    writeHeader(expected, 0, size, from + BLOCK >= data.length)
    for (let index = 0; index < HEADER; index++) if (blocks[at + index] !== expected[index]) return false
    data.set(blocks.subarray(at + HEADER, at + HEADER + size), from)
    at += HEADER + size
  }
  return true
}

function writeHeader(out: Uint8Array, at: number, size: number, final: boolean): void {
  const inverse = ~size & 0xffff
  out[at] = final ? 1 : 0
  out[at + 1] = size & 0xff
  out[at + 2] = size >>> 8
  out[at + 3] = inverse & 0xff
  out[at + 4] = inverse >>> 8
}
