import type { TextEncoding } from './text-encoding.ts'

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
    try {
      const { read, written } = out.setFromBase64(text, { lastChunkHandling: 'strict' })
      // White space passes the strict reader; the lengths show it.
      return read === text.length && written === out.length && text.length === this.encodedLength(written)
    } catch {
      return false
    }
  },
}
