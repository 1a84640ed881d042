/**
 * The whole suite on noble alone: a second, independent implementation that every native primitive has to equal octet for
 * octet. Of these only ML-KEM and Argon2id ever stand in for the native ones (native.ts says where).
 */
import { gcm } from '@noble/ciphers/aes.js'
import { chacha20poly1305 as chacha, xchacha20poly1305 as xchacha } from '@noble/ciphers/chacha.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { pbkdf2 } from '@noble/hashes/pbkdf2.js'
import { sha256 as nobleSha256, sha512 } from '@noble/hashes/sha2.js'
import { sha3_512 } from '@noble/hashes/sha3.js'
import { concat, fastEqual } from '../bytes.ts'
import { KEY_LENGTH, TAG_LENGTH } from '../constants.ts'
import type { Aead } from './aead.ts'
import { requireKeyAndNonce } from './aead.ts'
import { requireHkdfBounds } from './hash.ts'
import { requireLength } from './lengths.ts'
import { requirePbkdf2Bounds } from './pbkdf2.ts'

export { portableArgon2id as argon2id } from './argon2id.ts'
export { portableMlkem768 as mlkem768, portableMlkem1024 as mlkem1024 } from './mlkem.ts'

type Cipher = typeof gcm | typeof chacha

function nobleAead(name: Aead['name'], nonceLength: Aead['nonceLength'], cipher: Cipher): Aead {
  const suite: Aead = {
    name,
    nonceLength,
    seal(key, nonce, plaintext, associated) {
      requireKeyAndNonce(suite, key, nonce)
      return cipher(key, nonce, associated).encrypt(plaintext)
    },
    open(key, nonce, sealed, associated) {
      requireKeyAndNonce(suite, key, nonce)
      if (sealed.length < TAG_LENGTH) return undefined
      try {
        return cipher(key, nonce, associated).decrypt(sealed)
      } catch {
        return undefined
      }
    },
  }
  return suite
}

export const chacha20poly1305: Aead = nobleAead('chacha20-poly1305', 12, chacha)
export const aes256gcm: Aead = nobleAead('aes-256-gcm', 12, gcm)
export const xchacha20poly1305: Aead = nobleAead('xchacha20-poly1305', 24, xchacha)

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return nobleSha256(concat(...parts))
}

export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return hmac(nobleSha256, key, concat(...parts))
}

export function sha3of512(message: Uint8Array): Uint8Array {
  return sha3_512(message)
}

export function hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  requireHkdfBounds(info, length)
  return hkdf(nobleSha256, ikm, salt, info, length)
}

export function x25519PublicKey(secret: Uint8Array): Uint8Array {
  requireLength('a secret key of X25519', secret, KEY_LENGTH)
  return x25519.getPublicKey(secret)
}

export function x25519Agree(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(secret, publicKey)
  } catch {
    return undefined // noble refuses other lengths and the all-zero result
  }
}

export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  requireLength('a seed of Ed25519', seed, KEY_LENGTH)
  return ed25519.getPublicKey(seed)
}

export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  requireLength('a seed of Ed25519', seed, KEY_LENGTH)
  return ed25519.sign(message, seed)
}

export function ed25519Verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  if (publicKey.length !== KEY_LENGTH || signature.length !== 64) return false
  return ed25519.verify(signature, message, publicKey, { zip215: false }) && isExact(publicKey, signature, message)
}

const { Point } = ed25519
const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)

/**
 * R = [S]B - [k]A, and R not of small order. noble lets any R pass and checks only up to the cofactor, OpenSSL exactly
 * (RFC 8032 section 5.1.7 allows both).
 */
function isExact(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  const r = signature.subarray(0, 32)
  const s = littleEndian(signature.subarray(32))
  const k = Point.Fn.create(littleEndian(sha512(concat(r, publicKey, message))))
  const difference = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey).multiplyUnsafe(k))
  return fastEqual(difference.toBytes(), r) && !difference.isSmallOrder()
}

export function pbkdf2Sha256(password: Uint8Array, salt: Uint8Array, iterations: number, length: number): Uint8Array {
  requirePbkdf2Bounds(iterations, length)
  return pbkdf2(nobleSha256, password, salt, { c: iterations, dkLen: length })
}
