import { argon2Sync } from 'node:crypto'
import { argon2id as nobleArgon2id } from '@noble/hashes/argon2.js'
import test from 'ava'
import fc from 'fast-check'
import { readVectors } from '#test/helpers/vectors.ts'
import { hex, utf8 } from '../bytes.ts'
import * as native from './argon2id.ts'
import * as noble from './noble.ts'

const numRuns = process.env.SOTTO_LONG ? 300 : 20
const suites = { native: native.argon2id, noble: noble.argon2id }
const cost = { memoryKiB: 64, passes: 1, parallelism: 1, length: 32 }

for (const [by, argon2id] of Object.entries(suites)) {
  test(`known answers of the reference implementation: ${by}`, (t) => {
    const derive = (password: string, salt: string, parallelism: number): string =>
      hex(argon2id(utf8(password), utf8(salt), { memoryKiB: 256, passes: 2, parallelism, length: 32 }))
    t.is(derive('password', 'somesalt', 1), '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe')
    t.is(derive('password', 'somesalt', 2), '6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037')
  })

  test(`costs out of range throw: ${by}`, (t) => {
    const [password, salt] = [new Uint8Array(0), new Uint8Array(16)]
    const refused = [
      { memoryKiB: 7 },
      { memoryKiB: 15, parallelism: 2 },
      { memoryKiB: 1_048_577 },
      { memoryKiB: 64.5 },
      { passes: 0 },
      { passes: 65_537 },
      { parallelism: 0 },
      { parallelism: 256, memoryKiB: 4096 },
      { length: 3 },
      { length: 1025 },
    ]
    for (const part of refused) {
      t.throws(() => argon2id(password, salt, { ...cost, ...part }), { instanceOf: RangeError }, JSON.stringify(part))
    }
    t.throws(() => argon2id(password, new Uint8Array(7), cost), { instanceOf: RangeError })
    t.is(Object.getPrototypeOf(argon2id(password, salt, cost)), Uint8Array.prototype)
  })
}

test('native equals noble', (t) => {
  const any = fc.record({
    password: fc.uint8Array({ maxLength: 100 }),
    salt: fc.uint8Array({ minLength: 8, maxLength: 40 }),
    passes: fc.integer({ min: 1, max: 3 }),
    parallelism: fc.integer({ min: 1, max: 3 }),
    extra: fc.nat(64),
    length: fc.integer({ min: 4, max: 100 }),
  })
  fc.assert(
    fc.property(any, ({ password, salt, passes, parallelism, extra, length }) => {
      const chosen = { memoryKiB: 8 * parallelism + extra, passes, parallelism, length }
      t.deepEqual(suites.native(password, salt, chosen), suites.noble(password, salt, chosen))
    }),
    { numRuns },
  )
})

test('where the native primitive works it is used', (t) => {
  t.not(native.argon2id, native.portableArgon2id)
})

/**
 * kdf/argon2.json is a bare list of results: 15 cases for each of Argon2d, Argon2i, Argon2id in version 1.0 and 1.3. These
 * are the cases without a secret, by their place among the 15; the input repeats 1 2 3 4 5, the salt 6 7 8 9 10.
 */
const cases = [
  { at: 0, password: 32, salt: 16, length: 32, passes: 1, parallelism: 1, memoryKiB: 8 },
  { at: 1, password: 0, salt: 8, length: 4, passes: 1, parallelism: 1, memoryKiB: 8 },
  { at: 2, password: 1, salt: 9, length: 16, passes: 1, parallelism: 1, memoryKiB: 8 },
  { at: 8, password: 32, salt: 16, length: 32, passes: 2, parallelism: 2, memoryKiB: 16 },
  { at: 9, password: 32, salt: 16, length: 32, passes: 4, parallelism: 3, memoryKiB: 24 },
  { at: 10, password: 32, salt: 16, length: 32, passes: 8, parallelism: 4, memoryKiB: 32 },
  { at: 11, password: 32, salt: 16, length: 32, passes: 32, parallelism: 1, memoryKiB: 64 },
  { at: 12, password: 32, salt: 16, length: 32, passes: 1, parallelism: 16, memoryKiB: 128 },
  { at: 13, password: 32, salt: 16, length: 32, passes: 1, parallelism: 1, memoryKiB: 1024 },
  { at: 14, password: 32, salt: 16, length: 1024, passes: 1, parallelism: 1, memoryKiB: 4096 },
]
const repeat = (from: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => from + (i % 5))

for (const [by, argon2id] of Object.entries(suites)) {
  test(`published results: ${by}`, (t) => {
    const results = readVectors('kdf/argon2.json') as string[] | undefined
    if (results === undefined) {
      t.log('the folder of published vectors is absent')
      t.pass()
      return
    }
    t.is(results.length, 90)
    for (const { at, password, salt, ...chosen } of cases) {
      t.is(hex(argon2id(repeat(1, password), repeat(6, salt), chosen)), results[75 + at]!, `case ${at}`)
    }
  })
}

/** With secret and associated data, which our own functions do not take: both libraries below them are asked. */
test('RFC 9106 section 5.3', (t) => {
  const message = new Uint8Array(32).fill(1)
  const nonce = new Uint8Array(16).fill(2)
  const secret = new Uint8Array(8).fill(3)
  const associatedData = new Uint8Array(12).fill(4)
  const tag = '0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659'
  const shape = { memory: 32, passes: 3, parallelism: 4, tagLength: 32 }
  t.is(hex(argon2Sync('argon2id', { message, nonce, secret, associatedData, ...shape })), tag)
  t.is(hex(nobleArgon2id(message, nonce, { m: 32, t: 3, p: 4, key: secret, personalization: associatedData })), tag)
})
