/** Bytes as text of one alphabet, in exactly one spelling. */
export interface TextEncoding {
  /** Every character it writes. */
  readonly alphabet: string
  encodedLength(bytes: number): number
  encode(bytes: Uint8Array): string
  /** Octets that `text` stands for if `encode` wrote it; any number from 0 on if not. */
  decodedLength(text: string): number
  /** Puts them into `out`, which is as long; false for anything that `encode` does not write: no second spelling. */
  decodeInto(out: Uint8Array, text: string): boolean
}

/** undefined for anything that `encode` does not write. */
export function decodeText(
  encoding: Pick<TextEncoding, 'decodedLength' | 'decodeInto'>,
  text: string,
): Uint8Array | undefined {
  const out = new Uint8Array(encoding.decodedLength(text))
  return encoding.decodeInto(out, text) ? out : undefined
}
