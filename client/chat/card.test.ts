import test from 'ava'
import fc from 'fast-check'
import { concat, u64, utf8 } from '#protocol/bytes.ts'
import { ed25519Sign } from '#protocol/crypto/ed25519.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { CARD_BYTES, type Card, isName, readCard, requireFresh, signCard } from './card.ts'
import { CARD_TEXT_MAX, cardLink, cardQrText, parseCard } from './card-text.ts'
import { DOCUMENT_LENGTH } from './documents.ts'
import { cardFrom, contentFrom, identityFrom, longestCard } from './fixtures/people.ts'
import { ChatLimits } from './limits.ts'

const card = cardFrom(1)

/** The card with other octets, signed again by its owner: what a modified client could make. */
function resigned(change: (unsigned: Uint8Array) => Uint8Array): Uint8Array {
  const unsigned = change(card.bytes.slice(0, -64))
  return concat(unsigned, ed25519Sign(identityFrom(1).rootSeed, concat(utf8('sotto/1/card'), unsigned)))
}

const codeOf = (read: () => unknown): string => {
  try {
    read()
    return 'accepted'
  } catch (error) {
    return isSottoError(error) ? error.code : `not a SottoError: ${String(error)}`
  }
}

test('what was signed is read', (t) => {
  const { name, issued, prekey, addresses } = contentFrom(1)
  t.like(card, { name, issued, prekey, addresses })
  t.deepEqual(card.uid, identityFrom(1).uid)
  const two = contentFrom(2).addresses.concat(contentFrom(3).addresses)
  t.is(cardFrom(2, { addresses: two }).addresses.length, 2)
})

test('both spellings, with line breaks and as a file, are the same card', (t) => {
  for (const text of [cardLink(card), cardQrText(card)]) {
    t.deepEqual(parseCard(text), card)
    t.deepEqual(parseCard(`\n  ${text.match(/.{1,60}/g)!.join('\r\n')} \n`), card)
  }
  t.regex(cardLink(card), /^sotto-card:[\w-]+$/)
  t.regex(cardQrText(card), /^SOTTO-CARD:[A-Z2-7]+$/)
})

test('text that is no card is refused', (t) => {
  const link = cardLink(card)
  const wrong = ['', 'sotto-card:', 'hello', link.slice(0, -1), `${link}A`, link.replace('sotto', 'Sotto'), `x${link}`]
  wrong.push(
    link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    cardQrText(card).toLowerCase(),
    'A'.repeat(5_000),
  )
  for (const text of wrong)
    t.is(
      codeOf(() => parseCard(text)),
      'E_CARD_FORMAT',
      text.slice(0, 20),
    )
})

test('any changed octet is refused, each with its code', (t) => {
  const seen = new Set<string>()
  for (let at = 0; at < card.bytes.length; at++) {
    const changed = card.bytes.slice()
    changed[at]! ^= 1 << ((at + 2) % 8)
    const code = codeOf(() => readCard(changed))
    t.regex(code, /^E_CARD_(FORMAT|VERSION|SIGNATURE)$/, `octet ${at}`)
    seen.add(code)
  }
  t.is(seen.size, 3)
})

test('cut off anywhere, or longer: refused', (t) => {
  for (let length = 0; length < card.bytes.length; length++) {
    t.is(
      codeOf(() => readCard(card.bytes.slice(0, length))),
      'E_CARD_FORMAT',
      `${length} octets`,
    )
  }
  t.is(
    codeOf(() => readCard(concat(card.bytes, Uint8Array.of(0)))),
    'E_CARD_FORMAT',
  )
})

test('anything at all is a card or is refused with a code', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => /^E_CARD_/.test(codeOf(() => readCard(bytes)))))
  fc.assert(fc.property(fc.string(), (text) => /^E_CARD_/.test(codeOf(() => parseCard(text)))))
  const mutation = fc.array(fc.tuple(fc.nat(card.bytes.length - 65), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(mutation, (changes) => {
      const bytes = resigned((unsigned) => {
        for (const [at, value] of changes) unsigned[at] = value
        return unsigned
      })
      const code = codeOf(() => readCard(bytes))
      return code === 'accepted' || /^E_CARD_/.test(code)
    }),
  )
  t.pass()
})

const nameAt = 1 + 8 + 1
const dhAt = nameAt + card.name.length + 32
/** One address in the fixture: count, length, "gateway", sid, sauth. */
const addressesLength = 1 + 2 + 7 + 24 + 32

function over(bytes: Uint8Array, part: Uint8Array, at: number): Uint8Array {
  bytes.set(part, at)
  return bytes
}

