import test from 'ava'
import { seeded } from '../../test-support.ts'
import { base64 } from './base64.ts'
import { base64url } from './base64url.ts'
import { grouped } from './grouped.ts'
import { hex } from './hex.ts'

const encodings = { base64, base64url, hex }

test('text encodings: lengths around every group come back, and are as long as said', (t) => {
  for (const [name, encoding] of Object.entries(encodings)) {
    for (const length of [1, 2, 3, 4, 5, 15, 16, 17, 96, 1_000, 100_001]) {
      const bytes = seeded(length)(length)
      const text = encoding.encode(bytes)
      t.is(text, Buffer.from(bytes).toString(name as 'hex'))
      t.is(text.length, encoding.encodedLength(length))
      t.true([...text.slice(0, 500)].every((character) => encoding.alphabet.includes(character)))
      t.deepEqual(encoding.decode(text), bytes)
    }
  }
})

test('text encodings: a second spelling is refused', (t) => {
  const refused = {
    base64: ['QQ', 'QQ=', 'QR==', 'QUI', 'QUJ=', ' QUJD', 'QU\nJD', 'QUJD\n', '-_-_', 'QQ==QQ==', 'QUJD=', '\u00e4UJD'],
    base64url: ['QQ==', 'QR', 'QUJ', 'Q', '+/+/', 'QU JD', 'QUJD '],
    hex: ['4', 'AB', 'aB', '0x', ' a', 'abc', 'ag'],
  }
  for (const [name, texts] of Object.entries(refused)) {
    for (const text of texts) t.is(encodings[name as 'hex'].decode(text), undefined, `${name} ${text}`)
  }
})

test('grouped: a list of equally long values', (t) => {
  const tags = grouped(hex, { bytes: 2, open: '"', close: '"', between: ', ' })
  t.is(tags.encode(Uint8Array.of(1, 2, 3, 4)), '"0102", "0304"')
  t.is(tags.encodedLength(4), 14)
  t.deepEqual(tags.decode('"0102", "0304"'), Uint8Array.of(1, 2, 3, 4))
  for (const text of [
    '"0102",  "0304',
    '"0102", "03"',
    '"0102", "0304",',
    '"0102"; "0304"',
    "'0102', '0304'",
    '"01xy"',
  ]) {
    t.is(tags.decode(text), undefined, text)
  }
})
