/**
 * No Buffer leaves this folder: its `slice` shares memory where that of a Uint8Array copies.
 */

/** The same memory, so that whoever wipes the result wipes the secret. */
export function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
