import test from 'ava'
import fc from 'fast-check'
import { fromBase64url, latin1, lookupKey } from './bytes.ts'
import { hexInto, SHORT, sextetsInto, sextetsOf } from './sextets.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const sextets = sextetsOf(alphabet)
const octets = fc.uint8Array({ maxLength: SHORT })

test('every text of whole octets is read as the library reads it, and nothing else is read', (t) => {
  const characters = fc.constantFrom(...alphabet, '=', '+', ' ', '\u00e4', '\u{1f600}')
  const texts = fc.oneof(
    octets.map((bytes) => bytes.toBase64({ alphabet: 'base64url', omitPadding: true })),
    fc.string({ unit: characters, maxLength: 44 }),
  )
  const strictly = (text: string): Uint8Array | undefined => {
    const bytes = Buffer.from(text, 'base64url')
    return bytes.toString('base64url') === text ? new Uint8Array(bytes) : undefined
  }
  fc.assert(
    fc.property(texts, (text) => {
      const out = new Uint8Array((text.length * 3) >> 2)
      const expected = strictly(text)
      t.is(sextetsInto(out, text, text.length, sextets), expected !== undefined)
      if (expected !== undefined) t.deepEqual(out, expected)
      t.deepEqual(fromBase64url(text), expected)
    }),
  )
})

test('hexadecimal digits are read as the library reads them, and nothing else is read', (t) => {
  const characters = fc.constantFrom(...'0123456789abcdef', 'A', 'g', ' ', '\u0130', '\u{1f600}')
  const texts = fc.oneof(
    octets.map((bytes) => bytes.toHex()),
    fc.string({ unit: characters, maxLength: 2 * SHORT }),
  )
  fc.assert(
    fc.property(texts, (text) => {
      const out = new Uint8Array(text.length >> 1)
      const right = text.length % 2 === 0 && /^[0-9a-f]*$/.test(text)
      t.is(hexInto(out, text), right)
      if (right) t.deepEqual(out, Uint8Array.fromHex(text))
    }),
  )
  t.false(hexInto(new Uint8Array(2), 'abcdef'))
  t.false(hexInto(new Uint8Array(4), 'abcdef'))
})

test('what is longer or shorter than its place is refused', (t) => {
  for (const length of [0, 14, 15, 17, 18]) {
    t.false(
      sextetsInto(new Uint8Array(16), 'A'.repeat(Math.ceil((4 * length) / 3)), Math.ceil((4 * length) / 3), sextets),
    )
  }
})

test('a key for looking up is the one that is kept', (t) => {
  const eights = fc
    .integer({ min: 0, max: 4 })
    .chain((count) => fc.uint8Array({ minLength: 8 * count, maxLength: 8 * count }))
  fc.assert(fc.property(eights, (bytes) => t.is(lookupKey(bytes), latin1(bytes))))
  fc.assert(fc.property(eights, (bytes) => t.is(lookupKey(Buffer.concat([bytes, bytes]), bytes.length), latin1(bytes))))
  t.pass()
})
