import test from 'ava'
import { Limits } from '#protocol/constants.ts'
import { exchangePace, Pace } from './pace.ts'

test('a burst goes at once, then one after another at the pace; the others do not wait', (t) => {
  const pace = new Pace(10, 5)
  const waits = Array.from({ length: 8 }, () => pace.take('a', 1_000))
  t.deepEqual(waits, [0, 0, 0, 0, 0, 100, 200, 300])
  t.is(pace.take('b', 1_000), 0)
  t.is(pace.take('a', 2_000), 0)
})

test('what moves much costs next to nothing', (t) => {
  const pace = exchangePace()
  for (let i = 0; i < 20 * Limits.memberExchangeBurst; i++) {
    t.is(pace.take('a', 0), 0)
    pace.settle('a', 262_144)
    if (i > Limits.memberExchangeBurst) break
  }
  const small = exchangePace()
  let free = 0
  while (small.take('a', 0) === 0) {
    small.settle('a', 200)
    free++
  }
  t.true(free >= Limits.memberExchangeBurst && free < 1.01 * Limits.memberExchangeBurst)
})

test('whoever does not wait is in debt, but not for ever', (t) => {
  const pace = new Pace(10, 5)
  for (let i = 0; i < 1_000; i++) pace.take('a', 0)
  t.is(pace.take('a', 0), 500)
})

test('refused contacts take nothing', (t) => {
  const pace = new Pace(1, 2)
  t.deepEqual(
    Array.from({ length: 9 }, () => pace.takeNow('a', 0)),
    [true, true, ...Array.from({ length: 7 }, () => false)],
  )
  t.true(pace.takeNow('a', 1_000))
})

test('a clock that is set changes nothing; who is full again is forgotten', (t) => {
  const pace = new Pace(10, 5)
  for (let i = 0; i < 5; i++) pace.take('a', 10_000)
  t.is(pace.take('a', 0), 100)
  t.is(pace.size, 1)
  pace.sweep(100)
  t.is(pace.size, 1)
  pace.sweep(10_000)
  t.is(pace.size, 0)
})
