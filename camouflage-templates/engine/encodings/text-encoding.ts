/** Bytes as text of one alphabet, in exactly one spelling. */
export interface TextEncoding {
  /** Every character it writes. */
  readonly alphabet: string
  encodedLength(bytes: number): number
  encode(bytes: Uint8Array): string
  /** undefined for anything that `encode` does not write: a second spelling of the same bytes is refused. */
  decode(text: string): Uint8Array | undefined
}
