/**
 * Decoration: the parts of a message that vary as the real thing's do and carry nothing. Their ends are found without native code:
 * strangers' requests are read by it, too, and rare ones find nothing of it in the processor's caches.
 */
import { sextetsOf } from '#protocol/sextets.ts'
import type { Filler } from './hole.ts'
import type { AlphabetName } from './template.ts'

const digits = '0123456789'
const ZERO = 0x30
const lower = 'abcdefghijklmnopqrstuvwxyz'
const alphabets: Readonly<Record<AlphabetName, string>> = {
  digits,
  hex: `${digits}abcdef`,
  base36: digits + lower,
  base62: digits + lower.toUpperCase() + lower,
}

export function createRun(name: string, alphabetName: AlphabetName, [min, max]: readonly [number, number]): Filler {
  const alphabet = alphabets[alphabetName]
  const known = sextetsOf(alphabet)
  const endsItself = min === max
  return {
    kind: 'filler',
    name,
    alphabet,
    min,
    max,
    endsItself,
    bits: min * Math.log2(alphabet.length),
    span(text, at) {
      let end = at
      const last = Math.min(text.length, at + max)
      while (end < last && known[text.charCodeAt(end)]! >= 0) end++
      return end - at >= min ? end : -1
    },
    draw: (draw) => draw.text(alphabet, min + draw.below(max - min + 1)),
  }
}

export function createNumber(name: string, [from, to]: readonly [number, number]): Filler {
  const min = String(from).length
  const max = String(to).length
  return {
    kind: 'filler',
    name,
    alphabet: digits,
    min,
    max,
    endsItself: min === max,
    bits: Math.log2(to - from + 1),
    span(text, at) {
      let [end, value] = [at, 0]
      const last = Math.min(text.length, at + max)
      for (; end < last; end++) {
        const digit = text.charCodeAt(end) - ZERO
        if (digit < 0 || digit > 9) break
        value = 10 * value + digit
      }
      const plain = end === at + 1 || (end > at && text.charCodeAt(at) !== ZERO)
      return plain && value >= from && value <= to ? end : -1
    },
    draw: (draw) => String(from + draw.below(to - from + 1)),
  }
}

export function createChoice(name: string, values: readonly string[]): Filler {
  const distinct = [...new Set(values)].sort((a, b) => b.length - a.length)
  const prefixFree = distinct.every((value) => distinct.every((other) => other === value || !other.startsWith(value)))
  return {
    kind: 'filler',
    name,
    alphabet: [...new Set(distinct.join(''))].join(''),
    min: distinct.at(-1)!.length,
    max: distinct[0]!.length,
    endsItself: prefixFree,
    bits: Math.log2(distinct.length),
    span(text, at) {
      // Longest first: where one value begins another, what follows is outside their alphabet (pattern.ts sees to it).
      for (const value of distinct) if (text.startsWith(value, at)) return at + value.length
      return -1
    },
    draw: (draw) => values[draw.below(values.length)]!,
  }
}
