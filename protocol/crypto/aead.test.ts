import test from 'ava'
import fc from 'fast-check'
import { fromHex, hex, utf8 } from '../bytes.ts'
import { TAG_LENGTH } from '../constants.ts'
import type { Aead } from './aead.ts'
import * as native from './aead.ts'
import * as noble from './noble.ts'

const numRuns = process.env.SOTTO_LONG ? 2000 : 60
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const pairs: readonly { readonly native: Aead; readonly noble: Aead }[] = [
  { native: native.chacha20poly1305, noble: noble.chacha20poly1305 },
  { native: native.aes256gcm, noble: noble.aes256gcm },
  { native: native.xchacha20poly1305, noble: noble.xchacha20poly1305 },
]

const sunscreen = utf8(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
)
const key80 = '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'

const known: readonly {
  name: Aead['name']
  key: string
  nonce: string
  text: Uint8Array
  ad: string
  sealed: string
}[] = [
  {
    name: 'chacha20-poly1305', // RFC 8439 section 2.8.2
    key: key80,
    nonce: '070000004041424344454647',
    text: sunscreen,
    ad: '50515253c0c1c2c3c4c5c6c7',
    sealed:
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
  },
  {
    name: 'xchacha20-poly1305', // draft-irtf-cfrg-xchacha-03 appendix A.3.1
    key: key80,
    nonce: '404142434445464748494a4b4c4d4e4f5051525354555657',
    text: sunscreen,
    ad: '50515253c0c1c2c3c4c5c6c7',
    sealed:
      'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49',
  },
  {
    name: 'aes-256-gcm', // The Galois/Counter Mode of Operation (McGrew, Viega), test case 16
    key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    text: fromHex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    )!,
    ad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    sealed:
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
  },
]

for (const { name, key, nonce, text, ad, sealed } of known) {
  for (const [by, suite] of Object.entries(pairs.find((pair) => pair.native.name === name)!)) {
    test(`known answer: ${name}, ${by}`, (t) => {
      const [k, n, a] = [fromHex(key)!, fromHex(nonce)!, fromHex(ad)!]
      t.is(hex(suite.seal(k, n, text, a)), sealed)
      t.deepEqual(suite.open(k, n, fromHex(sealed)!, a), text)
    })
  }
}

/** Around the block sizes of all three, and of the memory that node hands out. */
const lengths = [0, 1, 15, 16, 17, 63, 64, 65, 767, 768, 4095, 4096, 4097, 8192, 65_537]
const length = fc.oneof(fc.constantFrom(...lengths), fc.nat(1500))
/** A view into something bigger, at any alignment. */
const text = fc
  .tuple(length, fc.nat(9))
  .chain(([size, offset]) => bytes(size + offset).map((all) => all.subarray(offset)))

for (const { native: ours, noble: theirs } of pairs) {
  const input = fc.record({
    key: bytes(32),
    nonce: bytes(ours.nonceLength),
    text,
    ad: fc.option(fc.uint8Array({ maxLength: 80 }), { nil: undefined }),
  })

  test(`${ours.name}: native and noble seal alike and open each other's`, (t) => {
    fc.assert(
      fc.property(input, ({ key, nonce, text, ad }) => {
        const before = [key, nonce, text].map(hex)
        const sealed = ours.seal(key, nonce, text, ad)
        t.deepEqual(theirs.seal(key, nonce, text, ad), sealed)
        t.deepEqual(ours.open(key, nonce, sealed, ad), new Uint8Array(text))
        t.deepEqual(theirs.open(key, nonce, sealed, ad), new Uint8Array(text))
        t.deepEqual([key, nonce, text].map(hex), before, 'an argument was changed')
      }),
      { numRuns },
    )
  })

  test(`${ours.name}: any changed bit, cut or other associated data is refused`, (t) => {
    fc.assert(
      fc.property(input, fc.nat(), fc.nat(7), fc.integer({ min: 1, max: 40 }), (it, at, bit, cut) => {
        const sealed = ours.seal(it.key, it.nonce, it.text, it.ad)
        const flipped = new Uint8Array(sealed)
        flipped[at % sealed.length]! ^= 1 << bit
        const other = new Uint8Array((it.ad?.length ?? 0) + 1)
        const shorter = sealed.subarray(0, Math.max(0, sealed.length - cut))
        for (const suite of [ours, theirs]) {
          t.is(suite.open(it.key, it.nonce, flipped, it.ad), undefined)
          t.is(suite.open(it.key, it.nonce, shorter, it.ad), undefined)
          t.is(suite.open(it.key, it.nonce, sealed, other), undefined)
        }
      }),
      { numRuns },
    )
  })

  test(`${ours.name}: anything shorter than a tag is refused`, (t) => {
    for (let size = 0; size < TAG_LENGTH; size++) {
      for (const suite of [ours, theirs]) {
        t.is(suite.open(new Uint8Array(32), new Uint8Array(ours.nonceLength), new Uint8Array(size)), undefined)
      }
    }
  })

  test(`${ours.name}: keys and nonces of another length throw`, (t) => {
    const [key, nonce, sealed] = [new Uint8Array(32), new Uint8Array(ours.nonceLength), new Uint8Array(40)]
    for (const suite of [ours, theirs]) {
      for (const size of [0, 8, 16, 24, 31, 33]) {
        const expectation = { instanceOf: RangeError, message: /^a key of .* has 32 octets, not/ }
        t.throws(() => suite.seal(new Uint8Array(size), nonce, sealed), expectation)
        t.throws(() => suite.open(new Uint8Array(size), nonce, sealed), expectation)
      }
      for (const size of [0, 8, 11, 13, 16, 23, 25]) {
        const expectation = { instanceOf: RangeError, message: /^a nonce of .* has (12|24) octets, not/ }
        t.throws(() => suite.seal(key, new Uint8Array(size), sealed), expectation)
        t.throws(() => suite.open(key, new Uint8Array(size), sealed), expectation)
      }
    }
  })

  test(`${ours.name}: results are plain byte arrays with memory of their own`, (t) => {
    const [key, nonce] = [new Uint8Array(32), new Uint8Array(ours.nonceLength)]
    for (const size of lengths) {
      const sealed = ours.seal(key, nonce, new Uint8Array(size))
      const opened = ours.open(key, nonce, sealed)!
      for (const result of [sealed, opened]) {
        t.is(Object.getPrototypeOf(result), Uint8Array.prototype)
        t.is(result.buffer.byteLength, result.length)
      }
    }
  })
}

test('a quarter of a MiB goes through every suite', (t) => {
  const big = Uint8Array.from({ length: 262_144 }, (_, i) => i * 31)
  for (const { native: ours, noble: theirs } of pairs) {
    const [key, nonce] = [big.subarray(0, 32), big.subarray(0, ours.nonceLength)]
    const sealed = ours.seal(key, nonce, big)
    t.true(Buffer.compare(sealed, theirs.seal(key, nonce, big)) === 0)
    t.true(Buffer.compare(big, ours.open(key, nonce, sealed)!) === 0)
  }
})
