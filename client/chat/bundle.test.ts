import test from 'ava'
import { concat, empty, fastEqual, hex } from '#protocol/bytes.ts'
import { mlkem1024 } from '#protocol/crypto/mlkem.ts'
import { type Bundle, type Expected, openBundle, type RawBundle, signHead, signOneTime } from './bundle.ts'
import { identityFrom } from './fixtures/people.ts'
import type { Identity } from './identity.ts'
import { keyPair } from './keys.ts'
import { startsOf, Way } from './start.ts'

const bob = identityFrom(2)
const NOW = 1_700_000_000_000
const WEEK = 604_800_000
const filled = (octet: number, length = 32): Uint8Array => new Uint8Array(length).fill(octet)
const dhKey = (octet: number): Uint8Array => keyPair(filled(octet)).publicKey
const kemKey = (octet: number): Uint8Array => mlkem1024.keygen(filled(octet, 64)).publicKey

const headOf = (id: number, made: number) => ({
  made,
  expires: made + 4 * WEEK,
  starts: startsOf(Way.bundle),
  prekey: { id, key: dhKey(id) },
  kem: kemKey(id),
})

function bundleOf(identity: Identity, id = 7, made = NOW - WEEK): RawBundle {
  const [dh] = signOneTime(identity, 'dh', [{ id: 11, key: dhKey(111) }])
  const [kem] = signOneTime(identity, 'kem', [{ id: 12, key: kemKey(112) }])
  return { head: signHead(identity, headOf(id, made)), dh: dh!.key, kem: kem!.key }
}

const raw = bundleOf(bob)
const expected: Expected = { uid: bob.uid, chain: bob.chain, cardPrekeyId: 7, seen: undefined }
const opened = openBundle(raw, expected, NOW) as Bundle

test('a sound bundle: one-time keys where there are some, and the last resort else', (t) => {
  t.like(opened.from, { uid: bob.uid, root: bob.root, dh: bob.dh })
  t.deepEqual(opened.offer, {
    prekey: { id: 7, key: dhKey(7) },
    bundle: { oneTime: { id: 11, key: dhKey(111) }, kem: { id: 12, key: kemKey(112) } },
  })
  const bare = openBundle({ ...raw, dh: empty, kem: empty }, expected, NOW) as Bundle
  t.deepEqual(bare.offer.bundle, { oneTime: undefined, kem: { id: 0, key: kemKey(7) } })
  t.deepEqual(opened.seen, { made: NOW - WEEK, id: 7, key: dhKey(7), dh: [11], kem: [12] })
})

test('changed: any octet of any part', (t) => {
  for (const part of ['head', 'dh', 'kem'] as const) {
    for (let at = 0; at < raw[part].length; at += at < 200 ? 1 : 37) {
      const changed = { ...raw, [part]: raw[part].with(at, raw[part][at]! ^ 1) }
      t.is(openBundle(changed, expected, NOW), 'false', `${part} ${at}`)
    }
    for (const cut of [1, 23, 24, raw[part].length - 1])
      t.is(openBundle({ ...raw, [part]: raw[part].slice(0, cut) }, expected, NOW), 'false', `${part} cut at ${cut}`)
  }
})

test('swapped: parts of somebody else, and parts in each other’s place', (t) => {
  const mallory = bundleOf(identityFrom(3))
  t.is(openBundle(mallory, expected, NOW), 'false')
  for (const part of ['head', 'dh', 'kem'] as const)
    t.is(openBundle({ ...raw, [part]: mallory[part] }, expected, NOW), 'false', part)
  t.is(openBundle({ ...raw, dh: raw.kem, kem: raw.dh }, expected, NOW), 'false')
  // Somebody who knows the uid, and so the key of the seal, but not the signing key.
  const forger = { ...identityFrom(3), uid: bob.uid }
  const forged = bundleOf(forger)
  t.is(
    openBundle(forged, { ...expected, chain: empty }, NOW),
    'false',
    'also of a contact whose documents are not known',
  )
  for (const part of ['head', 'dh', 'kem'] as const)
    t.is(openBundle({ ...raw, [part]: forged[part] }, expected, NOW), 'false', part)
})

test('stale: expired, older than the card or than what was seen, or given before', (t) => {
  t.is(openBundle(raw, expected, NOW + 3 * WEEK), 'stale', 'expired')
  t.not(openBundle(raw, expected, NOW + 3 * WEEK - 1), 'stale')
  t.is(openBundle(raw, { ...expected, cardPrekeyId: 8 }, NOW), 'stale', 'older than the card')
  const { seen } = openBundle(bundleOf(bob, 8, NOW), expected, NOW) as Bundle
  t.is(openBundle(raw, { ...expected, seen }, NOW), 'stale', 'older than what was seen')
  t.is(openBundle(raw, { ...expected, seen: opened.seen }, NOW), 'stale', 'the same one-time keys again')
  t.is(openBundle({ ...raw, dh: empty }, { ...expected, seen: opened.seen }, NOW), 'stale')
  t.not(openBundle({ ...raw, dh: empty, kem: empty }, { ...expected, seen: opened.seen }, NOW), 'stale')
  const other = { ...opened.seen, key: dhKey(99), dh: [], kem: [] }
  t.is(openBundle(raw, { ...expected, seen: other }, NOW), 'false', 'two prekeys of one number')
})

test('after a key update: the new documents are taken, the old ones refused', (t) => {
  const renewed = identityFrom(2, 1)
  const newer = openBundle(bundleOf(renewed), expected, NOW) as Bundle
  t.deepEqual(newer.from.root, renewed.root)
  t.is(openBundle(raw, { ...expected, chain: renewed.chain }, NOW), 'stale')
  const other = { ...expected, chain: identityFrom(3).chain }
  t.is(openBundle(raw, other, NOW), 'false')
})

test('what lies on the shelf names nobody', (t) => {
  const octets = hex(concat(raw.head, raw.dh, raw.kem))
  for (const secret of [bob.uid, bob.root, bob.dh]) t.false(octets.includes(hex(secret)))
  t.deepEqual([raw.head.length, raw.dh.length, raw.kem.length], [1_956, 140, 1_676])
  t.true(fastEqual(raw.head, bundleOf(bob).head), 'and is the same octets each time')
})
