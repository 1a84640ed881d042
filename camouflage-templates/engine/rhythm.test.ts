/** The rhythm by itself: that it follows from its seed, and that what is drawn is spread as declared. */
import test from 'ava'
import fc from 'fast-check'
import { numRuns, seeded } from '../test-support.ts'
import { createRhythm } from './rhythm.ts'
import type { RhythmData } from './template.ts'

const base: RhythmData = { holdMs: [6_000, 8_000], concurrency: 3, polls: 1 }
const seedOf = (seed: number): Uint8Array => seeded(seed)(16)
const holds = (seed: number, count: number): number[] => {
  const rhythm = createRhythm(base, seedOf(seed), 0)
  return Array.from({ length: count }, () => rhythm.hold())
}

test('the same seed and times give the same rhythm, another seed another', (t) => {
  t.deepEqual(holds(1, 50), holds(1, 50))
  t.notDeepEqual(holds(1, 50), holds(2, 50))
  t.throws(() => createRhythm(base, new Uint8Array(15), 0), { message: 'a seed has 16 octets' })
})

test('every member uses the whole of a range, so that habits tell nobody apart', (t) => {
  for (let seed = 0; seed < 60; seed++) {
    const all = holds(seed, 400)
    const [least, most] = [Math.min(...all), Math.max(...all)]
    t.true(least >= 6_000 && most <= 8_000, 'never beyond it')
    t.true(least < 6_100 && most > 7_900, `${least} to ${most}`)
  }
})

test('what is drawn is uniform: chi-square over 16 cells', (t) => {
  for (const seed of [3, 4, 5]) {
    const all = holds(seed, 8_000)
    const least = Math.min(...all)
    const width = (Math.max(...all) - least + 1) / 16
    const cells = new Array<number>(16).fill(0)
    for (const value of all) cells[Math.floor((value - least) / width)]!++
    const statistic = cells.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0)
    // 15 degrees of freedom: 99.9 % stay below 37.7.
    t.true(statistic < 37.7, `${seed}: ${statistic}`)
  }
})

test('nothing said: polls and sends may begin at any time, and no cover is due', (t) => {
  const rhythm = createRhythm(base, seedOf(1), 5)
  t.is(rhythm.pollAt, 5)
  rhythm.polled(100, false)
  rhythm.began('send', 150)
  t.is(rhythm.pollAt, 100)
  t.is(rhythm.sendAt, 5)
  t.is(rhythm.coverAt, undefined)
})

test('cover that is off is not there, whatever else it says', (t) => {
  const rhythm = createRhythm({ ...base, cover: { mode: 'off', everyMs: [1_000, 1_000], bytes: 700 } }, seedOf(1), 0)
  rhythm.began('send', 10)
  t.is(rhythm.coverAt, undefined)
  t.is(rhythm.sendAt, 0)
})

test('whatever happens, nothing is due later than the declared bounds say, and time never runs backwards', (t) => {
  const data: RhythmData = {
    ...base,
    thinkMs: [100, 900],
    burst: { exchanges: 3, gapMs: [50, 400] },
    idle: { afterMs: 10_000, restMs: [500, 2_000], factor: 3, mostMs: 20_000 },
    cover: { mode: 'adaptive', everyMs: [1_000, 5_000], tail: [1, 4], bytes: 700 },
  }
  const event = fc.record({
    kind: fc.constantFrom('send', 'cover', 'poll', 'news'),
    wait: fc.integer({ min: 0, max: 30_000 }),
  })
  const property = fc.property(fc.array(event, { maxLength: 60 }), fc.nat(), (events, seed) => {
    const rhythm = createRhythm(data, seedOf(seed), 0)
    let now = 0
    for (const { kind, wait } of events) {
      now += wait
      if (kind === 'send') rhythm.began(kind, now)
      // Cover begins where it is due and nowhere else.
      else if (kind === 'cover' && (rhythm.coverAt ?? Number.POSITIVE_INFINITY) <= now) rhythm.began(kind, now)
      else rhythm.polled(now, kind === 'news')
      t.true(rhythm.pollAt <= now + 20_000)
      t.true(rhythm.sendAt <= now + 400)
      t.true(rhythm.coverAt === undefined || rhythm.coverAt <= now + 5_000)
    }
  })
  fc.assert(property, { numRuns: 25 * numRuns, seed: 1 })
})
