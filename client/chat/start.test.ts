import test from 'ava'
import { concat, empty, fastEqual, hex } from '#protocol/bytes.ts'
import { mlkem1024 } from '#protocol/crypto/mlkem.ts'
import { prng } from '#test/helpers/prng.ts'
import { readKnownChain } from './documents.ts'
import { fingerprint } from './fingerprint.ts'
import { identityFrom } from './fixtures/people.ts'
import { deriveSecrets } from './identity.ts'
import { isCanonicalKey, joinAgreements, keyPair } from './keys.ts'
import { acceptSession, decodeStart, encodeStart, type Offer, type StartHeader, startSession } from './start.ts'

const [alice, bob] = [identityFrom(1), identityFrom(2)]
const filled = (octet: number, length = 32): Uint8Array => new Uint8Array(length).fill(octet)
const [prekey, ephemeral, oneTime] = [3, 4, 5].map((octet) => keyPair(filled(octet))) as [
  ReturnType<typeof keyPair>,
  ReturnType<typeof keyPair>,
  ReturnType<typeof keyPair>,
]
const [kemSeed, otherSeed] = [filled(6, 64), filled(7, 64)]
const kemKey = mlkem1024.keygen(kemSeed).publicKey
const signed = { id: 9, key: prekey.publicKey }

/** What there is to begin with, and what the other side has for it. */
const ways = {
  'a card': [
    { prekey: signed, bundle: undefined },
    { prekey, oneTime: undefined, kem: undefined },
  ],
  'the last resort': [
    { prekey: signed, bundle: { oneTime: undefined, kem: { id: 0, key: kemKey } } },
    { prekey, oneTime: undefined, kem: kemSeed },
  ],
  'one-time keys': [
    { prekey: signed, bundle: { oneTime: { id: 11, key: oneTime.publicKey }, kem: { id: 12, key: kemKey } } },
    { prekey, oneTime, kem: kemSeed },
  ],
} as const

const input = (offer: Offer) => ({ identity: alice, to: bob, offer, ephemeral, stamp: 12_345, random: prng(1).bytes })

for (const [what, [offer, named]] of Object.entries(ways)) {
  const start = () => startSession(input(offer))!

  test(`from ${what}: both sides derive the same session`, (t) => {
    const { header, secrets } = start()
    const bytes = encodeStart(header)
    const decoded = decodeStart(concat(bytes, filled(1)))!
    t.deepEqual(decoded, { header, length: bytes.length })
    t.is(bytes.length, what === 'a card' ? 273 : 1_849)
    t.deepEqual(acceptSession({ identity: bob, named, header: decoded.header, claimedId: secrets.id }), secrets)
  })

  test(`from ${what}: a changed octet of the header makes another session, or none`, (t) => {
    const { header, secrets } = start()
    const encoded = encodeStart(header)
    for (let at = 0; at < encoded.length; at += at > 60 && at < 1_600 ? 13 : 1) {
      const decoded = decodeStart(encoded.with(at, encoded[at]! ^ 1))
      const accepted = decoded && acceptSession({ identity: bob, named, header: decoded.header, claimedId: secrets.id })
      t.is(accepted, undefined, `octet ${at}`)
    }
    t.is(decodeStart(encoded.slice(1)), undefined)
    for (const length of [0, 1, 44, 45, 46, encoded.length - 1])
      t.is(decodeStart(encoded.slice(0, length)), undefined, `${length} octets`)
  })

  test(`from ${what}: another recipient, key or id makes none`, (t) => {
    const { header, secrets } = start()
    const claimedId = secrets.id
    t.is(acceptSession({ identity: identityFrom(5), named, header, claimedId }), undefined)
    t.is(acceptSession({ identity: identityFrom(2, 1), named, header, claimedId }), undefined, 'after a key update')
    t.is(acceptSession({ identity: bob, named: { ...named, prekey: ephemeral }, header, claimedId }), undefined)
    t.is(acceptSession({ identity: bob, named, header, claimedId: new Uint8Array(8) }), undefined)
    const others = [
      { ...named, kem: named.kem === undefined ? kemSeed : undefined },
      { ...named, kem: otherSeed },
      { ...named, oneTime: named.oneTime === undefined ? oneTime : undefined },
    ]
    for (const other of others) t.is(acceptSession({ identity: bob, named: other, header, claimedId }), undefined)
  })
}

