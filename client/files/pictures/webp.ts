/**
 * WebP (RFC 9649), as far as its size can be told before it is decoded.
 *
 *     file  = "RIFF" || length 4 || "WEBP" || chunk*           numbers are little-endian
 *     chunk = name 4 || length 4 || content
 *
 * The first chunk says how large it is: VP8 (lossy), VP8L (lossless), or VP8X, which others follow. The decoder takes no picture
 * that unfolds to another size than that.
 */

import type { Size } from '#client/chat/pictures/kinds.ts'
import { latin1 } from '#protocol/bytes.ts'

/** Octets up to behind the sizes, whichever chunk comes first. */
const HEAD = 30
const ANIMATED = 0x02

export function isWebp(bytes: Uint8Array): boolean {
  return latin1(bytes.subarray(0, 4)) === 'RIFF' && latin1(bytes.subarray(8, 12)) === 'WEBP'
}

/** undefined where it is not sound, or moves. */
export function webpSize(bytes: Uint8Array): Size | undefined {
  if (!isWebp(bytes) || bytes.length < HEAD) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const u16 = (at: number): number => view.getUint16(at, true)
  const u24 = (at: number): number => u16(at) + view.getUint8(at + 2) * 65_536
  switch (latin1(bytes.subarray(12, 16))) {
    case 'VP8 ':
      return { width: u16(26) & 0x3fff, height: u16(28) & 0x3fff }
    case 'VP8L': {
      const sizes = view.getUint32(21, true)
      return { width: (sizes & 0x3fff) + 1, height: ((sizes >>> 14) & 0x3fff) + 1 }
    }
    case 'VP8X':
      return (bytes[20]! & ANIMATED) === 0 ? { width: u24(24) + 1, height: u24(27) + 1 } : undefined
    default:
      return undefined
  }
}