/** Signed by the owner, and refused all the same; and what the person is told. */
const refused: Record<string, readonly [(unsigned: Uint8Array) => Uint8Array, RegExp]> = {
  'a name with a control character': [(bytes) => over(bytes, Uint8Array.of(7), nameAt), /name/],
  'a name that is not UTF-8': [(bytes) => over(bytes, Uint8Array.of(0xff), nameAt), /name/],
  'a name that turns the direction of writing': [(bytes) => over(bytes, utf8('\u202e'), nameAt), /name/],
  'an X25519 key above the prime': [(bytes) => bytes.fill(0xff, dhAt, dhAt + 32), /keys/],
  'an X25519 key with its highest bit set': [(bytes) => over(bytes, Uint8Array.of(0x80), dhAt + 31), /keys/],
  'a date beyond 2^53': [(bytes) => bytes.fill(0xff, 1, 9), /dates/],
  'no address': [(bytes) => concat(bytes.slice(0, -addressesLength), Uint8Array.of(0)), /addresses/],
}
for (const [name, [change, told]] of Object.entries(refused)) {
  test(`refused: ${name}`, (t) => {
    t.throws(() => readCard(resigned(change)), { code: 'E_CARD_FORMAT', message: told })
  })
}

test('ways to start: at least one, ascending', (t) => {
  for (const starts of [[], [1, 1], [2, 1]]) {
    const prekey = { ...contentFrom(1).prekey, starts: Uint8Array.from(starts) }
    t.is(
      codeOf(() => cardFrom(1, { prekey })),
      'E_CARD_FORMAT',
    )
  }
})

test('signed by another key: refused', (t) => {
  const unsigned = card.bytes.slice(0, -64)
  const forged = concat(unsigned, ed25519Sign(identityFrom(2).rootSeed, concat(utf8('sotto/1/card'), unsigned)))
  t.is(
    codeOf(() => readCard(forged)),
    'E_CARD_SIGNATURE',
  )
})

test('good until its prekey expires', (t) => {
  const { expires } = card.prekey
  t.notThrows(() => requireFresh(card, expires - 1))
  t.is(
    codeOf(() => requireFresh(card, expires)),
    'E_CARD_EXPIRED',
  )
})

test('ChatLimits.nameBytes and gatewayBytes', (t) => {
  t.true(isName('é'.repeat(ChatLimits.nameBytes / 2)))
  t.false(isName(`${'é'.repeat(ChatLimits.nameBytes / 2)}e`))
  for (const name of ['', ' a', 'a\n', 'a\u2028b', 'a\u200fb', 'a\u061cb', 'a\u202eb'])
    t.false(isName(name), JSON.stringify(name))
  t.throws(() => signCard(identityFrom(1), contentFrom(1, { name: '' })), { instanceOf: RangeError })
  const gateway = (length: number): Card =>
    cardFrom(1, { addresses: [{ ...contentFrom(1).addresses[0]!, gateway: new Uint8Array(length) }] })
  t.is(gateway(ChatLimits.gatewayBytes).addresses[0]!.gateway.length, ChatLimits.gatewayBytes)
  for (const length of [0, ChatLimits.gatewayBytes + 1])
    t.is(
      codeOf(() => gateway(length)),
      'E_CARD_FORMAT',
    )
})

test('the longest card still fits its text, also broken into lines; a longer text is refused unread', (t) => {
  const long = longestCard()
  t.is(long.chain.length, ChatLimits.documents * DOCUMENT_LENGTH)
  t.is(long.bytes.length, CARD_BYTES)
  for (const text of [cardQrText(long), cardLink(long)]) {
    t.deepEqual(parseCard(text.match(/.{1,60}/g)!.join('\r\n')), long)
    const padded = (length: number): string => text.padEnd(length)
    t.deepEqual(parseCard(padded(CARD_TEXT_MAX)), long)
    t.throws(() => parseCard(padded(CARD_TEXT_MAX + 1)), { code: 'E_CARD_FORMAT', message: /too long/ })
  }
})

test('the date is part of what is signed', (t) => {
  const later = card.bytes.slice()
  later.set(u64(card.issued + 1), 1)
  t.is(
    codeOf(() => readCard(later)),
    'E_CARD_SIGNATURE',
  )
})

test('the hash of a picture is read and signed; without one the card is of the version before', (t) => {
  const avatar = new Uint8Array(32).fill(77)
  const shown = cardFrom(1, { avatar })
  t.deepEqual([shown.bytes[0], card.bytes[0]], [3, 2])
  t.deepEqual(shown.avatar, avatar)
  t.false('avatar' in card)
  t.is(shown.bytes.length, card.bytes.length + 32)
  t.deepEqual(readCard(shown.bytes), shown)
  for (let at = 0; at < shown.bytes.length; at++) {
    const changed = shown.bytes.slice()
    changed[at]! ^= 1 << ((at + 2) % 8)
    t.throws(() => readCard(changed), { instanceOf: SottoError }, `octet ${at}`)
  }
  const other = concat(Uint8Array.of(2), shown.bytes.subarray(1))
  t.throws(() => readCard(other), { instanceOf: SottoError }, 'the version is signed')
})
