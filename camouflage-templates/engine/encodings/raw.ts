import type { PlainBinary } from './binary.ts'

/** The bytes as they are: a download of something without a form of its own. */
export const raw: PlainBinary = {
  encodedLength: (bytes) => bytes,
  encode: (bytes) => bytes,
  decode: (file) => file,
}
