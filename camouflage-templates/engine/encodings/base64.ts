import { SHORT, sextetsInto, sextetsOf } from '#protocol/sextets.ts'
import type { TextEncoding } from './text-encoding.ts'

const sextets = sextetsOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')

/** RFC 4648 section 4, padded, as JSON fields hold it. */
export const base64: TextEncoding = {
  alphabet: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=',
  encodedLength: (bytes) => 4 * Math.ceil(bytes / 3),
  encode: (bytes) => bytes.toBase64(),
  decodedLength(text) {
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
    return 3 * Math.ceil(text.length / 4) - (text.length > 0 ? padding : 0)
  },
  decodeInto(out, text) {
    if (text.length !== this.encodedLength(out.length)) return false
    if (out.length <= SHORT) {
      const count = Math.ceil((4 * out.length) / 3)
      return text.slice(count) === '='.repeat(text.length - count) && sextetsInto(out, text, count, sextets)
    }
    try {
      const { read, written } = out.setFromBase64(text, { lastChunkHandling: 'strict' })
      // White space passes the strict reader; the lengths show it.
      return read === text.length && written === out.length
    } catch {
      return false
    }
  },
}
