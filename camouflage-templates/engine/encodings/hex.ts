import { hex as encode, fromHex } from '#protocol/bytes.ts'
import type { TextEncoding } from './text-encoding.ts'

/** Small letters only, as signatures and entity tags are written. */
export const hex: TextEncoding = {
  alphabet: '0123456789abcdef',
  encodedLength: (bytes) => 2 * bytes,
  encode,
  decodedLength: (text) => text.length >> 1,
  decodeInto(out, text) {
    const bytes = fromHex(text)
    if (bytes === undefined || encode(bytes) !== text) return false
    out.set(bytes)
    return true
  },
}
