import test from 'ava'
import fc from 'fast-check'
import { empty, fromHex, hex, utf8 } from '../bytes.ts'
import * as native from './hash.ts'
import * as noble from './noble.ts'
import { PREPARED_MAX, preparedHmacSha256 } from './prepared-hmac.ts'

const numRuns = process.env.SOTTO_LONG ? 5000 : 200
const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 })
const any = fc.uint8Array({ maxLength: 200 })

for (const [by, suite] of Object.entries({ native, noble })) {
  test(`known answers: ${by}`, (t) => {
    // FIPS 180-4 examples
    t.is(hex(suite.sha256(utf8('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    t.is(hex(suite.sha256()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    // RFC 4231 section 4.3
    const mac = suite.hmacSha256(utf8('Jefe'), utf8('what do ya want '), utf8('for nothing?'))
    t.is(hex(mac), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
    // FIPS 202 examples
    t.is(
      hex(suite.sha3of512(utf8('abc'))),
      'b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0',
    )
    t.is(
      hex(suite.sha3of512(empty)),
      'a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a615b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26',
    )
    // RFC 5869 appendix A.1
    const okm = suite.hkdfSha256(
      fromHex('0b'.repeat(22))!,
      fromHex('000102030405060708090a0b0c')!,
      fromHex('f0f1f2f3f4f5f6f7f8f9')!,
      42,
    )
    t.is(hex(okm), '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865')
    // RFC 5869 appendix A.3: empty salt and info
    const bare = suite.hkdfSha256(fromHex('0b'.repeat(22))!, empty, empty, 42)
    t.is(hex(bare), '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8')
  })

  test(`HKDF refuses what it cannot give: ${by}`, (t) => {
    for (const length of [0, -1, 8161, 1.5, Number.NaN]) {
      t.throws(() => suite.hkdfSha256(empty, empty, empty, length), { instanceOf: RangeError })
    }
    t.throws(() => suite.hkdfSha256(empty, empty, new Uint8Array(1025), 32), { instanceOf: RangeError })
    t.is(suite.hkdfSha256(empty, empty, new Uint8Array(1024), 8160).length, 8160)
  })

  test(`results are plain byte arrays: ${by}`, (t) => {
    const results = [
      suite.sha256(empty),
      suite.sha256(empty, empty),
      suite.hmacSha256(empty, empty),
      suite.sha3of512(empty),
      suite.hkdfSha256(empty, empty, empty, 32),
    ]
    for (const result of results) t.is(Object.getPrototypeOf(result), Uint8Array.prototype)
  })
}

test('SHA-256: native equals noble, and parts equal the whole', (t) => {
  fc.assert(
    fc.property(parts, (list) => {
      const expected = noble.sha256(...list)
      t.deepEqual(native.sha256(...list), expected)
      t.deepEqual(native.sha256(Buffer.concat(list)), expected)
    }),
    { numRuns },
  )
})

test('HMAC-SHA-256: native equals noble, and parts equal the whole', (t) => {
  fc.assert(
    fc.property(any, parts, (key, list) => {
      const expected = noble.hmacSha256(key, ...list)
      t.deepEqual(native.hmacSha256(key, ...list), expected)
      t.deepEqual(native.hmacSha256(key, Buffer.concat(list)), expected)
    }),
    { numRuns },
  )
})

test('HMAC-SHA-256 of what fits in a block: our own equals noble, whatever was asked before', (t) => {
  const short = fc.uint8Array({ maxLength: PREPARED_MAX })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), short, short, (key, before, message) => {
      const prepared = preparedHmacSha256(key)
      prepared(before)
      t.deepEqual(prepared(message), noble.hmacSha256(key, message))
      t.deepEqual(prepared(Buffer.concat([message, before]), message.length), noble.hmacSha256(key, message))
    }),
    { numRuns: 5 * numRuns },
  )
  for (let length = 0; length <= PREPARED_MAX; length++) {
    const message = new Uint8Array(length).fill(0xff)
    t.deepEqual(preparedHmacSha256(message)(message), noble.hmacSha256(message, message), `${length} octets`)
  }
  // RFC 4231 section 4.3
  const mac = preparedHmacSha256(utf8('Jefe'))(utf8('what do ya want for nothing?'))
  t.is(hex(mac), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
  t.throws(() => preparedHmacSha256(new Uint8Array(65)), { instanceOf: RangeError })
  t.throws(() => preparedHmacSha256(empty)(new Uint8Array(PREPARED_MAX + 1)), { instanceOf: RangeError })
})

test('SHA3-512: native equals noble', (t) => {
  fc.assert(
    fc.property(any, (message) => {
      t.deepEqual(native.sha3of512(message), noble.sha3of512(message))
    }),
    { numRuns },
  )
})

test('HKDF-SHA-256: native equals noble', (t) => {
  fc.assert(
    fc.property(any, any, any, fc.integer({ min: 1, max: 200 }), (ikm, salt, info, length) => {
      t.deepEqual(native.hkdfSha256(ikm, salt, info, length), noble.hkdfSha256(ikm, salt, info, length))
    }),
    { numRuns },
  )
})
