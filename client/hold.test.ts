import test from 'ava'
import { Limits } from '#protocol/constants.ts'
import { Hold } from './hold.ts'

const TEMPLATE = [6_000, 8_000] as const

test('begins as the template says', (t) => {
  t.deepEqual(new Hold().range(TEMPLATE, 0), [6_000, 8_000])
})

test('grows only with proof, step by step, and never beyond what a gateway grants', (t) => {
  const hold = new Hold()
  hold.proved(7_000)
  t.deepEqual(hold.range(TEMPLATE, 0), [6_000, 8_000], 'one proof is none')
  hold.proved(7_000)
  t.deepEqual(hold.range(TEMPLATE, 0), [7_500, 10_000])
  for (let i = 0; i < 100; i++) hold.proved(50_000)
  t.is(hold.range(TEMPLATE, 0)[1], Limits.holdMs)
})

test('one cut may be anything; two after the same time are a rule of the path', (t) => {
  const hold = new Hold()
  t.false(hold.cut(5_000, false, 8_000, 0))
  t.deepEqual(hold.range(TEMPLATE, 0), [6_000, 8_000])
  t.true(hold.cut(5_200, false, 8_000, 0))
  t.true(hold.range(TEMPLATE, 0)[1] < 5_000, 'below what was cut')
})

test('two cuts after quite different times are accidents', (t) => {
  const hold = new Hold()
  t.false(hold.cut(2_000, false, 8_000, 0))
  t.false(hold.cut(6_000, false, 8_000, 0))
  t.deepEqual(hold.range(TEMPLATE, 0), [6_000, 8_000])
})

for (const idleMs of [10_000, 30_000, 60_000, 125_000]) {
  test(`an idle cut after ${idleMs / 1_000} s: the hold grows towards it, stays below, and cuts become rare`, (t) => {
    const hold = new Hold()
    let now = 0
    const cuts: number[] = []
    const late: number[] = []
    // Two hours of polls, each held for as long as may be.
    while (now < 7_200_000) {
      const [, most] = hold.range(TEMPLATE, now)
      if (most > idleMs) {
        now += idleMs
        cuts.push(now)
        hold.cut(idleMs, false, TEMPLATE[1], now)
      } else {
        now += most
        late.push(most)
        hold.proved(most)
      }
    }
    t.true(cuts.length <= 20, `${cuts.length} cuts`)
    const settled = late.at(-1)!
    t.true(settled <= idleMs && settled >= Math.min(0.6 * idleMs, 0.9 * Limits.holdMs), `${settled} ms`)
  })
}

test('silent cuts, which do not tell when, still lead below them', (t) => {
  const hold = new Hold()
  let failures = 0
  for (let now = 0; hold.range(TEMPLATE, now)[1] > 3_000; now += 10_000) {
    hold.cut(hold.range(TEMPLATE, now)[1], true, TEMPLATE[1], now)
    failures++
  }
  t.true(failures <= 6, `${failures} failures`)
})

test('a belief ends: networks change', (t) => {
  const hold = new Hold()
  hold.cut(3_000, false, 8_000, 0)
  hold.cut(3_000, false, 8_000, 0)
  for (let i = 0; i < 40; i++) hold.proved(2_000)
  t.true(hold.range(TEMPLATE, 1_000)[1] < 3_000)
  t.true(hold.range(TEMPLATE, 3_600_000)[1] > 3_000)
})
