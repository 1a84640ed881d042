/**
 * Blinded Ed25519 keys, as in version 3 of Tor's onion services (rend-spec-v3, appendix A.2): from a public key and a
 * context anybody derives another public key; only who has the secret of the first can sign for it, and who does not know
 * the first cannot tell what it came from. Signatures are ordinary ones of Ed25519.
 *
 *     factor h   clamp(SHA-256("sotto/1/blind/factor" || public key 32 || context)), modulo the order of the group
 *     public     A' = h A
 *     secret     a' = h a; nonces from SHA-512("sotto/1/blind/nonce" || prefix 32 || context)[0..32)
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concat, utf8 } from '../bytes.ts'
import { KEY_LENGTH } from '../constants.ts'
import { isStrictPoint } from './ed25519.ts'
import { sha256 } from './hash.ts'
import { requireLength } from './lengths.ts'

const { Point } = ed25519
const { Fn } = Point

/** Little-endian, modulo the order of the group. */
function scalarOf(bytes: Uint8Array): bigint {
  let value = 0n
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!)
  return Fn.create(value)
}

function bytesOf(scalar: bigint): Uint8Array {
  const bytes = new Uint8Array(KEY_LENGTH)
  for (let i = 0, rest = scalar; i < KEY_LENGTH; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

/** RFC 8032 section 5.1.5: a multiple of 8, so that a part of small order in the key would vanish. */
function factorOf(publicKey: Uint8Array, context: Uint8Array): bigint {
  const factor = sha256(utf8('sotto/1/blind/factor'), publicKey, context)
  factor[0]! &= 0xf8
  factor[31] = (factor[31]! & 0x7f) | 0x40
  return scalarOf(factor)
}

/** Derives the public keys of one person in many contexts. */
export type Blinder = (context: Uint8Array) => Uint8Array

/**
 * The key is read and checked once, which costs as much as a derivation. All is public here: it need not take the same time.
 * @returns undefined where the key is not one that `ed25519Verify` could take, or has a part of small order
 */
export function blinderOf(publicKey: Uint8Array): Blinder | undefined {
  if (publicKey.length !== KEY_LENGTH || !isStrictPoint(publicKey)) return undefined
  try {
    const point = Point.fromBytes(publicKey)
    if (!point.isTorsionFree()) return undefined
    return (context) => point.multiplyUnsafe(factorOf(publicKey, context)).toBytes()
  } catch {
    return undefined // noble refuses what is no point
  }
}

/** As `blinderOf`, for one context. */
export function blindedPublicKey(publicKey: Uint8Array, context: Uint8Array): Uint8Array | undefined {
  return blinderOf(publicKey)?.(context)
}

export interface BlindedSigner {
  readonly publicKey: Uint8Array
  /** 64 octets, the same each time. */
  sign(message: Uint8Array): Uint8Array
}

/**
 * Signs for `blindedPublicKey` of the seed's public key.
 * @throws RangeError for a seed of another length than 32
 */
export function blindedSigner(seed: Uint8Array, context: Uint8Array): BlindedSigner {
  requireLength('a seed of Ed25519', seed, KEY_LENGTH)
  const { prefix, scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
  const secret = Fn.mul(factorOf(pointBytes, context), scalar)
  const nonceKey = sha512(concat(utf8('sotto/1/blind/nonce'), prefix, context)).subarray(0, KEY_LENGTH)
  const publicKey = Point.BASE.multiply(secret).toBytes()
  return {
    publicKey,
    sign(message) {
      const nonce = scalarOf(sha512(concat(nonceKey, publicKey, message)))
      const r = Point.BASE.multiply(nonce).toBytes()
      const challenge = scalarOf(sha512(concat(r, publicKey, message)))
      return concat(r, bytesOf(Fn.add(nonce, Fn.mul(challenge, secret))))
    },
  }
}
