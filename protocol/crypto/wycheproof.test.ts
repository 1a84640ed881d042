/**
 * Project Wycheproof, every vector that fits the suite, against the native path and the noble path.
 */
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { readVectors } from '#test/helpers/vectors.ts'
import { concat, fromHex, hex } from '../bytes.ts'
import type { Aead } from './aead.ts'
import * as aead from './aead.ts'
import * as ed25519 from './ed25519.ts'
import * as hash from './hash.ts'
import * as mlkem from './mlkem.ts'
import * as noble from './noble.ts'
import * as pbkdf2 from './pbkdf2.ts'
import * as x25519 from './x25519.ts'

/** Only what any of the files has; all octet strings are in hexadecimal. */
type Field = 'password' | 'dk' | 'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag' | 'ikm' | 'salt' | 'info' | 'okm' | 'sig'
type KemField = 'public' | 'private' | 'shared' | 'seed' | 'ek' | 'c' | 'm' | 'K'
type Vector = Record<Field | KemField, string> & {
  readonly tcId: number
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly size: number
  readonly iterationCount: number
  readonly dkLen: number
}
interface Group {
  readonly ivSize: number
  readonly keySize: number
  readonly tagSize: number
  readonly publicKey: { readonly pk: string }
  readonly tests: readonly Vector[]
}

type Suite = Omit<typeof noble, 'argon2id'>
const suites: Record<string, Suite> = {
  native: { ...aead, ...ed25519, ...hash, ...mlkem, ...pbkdf2, ...x25519 },
  noble,
}
const bytes = (text: string): Uint8Array => fromHex(text)!

type Check = (t: ExecutionContext, suite: Suite, vector: Vector, group: Group) => void
interface Plan {
  readonly file: string
  /** Vectors that have to be run: all that the file held when this was written. */
  readonly least: number
  /** Groups outside the suite: other key, nonce or tag lengths. */
  readonly fits?: (group: Group) => boolean
  readonly check: Check
}

function wycheproof({ file, least, fits = () => true, check }: Plan): void {
  for (const [by, suite] of Object.entries(suites)) {
    test(`${file}: ${by}`, (t) => {
      const read = readVectors(`wycheproof/${file}_test.json`) as { testGroups: Group[] } | undefined
      if (read === undefined) {
        t.log('the folder of published vectors is absent')
        t.pass()
        return
      }
      let run = 0
      for (const group of read.testGroups.filter(fits)) {
        for (const vector of group.tests) {
          check(t, suite, vector, group)
          run++
        }
      }
      t.true(run >= least, `${run} vectors were run, not ${least}`)
    })
  }
}

const checkAead =
  (name: 'aes256gcm' | 'chacha20poly1305' | 'xchacha20poly1305'): Check =>
  (t, suite, vector) => {
    const [key, nonce, message, ad] = [bytes(vector.key), bytes(vector.iv), bytes(vector.msg), bytes(vector.aad)]
    const cipher: Aead = suite[name]
    const sealed = concat(bytes(vector.ct), bytes(vector.tag))
    if (nonce.length !== cipher.nonceLength) {
      t.throws(() => cipher.seal(key, nonce, message, ad), { instanceOf: RangeError }, `${vector.tcId}`)
      t.throws(() => cipher.open(key, nonce, sealed, ad), { instanceOf: RangeError }, `${vector.tcId}`)
    } else if (vector.result === 'valid') {
      t.deepEqual(cipher.seal(key, nonce, message, ad), sealed, `${vector.tcId}`)
      t.deepEqual(cipher.open(key, nonce, sealed, ad), message, `${vector.tcId}`)
    } else {
      t.is(cipher.open(key, nonce, sealed, ad), undefined, `${vector.tcId}`)
    }
  }

wycheproof({
  file: 'aes_gcm',
  least: 66,
  fits: ({ keySize, ivSize, tagSize }) => keySize === 256 && ivSize === 96 && tagSize === 128,
  check: checkAead('aes256gcm'),
})
wycheproof({ file: 'chacha20_poly1305', least: 325, check: checkAead('chacha20poly1305') })
wycheproof({ file: 'xchacha20_poly1305', least: 315, check: checkAead('xchacha20poly1305') })

