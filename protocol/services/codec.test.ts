import test from 'ava'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { Limits } from '../constants.ts'
import { decodeMessage, encodeMessage } from './codec.ts'

const key = fc.string({ maxLength: 20 }).filter((text) => text !== '__proto__')
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ maxLength: 300 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(key, tie('value'), { maxKeys: 6, noNullPrototype: true }),
  ),
}))

const plain = (item: unknown): unknown =>
  item instanceof Uint8Array
    ? Buffer.from(item).toString('hex')
    : Array.isArray(item)
      ? item.map(plain)
      : item !== null && typeof item === 'object'
        ? Object.fromEntries(Object.entries(item).map(([name, inner]) => [name, plain(inner)]))
        : Object.is(item, -0)
          ? 0
          : item

test('what was encoded is decoded', (t) => {
  fc.assert(
    fc.property(value, (item) => t.deepEqual(plain(decodeMessage(encodeMessage(item))), plain(item)) as boolean),
  )
})

test('any mutation decodes or is refused, and never throws', (t) => {
  const mutated = fc.tuple(value, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(3))
  fc.assert(
    fc.property(mutated, ([item, at, flip, cut]) => {
      const bytes = encodeMessage(item)
      bytes[at % bytes.length]! ^= flip
      decodeMessage(bytes.subarray(0, bytes.length - cut))
    }),
  )
  t.pass()
})

const refused: Record<string, number[]> = {
  empty: [],
  'c1 is never used': [0xc1],
  'fixext 1 (record definition)': [0xd4, 0x72, 0x40],
  'ext 8': [0xc7, 0x01, 0x70, 0x00],
  timestamp: [0xd6, 0xff, 0, 0, 0, 0],
  'trailing byte': [0xc0, 0xc0],
  'truncated string': [0xa5, 0x61],
  'truncated array': [0x92, 0xc0],
  'number as key': [0x81, 0x01, 0x02],
  'nested map as key': [0x81, 0x80, 0x02],
  'key twice': [0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02],
  'array longer than the bytes': [0xdd, 0xff, 0xff, 0xff, 0xff],
  'blob longer than the bytes': [0xc6, 0xff, 0xff, 0xff, 0xff, 0x00],
}
for (const [name, bytes] of Object.entries(refused)) {
  test(`refused: ${name}`, (t) => {
    t.is(decodeMessage(Uint8Array.from(bytes)), undefined)
  })
}

test('__proto__ is refused as a key', (t) => {
  const bytes = Uint8Array.from([0x81, 0xa9, ...Buffer.from('__proto__'), 0x80])
  t.is(decodeMessage(bytes), undefined)
})

test('Limits.messageDepth', (t) => {
  const nested = (depth: number) => Uint8Array.from([...Array(depth).fill(0x91), 0xc0])
  t.not(decodeMessage(nested(Limits.messageDepth)), undefined)
  t.is(decodeMessage(nested(Limits.messageDepth + 1)), undefined)
})

test('Limits.messageItems', (t) => {
  const flat = (count: number) => Uint8Array.from([0xdc, count >> 8, count & 0xff, ...Array(count).fill(0xc0)])
  t.not(decodeMessage(flat(Limits.messageItems - 1)), undefined)
  t.is(decodeMessage(flat(Limits.messageItems)), undefined)
})

test('Limits.messageBytes', (t) => {
  const blob = (length: number) => encodeMessage(new Uint8Array(length))
  t.not(decodeMessage(blob(Limits.messageBytes - 5)), undefined)
  t.is(decodeMessage(blob(Limits.messageBytes)), undefined)
})

test('a message with records from a generous encoder is refused', (t) => {
  const bytes = new Packr({ useRecords: true }).pack([{ a: 1 }, { a: 2 }])
  t.is(decodeMessage(new Uint8Array(bytes)), undefined)
})

test('decoded byte strings do not share memory with the input', (t) => {
  const bytes = encodeMessage({ body: Uint8Array.of(1, 2, 3) })
  const { body } = decodeMessage(bytes) as { body: Uint8Array }
  bytes.fill(0)
  t.deepEqual([...body], [1, 2, 3])
})
