/** Where real entropy is: values that look like encoded random octets, measured over all samples of a field. */
import type { EncodingName } from '#engine/template.ts'
import { SAMPLES_LEAST } from './limits.ts'

export interface Opaque {
  readonly encoding: EncodingName
  /** Octets of each sample. */
  readonly octets: readonly number[]
}

const alphabets: Readonly<Record<EncodingName, string>> = {
  hex: '0123456789abcdef',
  base64: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  base64url: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
}
/** Octets of the shortest value that counts: shorter ones are ids. */
const SHORTEST = 12
/** Characters of all samples together from which on a distribution can be judged. */
const POOL_LEAST = 128
/** Standard deviations that chi-square may lie from its mean. Random text passes 999,999 times of a million; words miss by hundreds. */
const DEVIATIONS = 6

/** undefined where the values are no random octets in one of the engine's encodings, or too few to tell. */
export function findOpaque(values: readonly string[]): Opaque | undefined {
  if (values.length < SAMPLES_LEAST || new Set(values).size < 0.9 * values.length) return undefined
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    const octets = values.map((value) => decodedLength(encoding, value))
    if (octets.every((length) => length !== undefined && length >= SHORTEST) && isUniform(encoding, values)) {
      return { encoding, octets: octets as number[] }
    }
  }
  return undefined
}

/** undefined where `value` is not what the encoding writes. */
function decodedLength(encoding: EncodingName, value: string): number | undefined {
  const bytes = Buffer.from(value, encoding)
  return bytes.toString(encoding) === value ? bytes.length : undefined
}

/** Chi-square over the alphabet. The last characters of base64 carry fewer bits and are left out. */
export function isUniform(encoding: EncodingName, values: readonly string[]): boolean {
  const alphabet = alphabets[encoding]
  const pool = values.map((value) => (encoding === 'hex' ? value : value.replace(/=+$/, '').slice(0, -1))).join('')
  if (pool.length < POOL_LEAST) return false
  const counts = new Map<string, number>()
  for (const character of pool) counts.set(character, (counts.get(character) ?? 0) + 1)
  const expected = pool.length / alphabet.length
  let chi = 0
  for (const character of alphabet) chi += ((counts.get(character) ?? 0) - expected) ** 2 / expected
  const freedom = alphabet.length - 1
  return Math.abs(chi - freedom) <= DEVIATIONS * Math.sqrt(2 * freedom)
}
