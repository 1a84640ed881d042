import { randomBytes, randomUUID } from 'node:crypto'
import test from 'ava'
import { findOpaque } from './opaque.ts'

const many = (make: () => string, count = 24): string[] => Array.from({ length: count }, make)

for (const encoding of ['hex', 'base64', 'base64url'] as const) {
  test(`${encoding} of random octets is found, with its lengths`, (t) => {
    const lengths = Array.from({ length: 24 }, (_, at) => 16 + at)
    const found = findOpaque(lengths.map((length) => randomBytes(length).toString(encoding)))
    t.deepEqual(found, { encoding, octets: lengths })
  })
}

const others: readonly [string, string[]][] = [
  ['words', many(() => 'the quick brown fox')],
  ['base64 of JSON', many(() => Buffer.from(JSON.stringify({ at: Math.random(), page: 1 })).toString('base64'))],
  ['hex of text', many(() => Buffer.from(`user-${Math.floor(Math.random() * 1e9)}-session`).toString('hex'))],
  ['UUIDs', many(() => randomUUID())],
  ['times', many(() => String(1_790_000_000_000 + Math.floor(Math.random() * 1e9)))],
  ['the same value always', Array(24).fill(randomBytes(32).toString('hex'))],
  ['short ids', many(() => randomBytes(6).toString('hex'))],
  [
    'letters and digits without + and /',
    many(() => Array.from(randomBytes(44), (octet) => 'abcdefghijkmnpqrstuvwxyz23456789'[octet % 32]).join('')),
  ],
  ['capitals in hex', many(() => randomBytes(16).toString('hex').toUpperCase())],
  ['too few samples', many(() => randomBytes(64).toString('base64'), 3)],
  ['too few characters', many(() => randomBytes(12).toString('base64'), 4)],
]

for (const [name, values] of others) {
  test(`not taken for random octets: ${name}`, (t) => {
    t.is(findOpaque(values), undefined)
  })
}
