import type { TextEncoding } from './text-encoding.ts'

/** RFC 4648 section 4, padded, as JSON fields hold it. */
export const base64: TextEncoding = {
  alphabet: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=',
  encodedLength: (bytes) => 4 * Math.ceil(bytes / 3),
  encode: (bytes) => bytes.toBase64(),
  decode(text) {
    try {
      const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' })
      // White space passes the strict reader; the length shows it.
      return text.length === 4 * Math.ceil(bytes.length / 3) ? bytes : undefined
    } catch {
      return undefined
    }
  },
}
