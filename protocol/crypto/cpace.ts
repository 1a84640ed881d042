/**
 * CPace over ristretto255 with SHA-512 (draft-irtf-cfrg-cpace, appendix B.3): two people who know the same secret, and only
 * they, come to the same key. Who does not know it can try one guess in each run, and none afterwards.
 *
 *     generator = map(SHA-512(lv("CPaceRistretto255", secret, zeros, channel, run)))
 *     share     = scalar * generator                       K = own scalar * their share
 *     key       = SHA-512(lv("CPaceRistretto255_ISK", run, K) || lv(first share, first data) || lv(second share, second data))
 *
 * lv puts the length of each part before it, as LEB128; the zeros fill the first block of the hash.
 */
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concat, utf8 } from '../bytes.ts'
import { KEY_LENGTH } from '../constants.ts'
import { requireLength } from './lengths.ts'

const { Point } = ristretto255
const DOMAIN = utf8('CPaceRistretto255')
const KEY_DOMAIN = utf8('CPaceRistretto255_ISK')
/** Octets of a block of SHA-512. */
const BLOCK = 128

/** What both have to agree on before they begin. */
export interface CpaceRun {
  /** Of low entropy, as people choose it. */
  readonly secret: Uint8Array
  /** Who talks to whom about what. */
  readonly channel: Uint8Array
  /** Unique. */
  readonly run: Uint8Array
}

/** What one side has sent, and what it says of itself. */
export interface CpaceSide {
  /** 32 octets. */
  readonly share: Uint8Array
  readonly data: Uint8Array
}

/** Each part with its length before it, LEB128. */
export function withLengths(...parts: readonly Uint8Array[]): Uint8Array {
  return concat(...parts.flatMap((part) => [lengthOf(part.length), part]))
}

function lengthOf(length: number): Uint8Array {
  const octets: number[] = []
  for (let rest = length; ; rest >>= 7) {
    if (rest < 128) return Uint8Array.of(...octets, rest)
    octets.push((rest & 0x7f) | 0x80)
  }
}

/** Encoded, 32 octets: as secret as the secret it is made of. */
export function cpaceGenerator({ secret, channel, run }: CpaceRun): Uint8Array {
  const before = withLengths(DOMAIN, secret).length
  const zeros = new Uint8Array(Math.max(0, BLOCK - 1 - before))
  const text = withLengths(DOMAIN, secret, zeros, channel, run)
  return ristretto255_hasher.deriveToCurve!(sha512(text)).toBytes()
}

/** Little-endian; 252 of 256 bits, below the order of the group, so nothing is reduced. */
function scalarOf(random: Uint8Array): bigint {
  requireLength('the scalar of CPace', random, KEY_LENGTH)
  let value = 0n
  for (let i = KEY_LENGTH - 1; i >= 0; i--) value = (value << 8n) | BigInt(random[i]!)
  return value & ((1n << 252n) - 1n)
}

/**
 * What is sent.
 * @param random 32 octets that are used once and stay secret
 * @throws RangeError for another length
 */
export function cpaceShare(generator: Uint8Array, random: Uint8Array): Uint8Array {
  return Point.fromBytes(generator).multiply(scalarOf(random)).toBytes()
}

/**
 * The key of 64 octets: the same on both sides exactly where their secrets, channels, runs and data were.
 * @param random as given to `cpaceShare`
 * @param theirs what the other side has sent; one of `first` and `second`
 * @returns undefined where the share is none, in its one spelling, or would give a key that anybody knows
 */
export function cpaceKey(input: {
  readonly random: Uint8Array
  readonly theirs: Uint8Array
  readonly run: Uint8Array
  readonly first: CpaceSide
  readonly second: CpaceSide
}): Uint8Array | undefined {
  const { random, theirs, run, first, second } = input
  const shared = multiplied(theirs, scalarOf(random))
  if (shared === undefined) return undefined
  const messages = [first, second].map(({ share, data }) => withLengths(share, data))
  return sha512(concat(withLengths(KEY_DOMAIN, run, shared), ...messages))
}

function multiplied(encoded: Uint8Array, scalar: bigint): Uint8Array | undefined {
  try {
    const point = Point.fromBytes(encoded)
    return point.equals(Point.ZERO) ? undefined : point.multiply(scalar).toBytes()
  } catch {
    return undefined // noble refuses what is no element of the group
  }
}
