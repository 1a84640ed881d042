/** Repeatable randomness for tests and simulations; never for keys. */
import type { Random } from '#protocol/bytes.ts'

export interface Prng {
  /** 0 <= x < 1 */
  next(): number
  below(bound: number): number
  chance(probability: number): boolean
  readonly bytes: Random
}

/** mulberry32 */
export function prng(seed: number): Prng {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
  }
}
