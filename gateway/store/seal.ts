/**
 * What stands on disk instead of ids and values.
 *
 *     key    HMAC-SHA-256(table's key key, id)                                    32 octets
 *     value  nonce 24 || XChaCha20-Poly1305(table's value key, value; AD = table || 0 || key)
 *
 * Both keys come from the store key by HKDF. A value moved to another key or table does not open.
 */

import type { Random } from '#protocol/bytes.ts'
import { concat, empty, utf8 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { hkdfSha256, hmacSha256 } from '#protocol/crypto/hash.ts'

export interface Sealer {
  /** Where the record of `id` stands. */
  locate(id: Uint8Array): Uint8Array
  seal(location: Uint8Array, value: Uint8Array): Uint8Array
  /** undefined where the record is not authentic at this location. */
  open(location: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

export function createSealer(storeKey: Uint8Array, table: string, random: Random): Sealer {
  const derive = (use: string): Uint8Array => hkdfSha256(storeKey, empty, utf8(`sotto/1/store/${table}/${use}`), 32)
  const locationKey = derive('key')
  const valueKey = derive('value')
  const associated = (location: Uint8Array): Uint8Array => concat(utf8(`${table}\0`), location)
  const nonceLength = xchacha20poly1305.nonceLength
  return {
    locate: (id) => hmacSha256(locationKey, id),
    seal(location, value) {
      const nonce = random(nonceLength)
      return concat(nonce, xchacha20poly1305.seal(valueKey, nonce, value, associated(location)))
    },
    open(location, sealed) {
      if (sealed.length < nonceLength) return undefined
      const nonce = sealed.subarray(0, nonceLength)
      return xchacha20poly1305.open(valueKey, nonce, sealed.subarray(nonceLength), associated(location))
    },
  }
}
