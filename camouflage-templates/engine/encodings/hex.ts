import { hex as encode } from '#protocol/bytes.ts'
import { hexInto, SHORT } from '#protocol/sextets.ts'
import type { TextEncoding } from './text-encoding.ts'

/** Small letters only, as signatures and entity tags are written. */
export const hex: TextEncoding = {
  alphabet: '0123456789abcdef',
  encodedLength: (bytes) => 2 * bytes,
  encode,
  decodedLength: (text) => text.length >> 1,
  decodeInto(out, text) {
    if (out.length <= SHORT) return hexInto(out, text)
    if (text.length !== 2 * out.length || !/^[0-9a-f]*$/.test(text)) return false
    out.setFromHex(text)
    return true
  },
}
