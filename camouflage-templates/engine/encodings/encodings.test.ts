import test from 'ava'
import { seeded } from '../../test-support.ts'
import { base64 } from './base64.ts'
import { base64url } from './base64url.ts'
import { grouped } from './grouped.ts'
import { hex } from './hex.ts'
import { decodeText } from './text-encoding.ts'

const encodings = { base64, base64url, hex }

test('text encodings: lengths around every group come back, and are as long as said', (t) => {
  for (const [name, encoding] of Object.entries(encodings)) {
    for (const length of [1, 2, 3, 4, 5, 15, 16, 17, 96, 1_000, 100_001]) {
      const bytes = seeded(length)(length)
      const text = encoding.encode(bytes)
      t.is(text, Buffer.from(bytes).toString(name as 'hex'))
      t.is(text.length, encoding.encodedLength(length))
      t.true([...text.slice(0, 500)].every((character) => encoding.alphabet.includes(character)))
      t.deepEqual(decodeText(encoding, text), bytes)
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
    for (const text of texts) t.is(decodeText(encodings[name as 'hex'], text), undefined, `${name} ${text}`)
  }
})

test('text encodings: of all short texts those are read that are written for some octets, and no others', (t) => {
  const characters = [...base64.alphabet, '-', '_', ' ', '\n', '\u00e4']
  for (const [name, encoding] of Object.entries(encodings)) {
    let read = 0
    for (const first of ['', 'QUJD', '4142']) {
      for (const a of characters) {
        for (const b of characters) {
          for (const text of [
            first + a,
            first + a + b,
            `${first}${a}${b}=`,
            `${first}${a}${b}==`,
            `${first}Q${a}${b}`,
          ]) {
            const bytes = decodeText(encoding, text)
            if (bytes === undefined) continue
            read++
            if (encoding.encode(bytes) !== text) t.fail(`${name} reads ${JSON.stringify(text)}`)
          }
        }
      }
    }
    t.true(read > 500, `${name}: ${read}`)
  }
})

test('grouped: a list of equally long values', (t) => {
  const tags = grouped(hex, { bytes: 2, open: '"', close: '"', between: ', ' })
  t.is(tags.encode(Uint8Array.of(1, 2, 3, 4)), '"0102", "0304"')
  t.is(tags.encodedLength(4), 14)
  t.deepEqual(decodeText(tags, '"0102", "0304"'), Uint8Array.of(1, 2, 3, 4))
  for (const text of [
    '"0102",  "0304',
    '"0102", "03"',
    '"0102", "0304",',
    '"0102"; "0304"',
    "'0102', '0304'",
    '"01xy"',
  ]) {
    t.is(decodeText(tags, text), undefined, text)
  }
})
