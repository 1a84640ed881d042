import test from 'ava'
import { fastEqual } from '#protocol/bytes.ts'
import { prng } from '#test/helpers/prng.ts'
import { openFromAnybody, openFromContact, sealForAnybody, sealForContact } from './box.ts'
import { keyPair } from './keys.ts'
import { INNER_LENGTHS, SEALED_LENGTHS } from './sizes.ts'

const { bytes } = prng(1)
const key = bytes(32)
const id = bytes(16)
const prekey = keyPair(bytes(32))
const ephemeral = keyPair(bytes(32))

test('both boxes: what goes in comes out, in the same three lengths', (t) => {
  const lengths = INNER_LENGTHS.map((length) => {
    const inner = bytes(length)
    const forContact = sealForContact(key, id, inner)
    const forAnybody = sealForAnybody(prekey.publicKey, ephemeral, id, inner)!
    t.deepEqual(openFromContact(key, id, forContact), inner)
    t.deepEqual(openFromAnybody([ephemeral, prekey], id, forAnybody), inner)
    t.is(forContact.length, forAnybody.length)
    return forContact.length
  })
  t.deepEqual(lengths, SEALED_LENGTHS)
})

test('the same message in the same queue is the same octets', (t) => {
  const inner = bytes(INNER_LENGTHS[0]!)
  t.true(fastEqual(sealForContact(key, id, inner), sealForContact(key, id, inner)))
  const seal = (): Uint8Array => sealForAnybody(prekey.publicKey, ephemeral, id, inner)!
  t.true(fastEqual(seal(), seal()))
})

test('under another id or key, changed or cut: nothing', (t) => {
  const inner = bytes(INNER_LENGTHS[0]!)
  const forContact = sealForContact(key, id, inner)
  const forAnybody = sealForAnybody(prekey.publicKey, ephemeral, id, inner)!
  const other = bytes(16)
  t.is(openFromContact(key, other, forContact), undefined)
  t.is(openFromContact(bytes(32), id, forContact), undefined)
  t.is(openFromAnybody([prekey], other, forAnybody), undefined)
  t.is(openFromAnybody([ephemeral], id, forAnybody), undefined)
  t.is(openFromAnybody([], id, forAnybody), undefined)
  for (let at = 0; at < forContact.length; at += 5) {
    const flipped = (octets: Uint8Array): Uint8Array => octets.with(at, octets[at]! ^ 4)
    t.is(openFromContact(key, id, flipped(forContact)), undefined)
    t.is(openFromAnybody([prekey], id, flipped(forAnybody)), undefined)
  }
  for (const length of [0, 31, 48, 591]) {
    t.is(openFromContact(key, id, forContact.slice(0, length)), undefined)
    t.is(openFromAnybody([prekey], id, forAnybody.slice(0, length)), undefined)
  }
})

test('an inner message of another length than the classes is refused', (t) => {
  t.is(openFromContact(key, id, sealForContact(key, id, bytes(545))), undefined)
  t.is(openFromAnybody([prekey], id, sealForAnybody(prekey.publicKey, ephemeral, id, bytes(100))!), undefined)
})

test('keys of low order make no box', (t) => {
  t.is(sealForAnybody(new Uint8Array(32), ephemeral, id, bytes(544)), undefined)
  t.is(openFromAnybody([prekey], id, new Uint8Array(592)), undefined)
})
