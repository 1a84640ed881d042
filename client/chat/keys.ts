/** X25519 as the chat uses it: key pairs, one spelling for each key, and several agreements joined into one secret. */
import { concat } from '#protocol/bytes.ts'
import { x25519Agree, x25519PublicKey } from '#protocol/crypto/x25519.ts'

export interface KeyPair {
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
}

/** From 32 random octets. */
export function keyPair(secret: Uint8Array): KeyPair {
  return { secret, publicKey: x25519PublicKey(secret) }
}

/** True for 32 octets below 2^255 - 19, little-endian: X25519 itself would take other spellings of the same key as well. */
export function isCanonicalKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32 || publicKey[31]! > 0x7f) return false
  if (publicKey[31]! < 0x7f || publicKey[0]! < 0xed) return true
  return publicKey.subarray(1, 31).some((octet) => octet !== 0xff)
}

/** One agreement. */
export type Agreement = readonly [secret: Uint8Array, publicKey: Uint8Array]

/**
 * Input of the key derivation of a session's start (X3DH section 2.2): 32 octets of 0xff, then the agreements in order.
 * A one-time prekey would be one more agreement; a KEM's secret would follow them. undefined where a public key is not
 * canonical or makes an all-zero secret.
 */
export function joinAgreements(agreements: readonly Agreement[]): Uint8Array | undefined {
  const parts: Uint8Array[] = [new Uint8Array(32).fill(0xff)]
  for (const [secret, publicKey] of agreements) {
    const shared = isCanonicalKey(publicKey) ? x25519Agree(secret, publicKey) : undefined
    if (shared === undefined) return undefined
    parts.push(shared)
  }
  return concat(...parts)
}
