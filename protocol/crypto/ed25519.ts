/**
 * Ed25519 (RFC 8032), on OpenSSL through node:crypto, with the strictest reading of what a signature is: canonical
 * encodings only, neither key nor R of small order, S below the group order, and the equation without the cofactor.
 * A signature then fits one message and one key, and nobody but its maker can give it another spelling.
 */

import type { KeyObject } from 'node:crypto'
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { fromHex, hex } from '../bytes.ts'
import { KEY_LENGTH } from '../constants.ts'
import { requireLength } from './lengths.ts'
import { plain } from './plain.ts'

const POINT_LENGTH = 32
const SIGNATURE_LENGTH = 64 // R 32 || S 32

const privateKey = (seed: Uint8Array): KeyObject => {
  requireLength('a seed of Ed25519', seed, KEY_LENGTH)
  return createPrivateKey({ key: seed, format: 'raw-private', asymmetricKeyType: 'ed25519' })
}

/**
 * Public key of a seed of 32 random octets.
 * @throws RangeError for another length
 */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  return plain(createPublicKey(privateKey(seed)).export({ format: 'raw-public' }))
}

/**
 * Signature, 64 octets, the same each time.
 * @throws RangeError for a seed of another length than 32
 */
export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519Signer(seed)(message)
}

/**
 * Signs many messages under one seed, which is read once: that costs as much as a signature does.
 * @throws RangeError for a seed of another length than 32
 */
export function ed25519Signer(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  const key = privateKey(seed)
  return (message) => plain(sign(null, message, key))
}

/** Never throws: any malformed key or signature is just not valid. */
export function ed25519Verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  if (publicKey.length !== KEY_LENGTH || signature.length !== SIGNATURE_LENGTH) return false
  if (!isStrictPoint(publicKey) || !isStrictPoint(signature.subarray(0, POINT_LENGTH))) return false
  const key = createPublicKey({ key: publicKey, format: 'raw-public', asymmetricKeyType: 'ed25519' })
  return verify(null, message, key, signature)
}

/** y of the eight points of small order: 1, -1, 0 and the two of order 8. The sign of x does not matter. */
const smallOrder: ReadonlySet<string> = new Set([
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
])

/** 2^255 - 19, little-endian. */
const prime: Uint8Array = fromHex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')!

/**
 * Whether 32 octets are no second spelling (y below the prime) and no point of small order. Not whether they are a point.
 * OpenSSL asks neither; node asks for the order in its later releases only.
 */
export function isStrictPoint(encoding: Uint8Array): boolean {
  const y = new Uint8Array(encoding)
  y[31]! &= 0x7f
  return isBelowPrime(y) && !smallOrder.has(hex(y))
}

function isBelowPrime(y: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) if (y[i] !== prime[i]) return y[i]! < prime[i]!
  return false
}