wycheproof({
  file: 'hmac_sha256',
  least: 87,
  fits: ({ tagSize }) => tagSize === 256,
  check(t, suite, { tcId, key, msg, tag, result }) {
    t.is(hex(suite.hmacSha256(bytes(key), bytes(msg))) === tag, result === 'valid', `${tcId}`)
  },
})

wycheproof({
  file: 'hkdf_sha256',
  least: 86,
  check(t, suite, { tcId, ikm, salt, info, size, okm, result }) {
    const derive = (): Uint8Array => suite.hkdfSha256(bytes(ikm), bytes(salt), bytes(info), size)
    if (result === 'valid') t.is(hex(derive()), okm, `${tcId}`)
    else t.throws(derive, { instanceOf: RangeError }, `${tcId}`)
  },
})

wycheproof({
  file: 'pbkdf2_hmacsha256',
  least: 60,
  check(t, suite, { tcId, password, salt, iterationCount, dkLen, dk, result }) {
    const derive = (): Uint8Array => suite.pbkdf2Sha256(bytes(password), bytes(salt), iterationCount, dkLen)
    if (result === 'valid') t.is(hex(derive()), dk, `${tcId}`)
    else t.throws(derive, { instanceOf: RangeError }, `${tcId}`)
  },
})

wycheproof({
  file: 'x25519',
  least: 518,
  check(t, suite, { tcId, public: publicKey, private: secret, shared }) {
    const expected = /^0+$/.test(shared) ? undefined : bytes(shared)
    t.deepEqual(suite.x25519Agree(bytes(secret), bytes(publicKey)), expected, `${tcId}`)
  },
})

wycheproof({
  file: 'ed25519',
  least: 151,
  check(t, suite, { tcId, msg, sig, result }, { publicKey }) {
    t.is(suite.ed25519Verify(bytes(publicKey.pk), bytes(sig), bytes(msg)), result === 'valid', `${tcId}`)
  },
})

wycheproof({
  file: 'mlkem_768_keygen_seed',
  least: 100,
  check(t, suite, { tcId, seed, ek }) {
    t.is(hex(suite.mlkem768.keygen(bytes(seed)).publicKey), ek, `${tcId}`)
  },
})

wycheproof({
  file: 'mlkem_768_encaps',
  least: 265,
  check(t, suite, { tcId, ek, m, c, K, result }) {
    const expected = result === 'valid' ? { ciphertext: bytes(c), shared: bytes(K) } : undefined
    t.deepEqual(suite.mlkem768.encapsulate(bytes(ek), bytes(m)), expected, `${tcId}`)
  },
})

wycheproof({
  file: 'mlkem_768',
  least: 193,
  check(t, { mlkem768 }, { tcId, seed, ek, c, K, result }) {
    if (seed.length !== 128) {
      t.throws(() => mlkem768.keygen(bytes(seed)), { instanceOf: RangeError }, `${tcId}`)
      t.throws(() => mlkem768.decapsulate(bytes(seed), bytes(c)), { instanceOf: RangeError }, `${tcId}`)
      return
    }
    const { publicKey, secretKey } = mlkem768.keygen(bytes(seed))
    t.is(hex(publicKey), ek, `${tcId}`)
    t.deepEqual(mlkem768.decapsulate(secretKey, bytes(c)), result === 'valid' ? bytes(K) : undefined, `${tcId}`)
  },
})

test('mlkem_768_semi_expanded_decaps: the library below, since the suite keeps no expanded keys', (t) => {
  const file = 'wycheproof/mlkem_768_semi_expanded_decaps_test.json'
  const read = readVectors(file) as { testGroups: Group[] } | undefined
  if (read === undefined) {
    t.log('the folder of published vectors is absent')
    t.pass()
    return
  }
  const vectors = read.testGroups.flatMap(({ tests }) => tests)
  t.true(vectors.length >= 9)
  for (const { tcId, dk, c, K, result } of vectors) {
    const decapsulate = (): Uint8Array => ml_kem768.decapsulate(bytes(c), bytes(dk))
    if (result === 'valid') t.is(hex(decapsulate()), K, `${tcId}`)
    else t.throws(decapsulate, undefined, `${tcId}`)
  }
})
