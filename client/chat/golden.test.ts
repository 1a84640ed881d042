/** Values of our own wire format, from fixed input. When one changes, the format has changed: that is a new version. */
import test from 'ava'
import { hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { mlkem1024 } from '#protocol/crypto/mlkem.ts'
import { sealForAnybody, sealForContact } from './box.ts'
import { signHead, signOneTime } from './bundle.ts'
import { chatId, encodeEnvelope, MessageType, pad } from './envelope.ts'
import { cardFrom, identityFrom } from './fixtures/people.ts'
import { OFFERING } from './healing.ts'
import { encodeInner } from './inner.ts'
import { keyPair } from './keys.ts'
import { sealStep, startSending } from './ratchet.ts'
import { sottoSuite } from './sotto-suite.ts'
import { encodeStart, startSession } from './start.ts'

const filled = (octet: number, length = 32): Uint8Array => new Uint8Array(length).fill(octet)
const short = (octets: Uint8Array): string => hex(sha256(octets)).slice(0, 24)

test('from the card to the mailbox', (t) => {
  const [alice, bob] = [identityFrom(1), identityFrom(2)]
  const prekey = keyPair(filled(3))
  const oneTime = { id: 11, key: keyPair(filled(10)).publicKey }
  const kem = { id: 12, key: mlkem1024.keygen(filled(11, 64)).publicKey }
  const offer = { prekey: { id: 9, key: prekey.publicKey }, bundle: { oneTime, kem } }
  const { header, secrets } = startSession({
    identity: alice,
    to: bob,
    offer,
    ephemeral: keyPair(filled(4)),
    stamp: 12_345,
    random: (length) => filled(12, length),
  })!
  const contexts = { sendContext: secrets.context, receiveContext: secrets.context }
  const ratchet = startSending(sottoSuite, {
    root: secrets.root,
    remote: prekey.publicKey,
    own: keyPair(filled(5)),
    healing: OFFERING,
    ...contexts,
  })!
  const envelope = encodeEnvelope({
    id: filled(6, 16),
    chat: chatId(alice.uid, bob.uid),
    time: 1_700_000_000_000,
    counter: 1_700_000_000_001,
    previous: filled(0, 16),
    type: MessageType.text,
    body: utf8('hello'),
  })
  const sealed = sealStep(sottoSuite, ratchet, pad(envelope, 2_133))
  const inner = encodeInner(secrets.id, encodeStart(header), sealed.message)
  t.deepEqual(
    {
      card: short(cardFrom(1).bytes),
      head: short(signHead(bob, { made: 1, expires: 2, prekey: offer.prekey, kem: kem.key })),
      oneTime: short(signOneTime(bob, 'dh', [oneTime])[0]!.key),
      oneTimeKem: short(signOneTime(bob, 'kem', [kem])[0]!.key),
      start: short(encodeStart(header)),
      root: short(secrets.root),
      session: hex(secrets.id),
      context: short(secrets.context),
      envelope: short(envelope),
      message: short(sealed.message),
      nextChain: short(sealed.state.sending.chain),
      inner: short(inner),
      forContact: short(sealForContact(filled(7), filled(8, 16), inner)),
      forAnybody: short(sealForAnybody(prekey.publicKey, keyPair(filled(9)), filled(8, 16), inner)!),
    },
    {
      card: 'a1c318592705addf676dc08c',
      head: 'd30f5ae465e269f0f3966286',
      oneTime: 'df1b7b0a825c95593a31f4f1',
      oneTimeKem: '7a22badd93b28cc470a9317d',
      start: '57a70cb93e047cf6d88ca986',
      root: 'eab373a1d02bda5e0408bc41',
      session: '4f4cc0e10d05eb6c',
      context: '22da075e88fbf67466b145a0',
      envelope: '48cc4239df239f7a4b77c27f',
      message: '8546c751faa4764930a36b2d',
      nextChain: '92e25100c48f660a9ad39bb2',
      inner: '48b3fb0b01021278aea8b681',
      forContact: 'ab21226cf9c00fc41ab0bce2',
      forAnybody: 'cc21133fb6d5322f6fd80439',
    },
  )
})
