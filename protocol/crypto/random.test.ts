import { deflateSync } from 'node:zlib'
import test from 'ava'
import { concat, hex } from '../bytes.ts'
import { randomBytes } from './random.ts'

const lengths = Array.from({ length: 4_000 }, (_, at) => [1, 4, 12, 16, 24, 32, 255, 256, 257, 5_000][at % 10]!)

test('random bytes: as many as asked for, none twice, and nothing in them to compress', (t) => {
  const drawn = lengths.map(randomBytes)
  t.deepEqual(
    drawn.map(({ length }) => length),
    lengths,
  )
  const long = drawn.filter(({ length }) => length >= 12).map((bytes) => hex(bytes.subarray(0, 12)))
  t.is(new Set(long).size, long.length)
  const all = concat(...drawn)
  t.true(deflateSync(all).length > all.length)
})

test('random bytes: whoever changes what was handed out, or looks around it, sees nothing of what comes', (t) => {
  const before = Array.from({ length: 500 }, () => randomBytes(32))
  for (const bytes of before) {
    t.is(bytes.buffer.byteLength, 32)
    bytes.fill(0)
  }
  const after = Array.from({ length: 500 }, () => hex(randomBytes(32)))
  t.is(new Set(after).size, 500)
  t.false(after.includes('00'.repeat(32)))
})