test('everything public is bound into the secrets', (t) => {
  const [offer] = ways['one-time keys']
  const base = hex(startSession(input(offer))!.secrets.root)
  const { bundle } = offer
  const renewed = { ...identityFrom(2, 1), root: bob.root, dh: bob.dh }
  const others = [
    { ...input(offer), stamp: 12_346 },
    input({ ...offer, prekey: { ...signed, id: 8 } }),
    input({ ...offer, bundle: { ...bundle, oneTime: { ...bundle.oneTime, id: 10 } } }),
    input({ ...offer, bundle: { ...bundle, kem: { ...bundle.kem, id: 10 } } }),
    // The same key, as the last resort instead of a one-time key.
    input({ ...offer, bundle: { ...bundle, kem: { ...bundle.kem, id: 0 } } }),
    // The same keys of the other side, but another document; and the same for ours.
    { ...input(offer), to: renewed },
    { ...input(offer), identity: { ...alice, chain: identityFrom(1, 1).chain } },
    // The same agreements, but the signing key of somebody else.
    { ...input(offer), to: { ...bob, root: identityFrom(6).root } },
    // Other randomness: another ciphertext.
    { ...input(offer), random: prng(2).bytes },
  ]
  const roots = others.map((other) => hex(startSession(other)!.secrets.root))
  t.is(new Set([base, ...roots]).size, others.length + 1)
})

test('the KEM’s secret and the one-time key both go in: with either of them wrong there is no session', (t) => {
  const [offer, named] = ways['one-time keys']
  const { header, secrets } = startSession(input(offer))!
  const ciphertext = mlkem1024.encapsulate(kemKey, filled(9))!.ciphertext
  const changed: StartHeader = { ...header, quantum: { ...header.quantum!, ciphertext } }
  t.is(acceptSession({ identity: bob, named, header: changed, claimedId: secrets.id }), undefined)
  const wrong = { ...named, oneTime: keyPair(filled(8)) }
  t.is(acceptSession({ identity: bob, named: wrong, header, claimedId: secrets.id }), undefined)
})

test('keys of low order, second spellings, and what is no key of ML-KEM make no session', (t) => {
  const one = new Uint8Array(32).with(0, 1)
  const bad = [new Uint8Array(32), one, prekey.publicKey.with(31, prekey.publicKey[31]! | 0x80)]
  const [offer, named] = ways['one-time keys']
  for (const key of bad) {
    t.is(startSession(input({ ...offer, prekey: { id: 9, key } })), undefined)
    t.is(startSession(input({ ...offer, bundle: { ...offer.bundle, oneTime: { id: 11, key } } })), undefined)
    t.is(startSession({ ...input(offer), to: { ...bob, dh: key } }), undefined)
    const { header, secrets } = startSession(input(offer))!
    const changed = { ...header, ephemeral: key }
    t.is(acceptSession({ identity: bob, named, header: changed, claimedId: secrets.id }), undefined)
    t.is(joinAgreements([[ephemeral.secret, key]]), undefined)
  }
  for (const key of [kemKey.slice(1), kemKey.with(0, 0xff).with(1, 0xff), empty])
    t.is(startSession(input({ ...offer, bundle: { ...offer.bundle, kem: { id: 12, key } } })), undefined)
})

test('canonical keys: below 2^255 - 19', (t) => {
  const prime = new Uint8Array(32).fill(0xff).with(0, 0xed).with(31, 0x7f)
  t.false(isCanonicalKey(prime))
  t.true(isCanonicalKey(prime.with(0, 0xec)))
  t.false(isCanonicalKey(prime.with(0, 0xee)))
  t.true(isCanonicalKey(prime.with(15, 0xfe).with(0, 0xff)))
  t.false(isCanonicalKey(new Uint8Array(31)))
})

test('joined agreements begin with 32 octets of 0xff', (t) => {
  const joined = joinAgreements([[ephemeral.secret, prekey.publicKey]])!
  t.deepEqual(joined.slice(0, 32), new Uint8Array(32).fill(0xff))
  t.is(joined.length, 64)
})

test('an identity: two unrelated keys from one secret', (t) => {
  const secrets = deriveSecrets(new Uint8Array(32).fill(8))
  t.false(fastEqual(secrets.rootSeed, secrets.dhSecret))
  const identity = identityFrom(8)
  // Golden: what derives from a secret of 32 octets 0x08 must never change.
  t.is(hex(identity.uid), '1e57f2404e306cda7c618a2a9d1708e1d51db7a1a835cae76d6e28cf59ca2e52')
  t.is(hex(identity.dh), '041f3cc601b05dac8199beb8e0501b22654e8e0646baf02e330d96c80c0fa660')
})

test('the fingerprint is 60 digits, the same for both, and covers the newest documents', (t) => {
  const digits = fingerprint(alice, bob)
  t.regex(digits, /^\d{60}$/)
  t.is(fingerprint(bob, alice), digits)
  t.not(fingerprint(identityFrom(1, 1), bob), digits)
  t.is(fingerprint(readKnownChain(alice.chain), bob), digits)
})
