import { ed25519 } from '@noble/curves/ed25519.js'
import test from 'ava'
import fc from 'fast-check'
import { concat, empty, fromHex, u32 } from '../bytes.ts'
import { blindedPublicKey, blindedSigner } from './blinded.ts'
import { ed25519PublicKey, ed25519Verify } from './ed25519.ts'
import * as noble from './noble.ts'

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

test('who has the seed signs for what everybody derives from the public key', (t) => {
  const holds = (seed: Uint8Array, context: Uint8Array, message: Uint8Array): void => {
    const signer = blindedSigner(seed, context)
    t.deepEqual(signer.publicKey, blindedPublicKey(ed25519PublicKey(seed), context))
    const signature = signer.sign(message)
    t.true(ed25519Verify(signer.publicKey, signature, message))
    t.true(noble.ed25519Verify(signer.publicKey, signature, message), 'an ordinary signature')
    t.deepEqual(signer.sign(message), signature)
  }
  fc.assert(fc.property(octets(32), octets(36), fc.uint8Array({ maxLength: 600 }), holds), { numRuns: 25 })
})

test('a signature is for one context and one message', (t) => {
  const seed = new Uint8Array(32).fill(7)
  const [one, other] = [blindedSigner(seed, u32(1)), blindedSigner(seed, u32(2))]
  const message = new Uint8Array(100).fill(3)
  const signature = one.sign(message)
  t.notDeepEqual(one.publicKey, other.publicKey)
  t.notDeepEqual(one.publicKey, ed25519PublicKey(seed))
  t.false(ed25519Verify(other.publicKey, signature, message))
  t.false(ed25519Verify(ed25519PublicKey(seed), signature, message))
  t.false(ed25519Verify(one.publicKey, signature, concat(message, empty, Uint8Array.of(0))))
  t.false(ed25519Verify(one.publicKey, other.sign(message), message), 'nor by the same person in another context')
})

test('keys that are none, or hide a part of small order, are refused', (t) => {
  const bad = [
    new Uint8Array(31),
    new Uint8Array(32), // small order
    fromHex('0100000000000000000000000000000000000000000000000000000000000000')!,
    new Uint8Array(32).fill(0xff), // not canonical
    fromHex('0200000000000000000000000000000000000000000000000000000000000000')!, // no point
    mixedOrder(),
  ]
  for (const key of bad) t.is(blindedPublicKey(key, empty), undefined)
})

/** A good key plus a point of order 8: another spelling, as it were, of the same key. */
function mixedOrder(): Uint8Array {
  const { Point } = ed25519
  const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
  return Point.fromBytes(ed25519PublicKey(new Uint8Array(32).fill(9)))
    .add(torsion)
    .toBytes()
}
