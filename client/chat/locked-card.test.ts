/** Cards under a password: they open by it alone, whole, and unchanged. */
import test from 'ava'
import fc from 'fast-check'
import { codeOf } from '#test/helpers/code-of.ts'
import { prng } from '#test/helpers/prng.ts'
import { cardLink } from './card-text.ts'
import { cardFrom, longestCard } from './fixtures/people.ts'
import { isLockedCard, lockCard, openLockedCard } from './locked-card.ts'

const CHEAP = { memoryKiB: 8, passes: 1, parallelism: 1, length: 32 }
const PASSWORD = 'ten letters and more'
const card = cardFrom(1)
const { bytes: random } = prng(1)

test('it opens by its password in either spelling, and by nothing else; at its real cost', (t) => {
  const { link, qr } = lockCard(card, PASSWORD, random)
  t.true([link, qr].every(isLockedCard))
  t.false(isLockedCard(cardLink(card)))
  t.deepEqual(openLockedCard(link, PASSWORD), card)
  t.deepEqual(openLockedCard(`${qr.slice(0, 40)}\n ${qr.slice(40)}`, 'ｔen letters and more'), card)
  t.is(
    codeOf(() => openLockedCard(link, 'another password')),
    'E_CARD_LOCKED',
  )
})

test('the same card under the same password looks different each time, and says nothing of whose it is', (t) => {
  const [one, two] = [lockCard(card, PASSWORD, random, CHEAP), lockCard(card, PASSWORD, random, CHEAP)]
  t.not(one.link.slice(20, 60), two.link.slice(20, 60))
  const octets = Buffer.from(one.link.slice('sotto-locked:'.length), 'base64url')
  for (const part of [card.uid, card.root, card.dh, Buffer.from(card.name)]) t.false(octets.includes(part))
})

test('the longest card fits under a password, too', (t) => {
  const long = longestCard()
  const { link, qr } = lockCard(long, PASSWORD, random, CHEAP)
  for (const text of [link, qr]) {
    t.deepEqual(openLockedCard(text.match(/.{1,60}/g)!.join('\r\n'), PASSWORD, CHEAP), long)
  }
})

test('changed, cut, of another version or with a short password: said by its code', (t) => {
  const { link } = lockCard(card, PASSWORD, random, CHEAP)
  const [start, body] = ['sotto-locked:', Buffer.from(link.slice('sotto-locked:'.length), 'base64url')]
  const spelled = (octets: Uint8Array): string => start + Buffer.from(octets).toString('base64url')
  fc.assert(
    fc.property(fc.integer({ min: 1, max: body.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const other = Uint8Array.from(body)
      other[at]! ^= change
      return codeOf(() => openLockedCard(spelled(other), PASSWORD, CHEAP)) === 'E_CARD_LOCKED'
    }),
    { numRuns: 50 },
  )
  const cases = [
    [spelled(body.subarray(0, -1)), 'E_CARD_LOCKED'],
    [spelled(body.subarray(0, 33)), 'E_CARD_FORMAT'],
    [spelled(Buffer.concat([Buffer.of(2), body.subarray(1)])), 'E_CARD_VERSION'],
    [`${link}!`, 'E_CARD_FORMAT'],
    [link + 'A'.repeat(10_000), 'E_CARD_FORMAT'],
  ] as const
  for (const [text, code] of cases) {
    t.is(
      codeOf(() => openLockedCard(text, PASSWORD, CHEAP)),
      code,
    )
  }
  t.is(
    codeOf(() => lockCard(card, 'too short', random, CHEAP)),
    'E_PROOF_SECRET',
  )
})
