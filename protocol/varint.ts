/**
 * Variable-length integers of RFC 9000 section 16: the top two bits of the first octet give the length (1, 2, 4, 8).
 * Values below 2^53 only. The shortest form is the only one accepted: no malleability.
 */

const TWO = 0x40
const FOUR = 0x4000
const EIGHT = 0x40000000

export function varintLength(value: number): number {
  return value < TWO ? 1 : value < FOUR ? 2 : value < EIGHT ? 4 : 8
}

/** Writes at `at` and returns the position after it. The caller has made sure of the room. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  if (value < TWO) {
    target[at] = value
    return at + 1
  }
  if (value < FOUR) {
    target[at] = 0x40 | (value >>> 8)
    target[at + 1] = value & 0xff
    return at + 2
  }
  if (value < EIGHT) {
    writeU32(target, at, (value | 0x80000000) >>> 0)
    return at + 4
  }
  writeU32(target, at, (0xc0000000 | Math.floor(value / 2 ** 32)) >>> 0)
  writeU32(target, at + 4, value >>> 0)
  return at + 8
}

function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24
  target[at + 1] = (value >>> 16) & 0xff
  target[at + 2] = (value >>> 8) & 0xff
  target[at + 3] = value & 0xff
}

/** Reads forward through `bytes`; every read gives undefined once the bytes have run out. */
export class Reader {
  at = 0
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  octet(): number | undefined {
    return this.bytes[this.at++]
  }

  /** A view, not a copy. */
  take(length: number): Uint8Array | undefined {
    if (length > this.left) return undefined
    const view = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return view
  }

  varint(): number | undefined {
    const first = this.bytes[this.at]
    if (first === undefined) return undefined
    const length = 1 << (first >>> 6)
    if (length > this.left) return undefined
    let value = first & 0x3f
    for (let i = 1; i < length; i++) value = value * 256 + this.bytes[this.at + i]!
    if (!Number.isSafeInteger(value) || varintLength(value) !== length) return undefined
    this.at += length
    return value
  }
}
