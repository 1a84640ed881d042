import test from 'ava'
import fc from 'fast-check'
import { NO_HASH } from './envelope.ts'
import { ChatLimits } from './limits.ts'
import type { Received } from './model.ts'
import { accept, isHere, type Link, NOTHING_RECEIVED, rangesOf } from './sequence.ts'

const hash = (counter: number): Uint8Array => new Uint8Array(16).fill(counter % 251).with(0, 1)
const BASE = 1_000

/** The series 1,000, 1,001 ... */
function link(counter: number): Link {
  return { counter, previous: counter === BASE ? NO_HASH : hash(counter - 1), hash: hash(counter) }
}

function after(counters: readonly number[]): Received {
  return counters.reduce((received, counter) => accept(received, link(counter))!.received, NOTHING_RECEIVED)
}

test('in whatever order a series comes, it ends without a gap', (t) => {
  const order = fc.integer({ min: 1, max: 30 }).chain((count) =>
    fc.shuffledSubarray(
      Array.from({ length: count }, (_, i) => BASE + i),
      { minLength: count },
    ),
  )
  fc.assert(
    fc.property(order, (counters) => {
      const last = BASE + counters.length - 1
      t.deepEqual(after(counters), { upTo: last, hash: hash(last), ahead: [] })
      t.deepEqual(after([...counters, ...counters]), after(counters))
    }),
  )
})

test('gaps show as ranges', (t) => {
  const received = after([BASE, BASE + 1, BASE + 3, BASE + 4, BASE + 7])
  t.is(received.upTo, BASE + 1)
  t.deepEqual(rangesOf(received), [
    [BASE + 3, BASE + 4],
    [BASE + 7, BASE + 7],
  ])
  t.true(isHere(received, BASE + 3))
  t.false(isHere(received, BASE + 2))
})

test('nothing is taken to be whole before the series has begun', (t) => {
  t.is(after([BASE + 1, BASE + 2]).upTo, 0)
})

test('a later series goes on above the earlier one', (t) => {
  const received = after([BASE, BASE + 2])
  const begun = accept(received, { counter: 5_000, previous: NO_HASH, hash: hash(7) })!.received
  t.deepEqual(begun, { upTo: 5_000, hash: hash(7), ahead: [] })
})

test('another envelope before than the one that came: forked', (t) => {
  t.false(accept(after([BASE]), link(BASE + 1))!.forked)
  t.true(accept(after([BASE]), { ...link(BASE + 1), previous: hash(9) })!.forked)
  t.true(accept(after([BASE, BASE + 2]), { ...link(BASE + 2), hash: hash(9) })!.forked)
})

test('ChatLimits.ahead and receiptRanges', (t) => {
  const counters = Array.from({ length: ChatLimits.ahead }, (_, i) => BASE + 2 + i * 2)
  const full = after([BASE, ...counters])
  t.is(accept(full, link(BASE + 1 + ChatLimits.ahead * 2)), undefined)
  t.is(rangesOf(full).length, ChatLimits.receiptRanges)
  t.is(accept(full, link(BASE + 1))!.received.upTo, BASE + 2)
})
