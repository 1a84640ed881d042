import type { Draw } from '../draw.ts'
import type { Values } from '../pattern.ts'

/** Bytes as the content of a file: a whole body, or one part of a multipart body. */
export interface Binary {
  /** Octets of the longest file that carries `bytes`. */
  encodedLength(bytes: number): number
  /** `values`: of the message's holes. */
  encode(bytes: Uint8Array, draw: Draw, values: Values): Uint8Array
  /** undefined for anything that `encode` does not write. What holes inside hold is put into `values`. */
  decode(file: Uint8Array, values: Values): Uint8Array | undefined
}

/** One without holes inside. */
export interface PlainBinary extends Binary {
  encode(bytes: Uint8Array, draw: Draw): Uint8Array
  decode(file: Uint8Array): Uint8Array | undefined
}
