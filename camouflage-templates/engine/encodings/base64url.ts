import { base64url as encode, fromBase64urlInto } from '#protocol/bytes.ts'
import type { TextEncoding } from './text-encoding.ts'

/** RFC 4648 section 5, unpadded, as URLs and tokens hold it. */
export const base64url: TextEncoding = {
  alphabet: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
  encodedLength: (bytes) => Math.ceil((4 * bytes) / 3),
  encode,
  decodedLength: (text) => (text.length * 3) >> 2,
  decodeInto: fromBase64urlInto,
}
