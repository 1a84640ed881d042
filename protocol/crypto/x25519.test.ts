import test from 'ava'
import fc from 'fast-check'
import { readVectors } from '#test/helpers/vectors.ts'
import { fromHex, hex } from '../bytes.ts'
import * as noble from './noble.ts'
import * as native from './x25519.ts'

const numRuns = process.env.SOTTO_LONG ? 1000 : 60
const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const bytes = (text: string): Uint8Array => fromHex(text)!

/** Order 1, 2, 4 and 8 on the curve and its twist, in every encoding below 2^255. */
const lowOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]

for (const [by, suite] of Object.entries({ native, noble })) {
  test(`known answers: ${by}`, (t) => {
    // RFC 7748 section 5.2
    const scalar = bytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
    const u = bytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
    t.is(hex(suite.x25519Agree(scalar, u)!), 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552')
    // RFC 7748 section 6.1
    const alice = bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    const bob = bytes('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    t.is(hex(suite.x25519PublicKey(alice)), '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
    t.is(hex(suite.x25519Agree(alice, bob)!), '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')
  })

  test(`a point of low order gives nothing: ${by}`, (t) => {
    const secret = bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    for (const point of lowOrder) {
      const withTopBit = bytes(point)
      withTopBit[31]! |= 0x80
      t.is(suite.x25519Agree(secret, bytes(point)), undefined, point)
      t.is(suite.x25519Agree(secret, withTopBit), undefined, point)
    }
  })

  test(`keys of another length: ${by}`, (t) => {
    const good = new Uint8Array(32).fill(9)
    for (const length of [0, 31, 33, 64]) {
      t.is(suite.x25519Agree(good, new Uint8Array(length).fill(9)), undefined)
      t.is(suite.x25519Agree(new Uint8Array(length).fill(9), good), undefined)
      t.throws(() => suite.x25519PublicKey(new Uint8Array(length)), { instanceOf: RangeError })
    }
    t.not(suite.x25519Agree(good, good), undefined)
  })

  test(`a thousand iterations of RFC 7748 section 5.2: ${by}`, (t) => {
    const file = readVectors('kdf/rfc-kdf.json') as { x25519_rfc7748: { iter1: string; iter1000: string } } | undefined
    if (file === undefined) {
      t.log('the folder of published vectors is absent')
      t.pass()
      return
    }
    let k: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0))
    let u: Uint8Array = k
    for (let i = 0; i < 1000; i++) {
      ;[k, u] = [suite.x25519Agree(k, u)!, k]
      if (i === 0) t.is(hex(k), file.x25519_rfc7748.iter1)
    }
    t.is(hex(k), file.x25519_rfc7748.iter1000)
  })

  test(`results are plain byte arrays: ${by}`, (t) => {
    const publicKey = suite.x25519PublicKey(new Uint8Array(32))
    for (const result of [publicKey, suite.x25519Agree(publicKey, publicKey)!]) {
      t.is(Object.getPrototypeOf(result), Uint8Array.prototype)
    }
  })
}

test('native equals noble on any two octet strings, and both ends agree', (t) => {
  fc.assert(
    fc.property(key, key, key, (a, b, anything) => {
      const [publicA, publicB] = [native.x25519PublicKey(a), native.x25519PublicKey(b)]
      t.deepEqual(noble.x25519PublicKey(a), publicA)
      t.deepEqual(native.x25519Agree(a, anything), noble.x25519Agree(a, anything))
      t.deepEqual(native.x25519Agree(a, publicB), native.x25519Agree(b, publicA))
    }),
    { numRuns },
  )
})

test('a secret that was wiped or changed after its use is not used any more', (t) => {
  const secret = new Uint8Array(32).fill(7)
  const other = native.x25519PublicKey(new Uint8Array(32).fill(9))
  const first = native.x25519Agree(secret, other)
  t.deepEqual(native.x25519Agree(secret, other), first)
  secret.fill(8)
  t.deepEqual(native.x25519Agree(secret, other), native.x25519Agree(new Uint8Array(32).fill(8), other))
  t.deepEqual(native.x25519PublicKey(secret), noble.x25519PublicKey(secret))
  secret.fill(0)
  t.deepEqual(native.x25519Agree(secret, other), noble.x25519Agree(new Uint8Array(32), other))
  t.notDeepEqual(native.x25519Agree(secret, other), first)
})
