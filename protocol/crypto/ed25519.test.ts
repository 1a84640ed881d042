import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import test from 'ava'
import fc from 'fast-check'
import { concat, fromHex, hex, u32 } from '../bytes.ts'
import * as native from './ed25519.ts'
import * as noble from './noble.ts'

const numRuns = process.env.SOTTO_LONG ? 1000 : 40
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })
const message = fc.uint8Array({ maxLength: 200 })
const bytes = (text: string): Uint8Array => fromHex(text)!
const suites = { native, noble }
const { Point } = ed25519
const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')

const little = (number: bigint): Uint8Array => bytes(number.toString(16).padStart(64, '0')).reverse()
const number = (octets: Uint8Array): bigint => BigInt(`0x${hex(new Uint8Array(octets).reverse())}`)
const challenge = (...parts: Uint8Array[]): bigint => Point.Fn.create(number(sha512(concat(...parts))))

for (const [by, suite] of Object.entries(suites)) {
  test(`known answer: ${by}`, (t) => {
    // RFC 8032 section 7.1, test 3
    const secret = bytes('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7')
    const publicKey = bytes('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025')
    const signature = bytes(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    )
    t.deepEqual(suite.ed25519PublicKey(secret), publicKey)
    t.deepEqual(suite.ed25519Sign(secret, bytes('af82')), signature)
    t.true(suite.ed25519Verify(publicKey, signature, bytes('af82')))
    t.false(suite.ed25519Verify(publicKey, signature, bytes('af83')))
  })

  test(`lengths: ${by}`, (t) => {
    for (const length of [0, 31, 33, 64]) {
      const other = new Uint8Array(length)
      t.throws(() => suite.ed25519PublicKey(other), { instanceOf: RangeError })
      t.throws(() => suite.ed25519Sign(other, other), { instanceOf: RangeError })
    }
    const secret = new Uint8Array(32)
    const signature = suite.ed25519Sign(secret, secret)
    const publicKey = suite.ed25519PublicKey(secret)
    t.true(suite.ed25519Verify(publicKey, signature, secret))
    for (const key of [publicKey.subarray(1), concat(publicKey, secret)]) {
      t.false(suite.ed25519Verify(key, signature, secret))
    }
    for (const length of [0, 32, 63]) t.false(suite.ed25519Verify(publicKey, signature.subarray(0, length), secret))
    t.false(suite.ed25519Verify(publicKey, concat(signature, Uint8Array.of(0)), secret))
  })

  test(`S has one spelling: ${by}`, (t) => {
    const secret = new Uint8Array(32)
    const signature = suite.ed25519Sign(secret, secret)
    const again = concat(signature.subarray(0, 32), little(number(signature.subarray(32)) + Point.Fn.ORDER))
    t.false(suite.ed25519Verify(suite.ed25519PublicKey(secret), again, secret))
  })
}

/** [0]T to [7]T in every encoding that fits: both signs where x = 0, and y + p where y is 0 or 1. */
function smallOrderEncodings(): string[] {
  const encodings = new Set<string>()
  let point = Point.ZERO
  for (let i = 0; i < 8; i++, point = point.add(torsion)) {
    const canonical = point.toBytes()
    const y = number(canonical) & (2n ** 255n - 1n)
    for (const value of y < 19n ? [y, y + Point.Fp.ORDER] : [y]) {
      encodings.add(hex(little(value)))
      encodings.add(hex(little(value | (2n ** 255n))))
    }
  }
  return [...encodings]
}

/** Verdict of the most permissive rule, ZIP 215: shows that a signature was refused for the reason named. */
const permissive = (publicKey: Uint8Array, signature: Uint8Array, text: Uint8Array): boolean =>
  ed25519.verify(signature, text, publicKey, { zip215: true })

test('keys of small order are refused: one signature would fit every message', (t) => {
  const encodings = smallOrderEncodings()
  t.is(encodings.length, 14)
  const R = Point.BASE.multiply(777n).toBytes()
  const signature = concat(R, little(777n))
  for (const encoding of encodings) {
    const publicKey = bytes(encoding)
    t.false(native.isStrictPoint(publicKey), encoding)
    for (let i = 0; i < 16; i++) {
      t.true(permissive(publicKey, signature, u32(i)))
      for (const suite of Object.values(suites)) t.false(suite.ed25519Verify(publicKey, signature, u32(i)), encoding)
    }
  }
})

test('R of small order is refused', (t) => {
  const a = 123_456_789n
  const publicKey = Point.BASE.multiply(a).toBytes()
  for (const R of smallOrderEncodings().map(bytes)) {
    for (let i = 0; i < 16; i++) {
      const signature = concat(R, little(Point.Fn.create(challenge(R, publicKey, u32(i)) * a)))
      t.true(permissive(publicKey, signature, u32(i)))
      for (const suite of Object.values(suites)) t.false(suite.ed25519Verify(publicKey, signature, u32(i)), hex(R))
    }
  }
})

test('a strict point: y below the prime', (t) => {
  for (let y = 2n; y < 19n; y++) {
    t.true(native.isStrictPoint(little(y)))
    t.false(native.isStrictPoint(little(y + Point.Fp.ORDER)))
    t.false(native.isStrictPoint(little((y + Point.Fp.ORDER) | (2n ** 255n))))
  }
  t.true(native.isStrictPoint(little(Point.Fp.ORDER - 2n)))
})

test('the exact equation holds or nothing does: signatures that only the cofactor saves are refused', (t) => {
  const [a, r] = [123_456_789n, 987_654_321n]
  const publicKey = Point.BASE.multiply(a).add(torsion).toBytes() // of mixed order
  const R = Point.BASE.multiply(r).toBytes()
  let exact = 0
  for (let i = 0; i < 64; i++) {
    const k = challenge(R, publicKey, u32(i))
    const signature = concat(R, little(Point.Fn.create(r + k * a)))
    t.true(ed25519.verify(signature, u32(i), publicKey, { zip215: false }), 'the cofactored equation always holds')
    const expected = k % 8n === 0n
    if (expected) exact++
    for (const suite of Object.values(suites)) t.is(suite.ed25519Verify(publicKey, signature, u32(i)), expected)
  }
  t.true(exact > 0 && exact < 64)
})

test('native equals noble: keys, signatures and verdicts', (t) => {
  fc.assert(
    fc.property(seed, message, fc.nat(95), fc.nat(7), (secret, text, at, bit) => {
      const publicKey = native.ed25519PublicKey(secret)
      t.deepEqual(noble.ed25519PublicKey(secret), publicKey)
      const signature = native.ed25519Sign(secret, text)
      t.deepEqual(noble.ed25519Sign(secret, text), signature)
      const both = concat(publicKey, signature)
      for (const suite of Object.values(suites)) t.true(suite.ed25519Verify(publicKey, signature, text))
      both[at]! ^= 1 << bit
      const [changedKey, changed] = [both.subarray(0, 32), both.subarray(32)]
      for (const suite of Object.values(suites)) t.false(suite.ed25519Verify(changedKey, changed, text))
    }),
    { numRuns },
  )
})

test('verification of anything at all never throws, and leaves its arguments alone', (t) => {
  const signature = fc.uint8Array({ minLength: 64, maxLength: 64 })
  fc.assert(
    fc.property(seed, signature, message, (publicKey, sig, text) => {
      const before = hex(publicKey)
      for (const suite of Object.values(suites)) t.false(suite.ed25519Verify(Buffer.from(publicKey.buffer), sig, text))
      t.is(hex(publicKey), before)
    }),
    { numRuns },
  )
})
