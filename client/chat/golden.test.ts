/** Values of our own wire format, from fixed input. When one changes, the format has changed: that is a new version. */
import test from 'ava'
import { hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { sealForAnybody, sealForContact } from './box.ts'
import { chatId, encodeEnvelope, MessageType, pad } from './envelope.ts'
import { cardFrom, identityFrom } from './fixtures/people.ts'
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
  const sealed = sealStep(sottoSuite, ratchet, pad(envelope, 306))
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
      card: '74ccefa78bbc4250d2878566',
      start: '7d0b1ba5b3ec8f5bf1bfcff8',
      root: '5a90ff72f24d4b259ea0695d',
      session: '6e982077f6f36d4f',
      context: '81d2cadbd307e3a75523cc47',
      envelope: '48cc4239df239f7a4b77c27f',
      message: '47b322eb20b3559f86ec6dc6',
      nextChain: 'b9f79652b7193bad493adc4c',
      inner: '160be16539f7477fe67967e1',
      forContact: '4305c37f73ebaf188d4c8876',
      forAnybody: 'a4845f882c4e94744a8e2a80',
    },
  )
})
