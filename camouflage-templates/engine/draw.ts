import type { Random } from '#protocol/bytes.ts'
import { readU32 } from '#protocol/bytes.ts'

/** Choices out of random bytes: all the variation of a message comes through here. */
export interface Draw {
  /** Uniform in 0 .. bound - 1; the bias is below bound / 2^32. */
  below(bound: number): number
  /** `length` characters of an alphabet. */
  text(alphabet: string, length: number): string
  bytes(length: number): Uint8Array
}

export function createDraw(random: Random): Draw {
  return {
    below: (bound) => readU32(random(4)) % bound,
    text(alphabet, length) {
      const bytes = random(4 * length)
      let out = ''
      for (let at = 0; at < bytes.length; at += 4) out += alphabet[readU32(bytes, at) % alphabet.length]
      return out
    },
    bytes: random,
  }
}

/** Octets asked for at once by `pooled`. */
const POOL = 2_048

/** The same source with fewer calls: asking for a few octets costs as much as asking for two thousand. */
export function pooled(random: Random): Random {
  let pool: Uint8Array = new Uint8Array(0)
  return (length) => {
    if (length > pool.length) pool = random(Math.max(POOL, length))
    const taken = pool.subarray(0, length)
    pool = pool.subarray(length)
    return taken
  }
}
