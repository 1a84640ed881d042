/**
 * The sealed bytes that one exchange carries in one direction. Spec section 5.
 *
 *     parcel = AEAD(key of epoch and direction, nonce = 0 (4) || exchange number (8), associated = token 16 || binding, body)
 *
 * The exchange number is nowhere on the wire: the token stands for it. One number is sealed once in each direction. The
 * binding names the kind of request (`requestBinding`): of all templates that could be meant, one alone authenticates.
 */

import { concat, u64 } from './bytes.ts'
import { PARCEL_MIN, TAG_LENGTH } from './constants.ts'
import type { Aead } from './crypto/aead.ts'
import { aes256gcm, chacha20poly1305 } from './crypto/aead.ts'

/** Suites a session may use, by their number in `hello` and `reply`. */
export const aeads: readonly [Aead, Aead] = [chacha20poly1305, aes256gcm]

export const SuiteId = { chacha20poly1305: 0, aes256gcm: 1 } as const

const prefix = new Uint8Array(4)
const nonceOf = (number: number): Uint8Array => concat(prefix, u64(number))

/** Octets of body in a parcel of `length` octets. */
export function bodyLength(length: number): number {
  if (length < PARCEL_MIN) throw new RangeError(`a parcel has at least ${PARCEL_MIN} octets, not ${length}`)
  return length - TAG_LENGTH
}

export function sealParcel(
  aead: Aead,
  key: Uint8Array,
  number: number,
  associated: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  return aead.seal(key, nonceOf(number), body, associated)
}

/** undefined where the parcel is not authentic for this number, token and binding. */
export function openParcel(
  aead: Aead,
  key: Uint8Array,
  number: number,
  associated: Uint8Array,
  parcel: Uint8Array,
): Uint8Array | undefined {
  if (parcel.length < PARCEL_MIN) return undefined
  return aead.open(key, nonceOf(number), parcel, associated)
}
