/**
 * X25519 (RFC 7748), on OpenSSL through node:crypto. Raw keys go in and out; the `raw-*` formats are node's quickest way,
 * and a secret is read once.
 */

import type { KeyObject } from 'node:crypto'
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { constantTimeEqual, fastEqual } from '../bytes.ts'
import { KEY_LENGTH } from '../constants.ts'
import { sha256 } from './hash.ts'
import { requireLength } from './lengths.ts'
import { plain } from './plain.ts'

interface Known {
  /** SHA-256 of the octets that the key was read from: no second copy of them stays behind. */
  readonly hash: Uint8Array
  readonly key: KeyObject
}

/**
 * Keys that were read, by the array that holds the secret: reading one costs as much as an agreement, since OpenSSL computes
 * the public key. Gone with its array, and not used for octets that have changed or were wiped since.
 */
const known = new WeakMap<Uint8Array, Known>()

function privateKey(secret: Uint8Array): KeyObject {
  const [before, hash] = [known.get(secret), sha256(secret)]
  if (before !== undefined && constantTimeEqual(before.hash, hash)) return before.key
  const key = createPrivateKey({ key: secret, format: 'raw-private', asymmetricKeyType: 'x25519' })
  known.set(secret, { hash, key })
  return key
}

/** The last one: a turn of the ratchet agrees twice with the same key. */
let last: { readonly octets: Uint8Array; readonly key: KeyObject } | undefined

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  if (last !== undefined && fastEqual(last.octets, publicKey)) return last.key
  const key = createPublicKey({ key: publicKey, format: 'raw-public', asymmetricKeyType: 'x25519' })
  last = { octets: publicKey.slice(), key }
  return key
}

/**
 * Public key of any 32 random octets.
 * @throws RangeError for another length
 */
export function x25519PublicKey(secret: Uint8Array): Uint8Array {
  requireLength('a secret key of X25519', secret, KEY_LENGTH)
  return plain(createPublicKey(privateKey(secret)).export({ format: 'raw-public' }))
}

/**
 * Shared secret, 32 octets. undefined where either key has another length than 32, and where the result would be all zero:
 * then the other side contributed a point of low order (RFC 7748 section 6.1).
 */
export function x25519Agree(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    const keys = { privateKey: privateKey(secret), publicKey: publicKeyObject(publicKey) }
    return plain(diffieHellman(keys))
  } catch {
    return undefined // node refuses other lengths, OpenSSL the all-zero result
  }
}
