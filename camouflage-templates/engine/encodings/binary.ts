import type { Draw } from '../draw.ts'

/** Bytes as the content of a file: a whole body, or one part of a multipart body. */
export interface Binary {
  /** What its content type has to be, because the first octets say so. */
  readonly mediaType: string
  /** Octets of the longest file that carries `bytes`. */
  encodedLength(bytes: number): number
  encode(bytes: Uint8Array, draw: Draw): Uint8Array
  /** undefined for anything that `encode` does not write. */
  decode(file: Uint8Array): Uint8Array | undefined
}
