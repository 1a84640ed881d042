/**
 * The 60 digits that two people compare: 30 a side, the smaller side first, so both see the same. libsignal's rule, which
 * makes finding a second key with the same digits 5,200 times as dear:
 *
 *     digest 0   = 00 00 || key || id
 *     digest i+1 = SHA-512(digest i || key), 5,200 times
 *     side       = 6 groups of 5 digits: 5 octets of the digest, big-endian, modulo 100,000
 */
import { sha512 } from '@noble/hashes/sha2.js'
import { concat, u16 } from '#protocol/bytes.ts'
import { documentHash, type PublicIdentity } from './documents.ts'

const VERSION = 0
const ITERATIONS = 5200
const GROUPS = 6

/** Digest of one side. `id` is what the key belongs to. */
export function fingerprintDigest(key: Uint8Array, id: Uint8Array): Uint8Array {
  let digest = concat(u16(VERSION), key, id)
  for (let i = 0; i < ITERATIONS; i++) digest = sha512(concat(digest, key))
  return digest
}

/** 60 digits of two digests, in either order. */
export function displayDigits(a: Uint8Array, b: Uint8Array): string {
  return [digits(a), digits(b)].sort().join('')
}

function digits(digest: Uint8Array): string {
  const group = (at: number): string => {
    const value = digest.subarray(at, at + 5).reduce((sum, octet) => sum * 256 + octet, 0)
    return String(value % 100_000).padStart(5, '0')
  }
  return Array.from({ length: GROUPS }, (_, i) => group(i * 5)).join('')
}

/** 60 digits for two people; they cover the newest document of each, and so both keys. */
export function fingerprint(a: PublicIdentity, b: PublicIdentity): string {
  const digest = (person: PublicIdentity): Uint8Array => fingerprintDigest(documentHash(person), person.uid)
  return displayDigits(digest(a), digest(b))
}
