/**
 * ML-KEM (FIPS 203), on OpenSSL through node:crypto where it has it. Encapsulation with given octets is by noble, since OpenSSL
 * draws its own; where they would come from the system, it may (70 us instead of 600).
 */

import type { KeyObject } from 'node:crypto'
import { createPrivateKey, createPublicKey, decapsulate, encapsulate } from 'node:crypto'
import { ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js'
import { concat, fromHex, type Random, wipe } from '../bytes.ts'
import { requireLength } from './lengths.ts'
import { nativeOr } from './native.ts'
import { plain } from './plain.ts'
import { randomBytes } from './random.ts'

/** d || z of FIPS 203 section 7.1. */
export const KEM_SEED_LENGTH = 64

export interface Encapsulated {
  readonly ciphertext: Uint8Array
  readonly shared: Uint8Array
}

export interface Kem {
  /** Octets of an encapsulation key. */
  readonly publicKeyLength: number
  readonly ciphertextLength: number
  /**
   * The secret key is a copy of the seed: 64 octets to store instead of 2400 or 3168, and expanded keys, whose parts
   * could contradict each other, do not exist.
   * @throws RangeError for a seed of another length than 64
   */
  keygen(seed: Uint8Array): { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }
  /**
   * `random`: 32 fresh random octets. undefined where the key has a wrong length or a coefficient that is not reduced
   * (FIPS 203 section 7.2).
   * @throws RangeError for other than 32 octets of randomness
   */
  encapsulate(publicKey: Uint8Array, random: Uint8Array): Encapsulated | undefined
  /** As `encapsulate`, with octets of `random`. Those of the system (`randomBytes`) OpenSSL draws itself, from the same generator. */
  encapsulateBy(publicKey: Uint8Array, random: Random): Encapsulated | undefined
  /**
   * Shared secret, 32 octets; for a ciphertext that nobody made for this key, a pseudo-random one (implicit rejection).
   * undefined only for a ciphertext of a wrong length.
   * @throws RangeError for a secret key of another length than 64
   */
  decapsulate(secretKey: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined
}

/** On noble alone. */
function portableKem(kem: typeof ml_kem768): Kem {
  const withGiven = (publicKey: Uint8Array, random: Uint8Array): Encapsulated | undefined => {
    requireLength('randomness of ML-KEM', random, 32)
    try {
      const { cipherText, sharedSecret } = kem.encapsulate(publicKey, random)
      return { ciphertext: cipherText, shared: sharedSecret.slice() }
    } catch {
      return undefined // the length of the key, or the modulus check
    }
  }
  const publicKeyLength = kem.lengths.publicKey!
  const ciphertextLength = kem.lengths.cipherText!
  return {
    publicKeyLength,
    ciphertextLength,
    keygen(seed) {
      requireLength('a seed of ML-KEM', seed, KEM_SEED_LENGTH)
      const { publicKey, secretKey } = kem.keygen(seed)
      wipe(secretKey)
      return { publicKey, secretKey: new Uint8Array(seed) }
    },
    encapsulate: withGiven,
    encapsulateBy: (publicKey, random) => withGiven(publicKey, random(32)),
    decapsulate(secretKey, ciphertext) {
      requireLength('a secret key of ML-KEM', secretKey, KEM_SEED_LENGTH)
      if (ciphertext.length !== ciphertextLength) return undefined
      const expanded = kem.keygen(secretKey).secretKey
      try {
        return kem.decapsulate(ciphertext, expanded).slice()
      } finally {
        wipe(expanded)
      }
    },
  }
}

export const portableMlkem768: Kem = portableKem(ml_kem768)
export const portableMlkem1024: Kem = portableKem(ml_kem1024)

/**
 * PKCS #8 up to the seed (RFC 9935 section 6): version, algorithm, seed [0]. Twice as quick to import as node's `raw-seed`.
 * Last octet of the algorithm's identifier: 2 for ML-KEM-768, 3 for ML-KEM-1024.
 */
const pkcs8 = (parameters: number): Uint8Array => fromHex(`3054020100300b060960864801650304040${parameters}04428040`)!

function importSeed(prefix: Uint8Array, seed: Uint8Array): KeyObject {
  requireLength('a seed of ML-KEM', seed, KEM_SEED_LENGTH)
  const der = concat(prefix, seed)
  try {
    return createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' })
  } finally {
    wipe(der)
  }
}

/** OpenSSL makes the checks of FIPS 203 section 7.2 where it reads the key. */
function nativeEncapsulate(publicKey: Uint8Array, asymmetricKeyType: KemName): Encapsulated | undefined {
  let key: KeyObject
  try {
    key = createPublicKey({ key: publicKey, format: 'raw-public', asymmetricKeyType })
  } catch {
    return undefined
  }
  const { ciphertext, sharedKey } = encapsulate(key)
  return { ciphertext: plain(ciphertext), shared: plain(sharedKey) }
}

type KemName = 'ml-kem-768' | 'ml-kem-1024'

function nativeKem(parameters: number, name: KemName, portable: Kem): Kem {
  const prefix = pkcs8(parameters)
  return {
    publicKeyLength: portable.publicKeyLength,
    ciphertextLength: portable.ciphertextLength,
    keygen(seed) {
      const publicKey = createPublicKey(importSeed(prefix, seed)).export({ format: 'raw-public' })
      return { publicKey: plain(publicKey), secretKey: new Uint8Array(seed) }
    },
    encapsulate: portable.encapsulate,
    encapsulateBy: (publicKey, random) =>
      random === randomBytes ? nativeEncapsulate(publicKey, name) : portable.encapsulateBy(publicKey, random),
    decapsulate(secretKey, ciphertext) {
      const key = importSeed(prefix, secretKey)
      if (ciphertext.length !== portable.ciphertextLength) return undefined
      return plain(decapsulate(key, ciphertext))
    },
  }
}

const choose = (parameters: number, name: KemName, portable: Kem): Kem =>
  nativeOr(nativeKem(parameters, name, portable), portable, (kem) => kem.keygen(new Uint8Array(KEM_SEED_LENGTH)))

export const mlkem768: Kem = choose(2, 'ml-kem-768', portableMlkem768)
export const mlkem1024: Kem = choose(3, 'ml-kem-1024', portableMlkem1024)
