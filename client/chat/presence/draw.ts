/** Chance, as the chat is given it, for choices that no one may foresee. */
import { type Random, readU32 } from '#protocol/bytes.ts'

/** From 0 on, below 1. */
export const share = (random: Random): number => readU32(random(4)) / 2 ** 32

export const between = ([from, to]: readonly [number, number], random: Random): number =>
  from + Math.floor(share(random) * (to - from))

/** Up to `count` of them, in no order. */
export function some<T>(list: readonly T[], count: number, random: Random): T[] {
  const left = [...list]
  const chosen: T[] = []
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(Math.floor(share(random) * left.length), 1))
  }
  return chosen
}
