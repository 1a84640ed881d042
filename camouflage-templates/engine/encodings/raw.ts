import type { Binary } from './binary.ts'

/** The bytes as they are: a download of something without a form of its own. */
export const raw: Binary = {
  mediaType: 'application/octet-stream',
  encodedLength: (bytes) => bytes,
  encode: (bytes) => bytes,
  decode: (file) => file,
}
