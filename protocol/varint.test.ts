import test from 'ava'
import fc from 'fast-check'
import { fromHex, hex } from './bytes.ts'
import { Reader, varintLength, writeVarint } from './varint.ts'

const write = (value: number): Uint8Array => {
  const bytes = new Uint8Array(varintLength(value))
  writeVarint(bytes, 0, value)
  return bytes
}

test('the examples of RFC 9000 appendix A.1', (t) => {
  for (const [value, text] of [
    [494_878_333, '9d7f3e7d'],
    [15_293, '7bbd'],
    [37, '25'],
  ] as const) {
    t.is(hex(write(value)), text)
    t.is(new Reader(fromHex(text)!).varint(), value)
  }
})

test('both sides of every threshold, and anything else, come back', (t) => {
  const edges = [0, 63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 32, Number.MAX_SAFE_INTEGER]
  for (const value of edges) t.is(new Reader(write(value)).varint(), value)
  fc.assert(fc.property(fc.maxSafeNat(), (value) => new Reader(write(value)).varint() === value))
})

test('longer forms, cut forms and unsafe integers are refused', (t) => {
  for (const text of ['4025', '80000025', 'c000000000000025', '40', '9d7f3e', 'ffffffffffffffff', '']) {
    t.is(new Reader(fromHex(text)!).varint(), undefined, text)
  }
})
