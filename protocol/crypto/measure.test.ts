import test from 'ava'
import { preferredAead } from './measure.ts'

/** A clock on which the nth measurement takes `took(n)` milliseconds; AES has the even ones. */
function clockOf(took: (measurement: number) => number): () => number {
  let now = 5
  let calls = 0
  return () => {
    if (calls % 2 === 1) now += took(calls >> 1)
    calls++
    return now
  }
}
const isAes = (measurement: number): boolean => measurement % 2 === 0

test('the quicker one is preferred', (t) => {
  t.is(preferredAead(clockOf((n) => (isAes(n) ? 0.01 : 0.03))), 'aes-256-gcm')
  t.is(preferredAead(clockOf((n) => (isAes(n) ? 0.03 : 0.01))), 'chacha20-poly1305')
})

test('a draw, as on a clock too coarse to tell, goes to ChaCha20', (t) => {
  t.is(preferredAead(clockOf(() => 0)), 'chacha20-poly1305')
})

test('one round that nothing disturbed is enough for the quicker one', (t) => {
  for (const calm of [0, 7, 14]) {
    const busy = (n: number): number => (n >> 1 === calm ? 0 : 50)
    t.is(preferredAead(clockOf((n) => busy(n) + (isAes(n) ? 0.01 : 0.03))), 'aes-256-gcm')
    t.is(preferredAead(clockOf((n) => busy(n) + (isAes(n) ? 0.03 : 0.01))), 'chacha20-poly1305')
    t.is(preferredAead(clockOf((n) => (isAes(n) ? busy(n) + 0.01 : 0.03))), 'aes-256-gcm')
  }
})

test('with the real clock the answer is one of the two', (t) => {
  t.true(['aes-256-gcm', 'chacha20-poly1305'].includes(preferredAead(() => performance.now())))
})
