/**
 * Reads fields of octets that others sent. Reading beyond the end gives zeros and makes `end()` false, so a parser reads
 * everything first and asks once.
 */
import { readU16, readU32, readU64 } from '#protocol/bytes.ts'

export class Reader {
  private readonly bytes: Uint8Array
  private at = 0
  private short = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  take(length: number): Uint8Array {
    const end = this.at + length
    if (end > this.bytes.length) {
      this.short = true
      return new Uint8Array(Math.min(length, 64))
    }
    const part = this.bytes.slice(this.at, end)
    this.at = end
    return part
  }

  u8(): number {
    return this.take(1)[0]!
  }

  u16(): number {
    return readU16(this.take(2))
  }

  u32(): number {
    return readU32(this.take(4))
  }

  /** NaN above 2^53 - 1. */
  u64(): number {
    return readU64(this.take(8))
  }

  rest(): Uint8Array {
    return this.short ? new Uint8Array(0) : this.take(this.bytes.length - this.at)
  }

  /** True where everything asked for was there, and nothing is left. */
  end(): boolean {
    return !this.short && this.at === this.bytes.length
  }

  /** As `end`, where what is left may only be zeros. */
  endInZeros(): boolean {
    return !this.short && this.bytes.subarray(this.at).every((octet) => octet === 0)
  }
}
