/** Values of our own wire format, from fixed input. When one changes, the format has changed: that is a new version. */
import test from 'ava'
import { hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { sealForAnybody, sealForContact } from './box.ts'
import { chatId, encodeEnvelope, MessageType, pad } from './envelope.ts'
import { cardFrom, identityFrom } from './fixtures/people.ts'
import { OFFERING } from './healing.ts'
import { encodeInner } from './inner.ts'
import { keyPair } from './keys.ts'
import { sealStep, startSending } from './ratchet.ts'
import { sottoSuite } from './sotto-suite.ts'
import { encodeStart, STARTS, startSession } from './start.ts'

const filled = (octet: number, length = 32): Uint8Array => new Uint8Array(length).fill(octet)
const short = (octets: Uint8Array): string => hex(sha256(octets)).slice(0, 24)

test('from the card to the mailbox', (t) => {
  const [alice, bob] = [identityFrom(1), identityFrom(2)]
  const prekey = keyPair(filled(3))
  const offer = { id: 9, key: prekey.publicKey, expires: 0, starts: STARTS }
  const { header, secrets } = startSession({
    identity: alice,
    to: bob,
    prekey: offer,
    ephemeral: keyPair(filled(4)),
    stamp: 12_345,
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
  const sealed = sealStep(sottoSuite, ratchet, pad(envelope, 305))
  const inner = encodeInner(secrets.id, encodeStart(header), sealed.message)
  t.deepEqual(
    {
      card: short(cardFrom(1).bytes),
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
      card: 'e2cb8e0d2c78459b93673f09',
      start: 'b6242bb2846f04ab63a42938',
      root: 'e4286a149dd73e0d4f1bd0f0',
      session: '608a9ffa19c4306c',
      context: 'eb9f519ac4f50bbdb0459011',
      envelope: '48cc4239df239f7a4b77c27f',
      message: 'f1d9f9af1dd9a95fe07bef13',
      nextChain: '2186b1fdececd0e241294026',
      inner: 'eaff9cabd2a7f828e95b2103',
      forContact: '9d6f04cc6b6cc6c63dc2dd16',
      forAnybody: '17cb73db517e51b996c472ec',
    },
  )
})
