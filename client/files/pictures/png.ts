/**
 * PNG (W3C, third edition) without what it tells beside the picture. Only chunks that are needed to show it stay; nothing is
 * decoded. A chunk is length 4 || name 4 || content || check 4; what follows IEND is left out.
 */

import { KIND_BYTES, type Size } from '#client/chat/pictures/kinds.ts'
import { concat, latin1, readU32 } from '#protocol/bytes.ts'

/** The picture, how its colours and transparency are meant, and its animation. */
const needed: ReadonlySet<string> = new Set([
  ...['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'bKGD', 'sBIT', 'pHYs'],
  ...['gAMA', 'cHRM', 'sRGB', 'iCCP', 'cICP', 'mDCV', 'cLLI'],
  ...['acTL', 'fcTL', 'fdAT'],
])

export interface Png {
  readonly stripped: Uint8Array
  readonly size: Size
  /** Its pixels unfold to as many octets as its size says: the decoder bounds one that is not interlaced alone. */
  readonly isPlain: boolean
}

/** Where IHDR says how rows follow each other. */
const INTERLACE = 28
/** Chunks that are looked through; programs write a few thousand into the longest pictures. */
const CHUNKS = 65_536

/** undefined where it is no sound PNG. */
export function stripPng(bytes: Uint8Array): Png | undefined {
  const kept = [bytes.subarray(0, KIND_BYTES)]
  let size: Size | undefined
  for (let at = KIND_BYTES, chunks = 0; at + 12 <= bytes.length && chunks < CHUNKS; chunks++) {
    const end = at + 12 + readU32(bytes, at)
    if (end > bytes.length) return undefined
    const name = latin1(bytes.subarray(at + 4, at + 8))
    if (at === KIND_BYTES) {
      if (name !== 'IHDR' || end !== at + 25) return undefined
      size = { width: readU32(bytes, at + 8), height: readU32(bytes, at + 12) }
    } else if (name === 'IHDR') return undefined // A second one would say another size.
    if (needed.has(name)) kept.push(bytes.subarray(at, end))
    if (name === 'IEND') return size && { stripped: concat(...kept), size, isPlain: bytes[INTERLACE] === 0 }
    at = end
  }
  return undefined
}
