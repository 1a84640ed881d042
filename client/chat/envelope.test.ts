import test from 'ava'
import fc from 'fast-check'
import { concat, utf8 } from '#protocol/bytes.ts'
import {
  decodeHello,
  decodeReceipt,
  decodeResend,
  decodeText,
  encodeHello,
  encodeReceipt,
  encodeResend,
} from './bodies.ts'
import { DOCUMENT_LENGTH } from './documents.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, envelopeHash, MessageType, pad } from './envelope.ts'
import { cardFrom, contentFrom } from './fixtures/people.ts'
import { ChatLimits } from './limits.ts'
import { ENVELOPE_HEADER, INNER_LENGTHS, paddedLength, SEALED_LENGTHS } from './sizes.ts'

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const envelopes: fc.Arbitrary<Envelope> = fc
  .record({
    id: octets(16),
    chat: octets(16),
    time: fc.maxSafeNat(),
    counter: fc.maxSafeNat(),
    previous: octets(16),
    type: fc.constantFrom(...Object.values(MessageType)),
    body: fc.uint8Array({ maxLength: 500 }),
  })
  .map((envelope) => ({
    ...envelope,
    counter: envelope.type === MessageType.receipt ? 0 : Math.max(1, envelope.counter),
  }))

test('what was encoded and padded is decoded', (t) => {
  fc.assert(
    fc.property(envelopes, fc.nat(100), (envelope, zeros) => {
      const encoded = encodeEnvelope(envelope)
      const decoded = decodeEnvelope(pad(encoded, encoded.length + zeros))
      t.deepEqual(decoded, { envelope, hash: envelopeHash(encoded) })
    }),
  )
})

test('any changed octet, and any cut, is refused', (t) => {
  fc.assert(
    fc.property(envelopes, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(50), (envelope, at, flip, zeros) => {
      const encoded = pad(encodeEnvelope(envelope), ENVELOPE_HEADER + envelope.body.length + zeros)
      const changed = encoded.slice()
      changed[at % changed.length]! ^= flip
      t.is(decodeEnvelope(changed), undefined)
      t.is(decodeEnvelope(encoded.slice(0, ENVELOPE_HEADER + envelope.body.length - 1)), undefined)
    }),
  )
})

test('anything at all: no throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const decode of [decodeEnvelope, decodeReceipt, decodeHello, decodeResend, decodeText]) decode(bytes)
    }),
  )
  t.pass()
})

test('a receipt has no counter, everything else has one', (t) => {
  const base = {
    id: new Uint8Array(16),
    chat: new Uint8Array(16),
    time: 0,
    previous: new Uint8Array(16),
    body: utf8('x'),
  }
  t.is(decodeEnvelope(encodeEnvelope({ ...base, type: MessageType.text, counter: 0 })), undefined)
  t.is(decodeEnvelope(encodeEnvelope({ ...base, type: MessageType.receipt, counter: 1 })), undefined)
})

test('receipts: as encoded, ascending, within ChatLimits.receiptRanges', (t) => {
  const full = Array.from({ length: ChatLimits.receiptRanges }, (_, i) => [20 + i * 3, 21 + i * 3] as const)
  const receipt = { upTo: 10, read: 7, ranges: full }
  t.deepEqual(decodeReceipt(encodeReceipt(receipt)), receipt)
  t.is(paddedLength(ENVELOPE_HEADER + encodeReceipt(receipt).length, 0), paddedLength(1, 0))
  for (const ranges of [
    [[10, 11]],
    [[12, 11]],
    [
      [12, 13],
      [13, 14],
    ],
    [...full, [900, 900]],
  ] as [number, number][][]) {
    t.is(decodeReceipt(encodeReceipt({ ...receipt, ranges })), undefined, JSON.stringify(ranges))
  }
})

test('hello and resend: as encoded, and nothing else', (t) => {
  const card = cardFrom(1)
  const addresses = contentFrom(1).addresses.map((address) => ({ ...address, box: new Uint8Array(32).fill(3) }))
  const hello = encodeHello(card.bytes, addresses)
  t.deepEqual(decodeHello(hello), { card, addresses })
  t.is(decodeHello(concat(hello, Uint8Array.of(0))), undefined)
  t.is(decodeHello(encodeHello(card.bytes, [])), undefined)
  t.is(decodeHello(encodeHello(card.bytes, [...addresses, ...addresses, ...addresses])), undefined)
  for (let at = 0; at < hello.length; at += 7) decodeHello(hello.with(at, hello[at]! ^ 0x40))
  const resend = { upTo: 5, cardHash: new Uint8Array(16).fill(9) }
  t.deepEqual(decodeResend(encodeResend(resend)), resend)
  t.is(decodeResend(encodeResend(resend).slice(1)), undefined)
})

test('text: UTF-8 of 1 to ChatLimits.textBytes octets', (t) => {
  t.is(decodeText(utf8('é')), 'é')
  t.is(decodeText(Uint8Array.of(0xff)), undefined)
  t.is(decodeText(new Uint8Array(0)), undefined)
  t.is(decodeText(new Uint8Array(ChatLimits.textBytes).fill(0x61))?.length, ChatLimits.textBytes)
  t.is(decodeText(new Uint8Array(ChatLimits.textBytes + 1).fill(0x61)), undefined)
})

test('lengths on the wire are those that the tables state', (t) => {
  t.deepEqual(INNER_LENGTHS, [544, 4_048, 21_968])
  const padded = (start: number): (number | undefined)[] => [1, 479, 4_000].map((length) => paddedLength(length, start))
  t.deepEqual(padded(0), [478, 3_982, 21_902])
  t.deepEqual(padded(273), [205, 3_709, 21_629])
  t.deepEqual(padded(1_849), [2_133, 2_133, 20_053])
  t.is(paddedLength(21_903, 0), undefined)
  // A text of the greatest length fits even the first message of a session, after as many key updates as there may be.
  const longest = 1_849 + (ChatLimits.documents - 1) * DOCUMENT_LENGTH
  t.is(paddedLength(ENVELOPE_HEADER + ChatLimits.textBytes, longest), 21_902 - longest)
  // And the class of a short text leaves room for the call around it in a parcel of 768.
  t.true(SEALED_LENGTHS[0]! <= 700)
})
