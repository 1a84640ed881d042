/** Values of our own wire format, from fixed input. When one changes, the format has changed: that is a new version (start.ts, `Way`). */
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
import { encodeStart, startSession, startsOf, Way } from './start.ts'

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
      head: short(
        signHead(bob, { made: 1, expires: 2, starts: startsOf(Way.bundle), prekey: offer.prekey, kem: kem.key }),
      ),
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
      card: 'd6dfd6353c520ed8870b7883',
      head: 'ab3311416bf36853977322d2',
      oneTime: 'df1b7b0a825c95593a31f4f1',
      oneTimeKem: '7a22badd93b28cc470a9317d',
      start: '6dd1572be9efd3f39f554791',
      root: 'b95ed27816252c79bba2fb93',
      session: 'dcaf4b5e83e263b3',
      context: '383f11461a2fd654258f4f39',
      envelope: '48cc4239df239f7a4b77c27f',
      message: 'fb78a41131ee9a2cfca87061',
      nextChain: '918c7e9238ba50592f14975e',
      inner: '426d4bc279021de42ada4b91',
      forContact: '590d0c0640ae9d0be8eb9102',
      forAnybody: '62f1b8f9f46dad27e6181076',
    },
  )
})
