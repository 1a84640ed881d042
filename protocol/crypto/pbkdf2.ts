/** PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2), on OpenSSL through node:crypto. For reading what others made with it. */
import { pbkdf2Sync } from 'node:crypto'
import { plain } from './plain.ts'

/** A second on a slow machine; more is a mistake or somebody else's number. */
const ITERATIONS_MAX = 10_000_000
const LENGTH_MAX = 1024

/** @throws RangeError */
export function requirePbkdf2Bounds(iterations: number, length: number): void {
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > ITERATIONS_MAX) {
    throw new RangeError(`PBKDF2 takes 1 to ${ITERATIONS_MAX} iterations, not ${iterations}`)
  }
  if (!Number.isInteger(length) || length < 1 || length > LENGTH_MAX) {
    throw new RangeError(`PBKDF2 gives 1 to ${LENGTH_MAX} octets, not ${length}`)
  }
}

/**
 * Blocks for as long as it takes: 0.1 s for 600,000 iterations.
 * @throws RangeError for iterations or a `length` out of range
 */
export function pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Uint8Array {
  requirePbkdf2Bounds(iterations, length)
  return plain(pbkdf2Sync(password, salt, iterations, length, 'sha256'))
}
