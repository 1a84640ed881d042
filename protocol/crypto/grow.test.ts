import test from 'ava'
import { grow } from './grow.ts'

test('memory of its own is taken over', (t) => {
  const bytes = Buffer.from(Uint8Array.of(1, 2, 3).buffer)
  t.deepEqual(grow(bytes, 2), Uint8Array.of(1, 2, 3, 0, 0))
  t.is(bytes.length, 0)
})

test('shared memory is left to those who share it', (t) => {
  const pool = Uint8Array.of(9, 1, 2, 3, 9)
  for (const offset of [0, 1, 2]) {
    const bytes = Buffer.from(pool.buffer, offset, 3)
    t.deepEqual(grow(bytes, 1), Uint8Array.of(...pool.subarray(offset, offset + 3), 0))
  }
  t.deepEqual(pool, Uint8Array.of(9, 1, 2, 3, 9))
})

test('nothing grows to room alone', (t) => {
  t.deepEqual(grow(Buffer.alloc(0), 3), new Uint8Array(3))
  t.deepEqual(grow(Buffer.alloc(0), 3), new Uint8Array(3))
})
