/** Plain `Uint8Array` out of Node's `Buffer`, whose `slice` and `toString` mean something else. Nothing is copied. */

export function octets(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Not zeroed: for what is written in full before it is read. */
export function uninitialised(length: number): Uint8Array {
  return octets(Buffer.allocUnsafeSlow(length))
}
