import { createPublicKey } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { hex } from '../bytes.ts'
import { sha256 } from './hash.ts'
import * as native from './mlkem.ts'
import * as noble from './noble.ts'
import { randomBytes } from './random.ts'

const numRuns = process.env.SOTTO_LONG ? 500 : 25
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const counting = Uint8Array.from({ length: 64 }, (_, i) => i)

/** Seed 00 01 .. 3f, randomness 00 .. 1f: OpenSSL and noble agree on these. */
const golden = {
  mlkem768: {
    publicKey: '0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9',
    ciphertext: '39826fe40dc54a3fef68b7c228ed8fb22931012b6fa3bd3e7f204d54db0ac1e1',
    shared: '42f558b0bc5d700a911b0fc67f62376f7aee4667f1969e03f18bdfdf3c59fbdc',
    lengths: [1184, 1088],
  },
  mlkem1024: {
    publicKey: 'c7b8fa0aa471d5ae18922d6ccad5b31e1d84f92ae723abfd13747018740a8530',
    ciphertext: '2af1b28074d38e2787485b294d8f44683645adc749c1e4c62bacbd4847f02c5f',
    shared: '738a88cd9a25861e9a37c65a67ec1b39f069aed9646ede89410ace47a96a9b57',
    lengths: [1568, 1568],
  },
} as const

const both = {
  mlkem768: { native: native.mlkem768, noble: noble.mlkem768 },
  mlkem1024: { native: native.mlkem1024, noble: noble.mlkem1024 },
}
for (const name of ['mlkem768', 'mlkem1024'] as const) {
  const suites = both[name]

  for (const [by, kem] of Object.entries(suites)) {
    test(`known answer: ${name}, ${by}`, (t) => {
      t.deepEqual([kem.publicKeyLength, kem.ciphertextLength], [...golden[name].lengths])
      const { publicKey, secretKey } = kem.keygen(counting)
      const { ciphertext, shared } = kem.encapsulate(publicKey, counting.subarray(0, 32))!
      t.is(hex(sha256(publicKey)), golden[name].publicKey)
      t.is(hex(sha256(ciphertext)), golden[name].ciphertext)
      t.is(hex(shared), golden[name].shared)
      t.deepEqual(kem.decapsulate(secretKey, ciphertext), shared)
    })

    test(`lengths: ${name}, ${by}`, (t) => {
      const { publicKey, secretKey } = kem.keygen(counting)
      const { ciphertext } = kem.encapsulate(publicKey, counting.subarray(32))!
      for (const change of [-1, 1]) {
        const other = (right: Uint8Array): Uint8Array => new Uint8Array(right.length + change)
        t.throws(() => kem.keygen(other(counting)), { instanceOf: RangeError })
        t.throws(() => kem.decapsulate(other(secretKey), ciphertext), { instanceOf: RangeError })
        t.throws(() => kem.encapsulate(publicKey, new Uint8Array(32 + change)), { instanceOf: RangeError })
        t.is(kem.encapsulate(other(publicKey), counting.subarray(32)), undefined)
        t.is(kem.encapsulateBy(other(publicKey), randomBytes), undefined)
        t.is(kem.decapsulate(secretKey, other(ciphertext)), undefined)
      }
    })

    test(`the secret key outlives the seed, and results are plain byte arrays: ${name}, ${by}`, (t) => {
      const seed = Buffer.from(counting)
      const { publicKey, secretKey } = kem.keygen(seed)
      seed.fill(0)
      t.deepEqual(secretKey, counting)
      const { ciphertext, shared } = kem.encapsulate(publicKey, counting.subarray(32))!
      for (const result of [publicKey, secretKey, ciphertext, shared, kem.decapsulate(secretKey, ciphertext)!]) {
        t.is(Object.getPrototypeOf(result), Uint8Array.prototype)
      }
    })

    test(`a coefficient that is not reduced is refused, at every place: ${name}, ${by}`, (t) => {
      const { publicKey } = kem.keygen(counting)
      for (let at = 0; at < publicKey.length - 32; at += 3) {
        const bad = new Uint8Array(publicKey)
        bad[at] = 0x01 // 3329 = 0xd01 in the lower 12 bits of three octets
        bad[at + 1] = (bad[at + 1]! & 0xf0) | 0x0d
        if (kem.encapsulate(bad, counting.subarray(32)) !== undefined) t.fail(`accepted at ${at}`)
        if (kem.encapsulateBy(bad, randomBytes) !== undefined) t.fail(`accepted at ${at}, with octets of the system`)
      }
      t.pass()
    })
  }

  test(`${name}: octets of the system are drawn by whoever computes; others are those that were given`, (t) => {
    const { publicKey, secretKey } = suites.native.keygen(counting)
    for (const kem of Object.values(suites)) {
      const [first, second] = [kem.encapsulateBy(publicKey, randomBytes)!, kem.encapsulateBy(publicKey, randomBytes)!]
      t.notDeepEqual(first, second)
      for (const { ciphertext, shared } of [first, second]) {
        for (const result of [ciphertext, shared]) t.is(Object.getPrototypeOf(result), Uint8Array.prototype)
        for (const other of Object.values(suites)) t.deepEqual(other.decapsulate(secretKey, ciphertext), shared)
      }
      const given = (length: number): Uint8Array => counting.slice(0, length)
      t.deepEqual(kem.encapsulateBy(publicKey, given), kem.encapsulate(publicKey, counting.slice(0, 32)))
    }
  })

  test(`${name}: native equals noble on keys, secrets and implicit rejection`, (t) => {
    const { ciphertextLength } = suites.native
    fc.assert(
      fc.property(bytes(64), bytes(32), fc.nat(ciphertextLength - 1), fc.nat(7), (seed, random, at, bit) => {
        const { publicKey, secretKey } = suites.native.keygen(seed)
        t.deepEqual(suites.noble.keygen(seed), { publicKey, secretKey })
        const { ciphertext, shared } = suites.noble.encapsulate(publicKey, random)!
        for (const kem of Object.values(suites)) t.deepEqual(kem.decapsulate(secretKey, ciphertext), shared)
        ciphertext[at]! ^= 1 << bit
        const rejected = suites.native.decapsulate(secretKey, ciphertext)!
        t.notDeepEqual(rejected, shared)
        t.deepEqual(suites.noble.decapsulate(secretKey, ciphertext), rejected)
      }),
      { numRuns },
    )
  })
}

test('where the native primitive works it is used', (t) => {
  t.not(native.mlkem768, native.portableMlkem768)
  t.not(native.mlkem1024, native.portableMlkem1024)
})

test('OpenSSL and the suite agree on which encapsulation keys are well formed', (t) => {
  const { publicKey } = native.mlkem768.keygen(counting)
  const openssl = (key: Uint8Array): boolean => {
    try {
      return createPublicKey({ key, format: 'raw-public', asymmetricKeyType: 'ml-kem-768' }) !== undefined
    } catch {
      return false
    }
  }
  fc.assert(
    fc.property(fc.nat(1183), fc.nat(255), (at, value) => {
      const key = new Uint8Array(publicKey)
      key[at] = value
      t.is(native.mlkem768.encapsulate(key, counting.subarray(32)) !== undefined, openssl(key))
    }),
    { numRuns: numRuns * 4 },
  )
})
