/**
 * SHA-256 (FIPS 180-4), SHA3-512 (FIPS 202), HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869), on OpenSSL through node:crypto.
 *
 * No keyed object: for many short messages under one key there is `prepared-hmac.ts`.
 */
import { createHash, createHmac, hash, hkdfSync } from 'node:crypto'
import { plain } from './plain.ts'

/** RFC 5869 section 2.3. */
const HKDF_MAX = 255 * 32
/** OpenSSL takes no more. */
const INFO_MAX = 1024

/** SHA-256 of the parts put together, 32 octets. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  if (first !== undefined && parts.length === 1) return plain(hash('sha256', first, 'buffer'))
  const state = createHash('sha256')
  for (const part of parts) state.update(part)
  return plain(state.digest())
}

/** HMAC-SHA-256 of the parts put together, 32 octets. The key may have any length. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const state = createHmac('sha256', key)
  for (const part of parts) state.update(part)
  return plain(state.digest())
}

/**
 * SHA3-512 (FIPS 202), 64 octets: two keys for the price of one call. With a secret in its message it is a pseudo-random function as
 * it stands, since a sponge is indifferentiable from a random function (Bertoni et al. 2008): HMAC would hash twice, and cost an object.
 */
export function sha3of512(message: Uint8Array): Uint8Array {
  return plain(hash('sha3-512', message, 'buffer'))
}

/** @throws RangeError for a `length` outside 1 to 8160 octets, or more than 1024 octets of `info` */
export function requireHkdfBounds(info: Uint8Array, length: number): void {
  if (!Number.isInteger(length) || length < 1 || length > HKDF_MAX) {
    throw new RangeError(`HKDF gives 1 to ${HKDF_MAX} octets, not ${length}`)
  }
  if (info.length > INFO_MAX) throw new RangeError(`info of HKDF has at most ${INFO_MAX} octets, not ${info.length}`)
}

/**
 * Extract and expand. An empty salt stands for 32 zero octets.
 * @throws RangeError for a `length` outside 1 to 8160 octets, or more than 1024 octets of `info`
 */
export function hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  requireHkdfBounds(info, length)
  return new Uint8Array(hkdfSync('sha256', ikm, salt, info, length))
}
