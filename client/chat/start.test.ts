import test from 'ava'
import { fastEqual, hex } from '#protocol/bytes.ts'
import { ed25519Verify } from '#protocol/crypto/ed25519.ts'
import { fingerprint } from './fingerprint.ts'
import { identityFrom } from './fixtures/people.ts'
import { deriveSecrets, identityOf, publicIdentity, verifyStatement } from './identity.ts'
import { isCanonicalKey, joinAgreements, keyPair } from './keys.ts'
import { START_LENGTH } from './sizes.ts'
import { acceptSession, canStart, decodeStart, encodeStart, STARTS, startSession } from './start.ts'

const [alice, bob] = [identityFrom(1), identityFrom(2)]
const prekey = keyPair(new Uint8Array(32).fill(3))
const offer = { id: 9, key: prekey.publicKey, expires: 0, starts: STARTS }
const ephemeral = keyPair(new Uint8Array(32).fill(4))

function start() {
  return startSession({ identity: alice, to: bob, prekey: offer, ephemeral, stamp: 12_345 })!
}

test('both sides derive the same session', (t) => {
  const { header, secrets } = start()
  const decoded = decodeStart(encodeStart(header))!
  t.deepEqual(decoded, header)
  t.is(encodeStart(header).length, START_LENGTH)
  t.deepEqual(acceptSession({ identity: bob, prekey, header: decoded, claimedId: secrets.id }), secrets)
})

test('a changed octet of the header: another session, or none', (t) => {
  const { header, secrets } = start()
  const encoded = encodeStart(header)
  for (let at = 0; at < encoded.length; at++) {
    const decoded = decodeStart(encoded.with(at, encoded[at]! ^ 1))
    const accepted = decoded && acceptSession({ identity: bob, prekey, header: decoded, claimedId: secrets.id })
    t.is(accepted, undefined, `octet ${at}`)
  }
  t.is(decodeStart(encoded.slice(1)), undefined)
})

test('another recipient, prekey or id: none', (t) => {
  const { header, secrets } = start()
  const claimedId = secrets.id
  t.is(acceptSession({ identity: identityFrom(5), prekey, header, claimedId }), undefined)
  t.is(acceptSession({ identity: bob, prekey: ephemeral, header, claimedId }), undefined)
  t.is(acceptSession({ identity: bob, prekey, header, claimedId: new Uint8Array(8) }), undefined)
})

test('everything public is bound into the secrets', (t) => {
  const base = hex(start().secrets.root)
  const input = { identity: alice, to: bob, prekey: offer, ephemeral, stamp: 12_345 }
  const others = [
    { ...input, stamp: 12_346 },
    { ...input, prekey: { ...offer, id: 8 } },
    { ...input, prekey: { ...offer, starts: Uint8Array.of(1, 2) } },
    // The same agreements, but the signing key of somebody else.
    { ...input, to: publicIdentity(identityFrom(6).root, bob.dh) },
    { ...input, identity: { ...alice, root: identityFrom(6).root } },
  ]
  for (const other of others) t.not(hex(startSession(other)!.secrets.root), base)
})

test('keys of low order and second spellings make no session', (t) => {
  const one = new Uint8Array(32).with(0, 1)
  const bad = [new Uint8Array(32), one, prekey.publicKey.with(31, prekey.publicKey[31]! | 0x80)]
  for (const key of bad) {
    const input = { identity: alice, to: bob, prekey: { ...offer, key }, ephemeral, stamp: 1 }
    t.is(startSession(input), undefined)
    t.is(startSession({ ...input, prekey: offer, to: publicIdentity(bob.root, key) }), undefined)
    const header = { ...start().header, ephemeral: key }
    t.is(acceptSession({ identity: bob, prekey, header, claimedId: start().secrets.id }), undefined)
    t.is(joinAgreements([[ephemeral.secret, key]]), undefined)
  }
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

test('a card without a way that we know', (t) => {
  t.true(canStart(offer))
  t.false(canStart({ ...offer, starts: Uint8Array.of(1) }))
})

test('an identity: two unrelated keys from one secret, tied by a statement', (t) => {
  const secrets = deriveSecrets(new Uint8Array(32).fill(8))
  t.false(fastEqual(secrets.rootSeed, secrets.dhSecret))
  const identity = identityOf(secrets)
  t.true(verifyStatement(identity, identity.statement))
  t.false(verifyStatement({ ...identity, dh: bob.dh }, identity.statement))
  t.false(ed25519Verify(bob.root, identity.statement, identity.dh))
  // Golden: what derives from a secret of 32 octets 0x08 must never change.
  t.is(hex(identity.uid), '1e57f2404e306cda7c618a2a9d1708e1d51db7a1a835cae76d6e28cf59ca2e52')
  t.is(hex(identity.dh), '041f3cc601b05dac8199beb8e0501b22654e8e0646baf02e330d96c80c0fa660')
})

test('the fingerprint is 60 digits, the same for both, and covers both keys', (t) => {
  const digits = fingerprint(alice, bob)
  t.regex(digits, /^\d{60}$/)
  t.is(fingerprint(bob, alice), digits)
  t.not(fingerprint({ ...alice, dh: bob.dh }, bob), digits)
})
