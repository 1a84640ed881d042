import test from 'ava'
import fc from 'fast-check'
import { prng } from '#test/helpers/prng.ts'
import { hex, latin1 } from './bytes.ts'
import { BUCKET_MS, COHORT_SLOTS } from './constants.ts'
import { x25519PublicKey } from './crypto/x25519.ts'
import type { FirstContact, Membership } from './handshake.ts'
import { initiate, openFirstContact, provesMembership } from './handshake.ts'
import {
  bucketOf,
  deriveCohort,
  firstToken,
  maskKeyOf,
  openBox,
  requestBinding,
  sealBox,
  sessionToken,
  slotTag,
  tagOf,
  tagReader,
} from './recognition.ts'

const rng = prng(11)
const gatewaySecret = rng.bytes(32)
const gatewayKey = x25519PublicKey(gatewaySecret)
const cohort = deriveCohort(rng.bytes(32))
const binding = requestBinding('support-chat 1 POST /api/x')
const credential: Membership = { kind: 'credential', credentialId: rng.bytes(16), credentialKey: rng.bytes(32) }
const redeem: Membership = {
  kind: 'redeem',
  code: rng.bytes(16),
  credentialId: rng.bytes(16),
  credentialKey: rng.bytes(32),
}
const now = 1_700_000_000_000

const contact = (membership: Membership, random = rng.bytes): FirstContact =>
  initiate({ gatewayKey, cohort, hello: Uint8Array.of(1, 2), membership, binding, length: 320, now, random })

for (const membership of [credential, redeem]) {
  test(`first contact with ${membership.kind} gives both ends the same root`, (t) => {
    const client = contact(membership)
    t.is(client.parcel.length, 320)
    const opened = openFirstContact({ gatewaySecret, cohort, binding, ...client })!
    t.deepEqual([...opened.hello], [1, 2])
    t.is(hex(opened.claim.credentialId), hex(membership.credentialId))
    if (opened.claim.kind === 'credential') {
      t.true(provesMembership(opened.claim, membership.credentialKey))
      t.false(provesMembership(opened.claim, new Uint8Array(32)))
    } else t.is(hex(opened.claim.credentialKey), hex(membership.credentialKey))
    const answer = opened.answer({ reply: Uint8Array.of(1), length: 128, random: rng.bytes })
    t.is(answer.parcel.length, 128)
    const done = client.finish(answer.parcel)!
    t.is(hex(done.keys.root), hex(answer.keys.root))
    t.deepEqual([...done.reply], [1])
  })
}

test('a first contact is of one request, one cohort and one gateway', (t) => {
  const { token, parcel } = contact(credential)
  const open = (change: object): unknown =>
    openFirstContact({ gatewaySecret, cohort, binding, token, parcel, ...change })
  t.truthy(open({}))
  t.is(open({ binding: requestBinding('gallery 1 POST /api/x') }), undefined)
  t.is(open({ binding: requestBinding('support-chat 2 POST /api/x') }), undefined)
  t.is(open({ cohort: deriveCohort(rng.bytes(32)) }), undefined)
  t.is(open({ gatewaySecret: rng.bytes(32) }), undefined)
  t.is(open({ token: contact(credential).token }), undefined, 'under another token of the same cohort')
})

test('every flipped octet of a first contact and of its answer is refused', (t) => {
  const client = contact(credential)
  const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((octet, i) => (i === at ? octet ^ (1 << (at % 8)) : octet))
  const open = (change: object): unknown =>
    openFirstContact({ gatewaySecret, cohort, binding, token: client.token, parcel: client.parcel, ...change })
  for (let at = 0; at < client.token.length; at++) t.is(open({ token: flipped(client.token, at) }), undefined)
  for (let at = 0; at < client.parcel.length; at++) {
    t.is(open({ parcel: flipped(client.parcel, at) }), undefined)
  }
  const opened = openFirstContact({ gatewaySecret, cohort, binding, ...client })!
  const answer = opened.answer({ reply: Uint8Array.of(1), length: 128, random: rng.bytes })
  for (let at = 0; at < answer.parcel.length; at++) {
    t.is(client.finish(flipped(answer.parcel, at)), undefined)
  }
})

test('nothing of a first contact repeats between two runs', (t) => {
  const a = contact(credential, prng(1).bytes)
  const b = contact(credential, prng(2).bytes)
  const windows = new Set<string>()
  for (let at = 0; at + 8 <= a.parcel.length; at++) windows.add(hex(a.parcel.subarray(at, at + 8)))
  for (let at = 0; at + 8 <= b.parcel.length; at++) t.false(windows.has(hex(b.parcel.subarray(at, at + 8))))
})

test('tags and tokens differ by cohort, bucket, slot, session and number', (t) => {
  const seen = new Set<string>()
  const other = deriveCohort(rng.bytes(32))
  for (const keys of [cohort, other]) {
    for (const bucket of [bucketOf(now), bucketOf(now + BUCKET_MS)]) {
      for (let slot = 0; slot < COHORT_SLOTS; slot++) seen.add(hex(slotTag(keys, bucket, slot)))
    }
  }
  for (const key of [rng.bytes(32), rng.bytes(32)]) for (let n = 0; n < 64; n++) seen.add(hex(sessionToken(key, n)))
  t.is(seen.size, 2 * 2 * COHORT_SLOTS + 2 * 64)
})

test('a first-contact token tells its tag to the gateway alone, is never the same twice, and bears no change', (t) => {
  const maskKey = maskKeyOf(gatewayKey)
  const tags = Array.from({ length: COHORT_SLOTS }, (_, slot) => hex(slotTag(cohort, bucketOf(now), slot)))
  const tokens = Array.from({ length: 4 * COHORT_SLOTS }, () => firstToken(cohort, maskKey, now, rng.bytes))
  for (const token of tokens) t.true(tags.includes(hex(tagOf(maskKey, token))))
  const read = tagReader(maskKey)
  for (const token of tokens) t.is(read(token), latin1(tagOf(maskKey, token)))
  const halves = tokens.flatMap((token) => [hex(token.subarray(0, 8)), hex(token.subarray(8))])
  t.is(new Set(halves).size, halves.length, 'neither half repeats, though slots do')
  t.false(tags.includes(hex(tagOf(maskKeyOf(rng.bytes(32)), tokens[0]!))), 'of another gateway')
  for (let bit = 0; bit < 128; bit++) {
    const changed = tokens[0]!.map((octet, i) => (i === bit >> 3 ? octet ^ (1 << (bit & 7)) : octet))
    t.false(tags.includes(hex(tagOf(maskKey, changed))), `bit ${bit}`)
  }
})

test('a box holds what was put in, whatever its length', (t) => {
  const seal = { key: rng.bytes(32), token: rng.bytes(16) }
  const content = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(content, fc.nat(300), (bytes, spare) => {
      const box = sealBox(seal, bytes, bytes.length + 42 + spare, rng.bytes)
      return box.length === bytes.length + 42 + spare && hex(openBox(seal, box)!) === hex(bytes)
    }),
  )
  t.throws(() => sealBox(seal, new Uint8Array(10), 51, rng.bytes), { instanceOf: RangeError })
  t.is(openBox(seal, new Uint8Array(41)), undefined)
})
