import test from 'ava'
import { prng } from '#test/helpers/prng.ts'
import { auc, errorsFor, folded, meanDifference, meanOf, medianDifference, sameMixture, share } from './statistics.ts'

const numbers = (count: number, draw: () => number): Float64Array => Float64Array.from({ length: count }, draw)

/** Every pair, counted. */
function naive(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (const x of a) for (const y of b) sum += x > y ? 1 : x === y ? 0.5 : 0
  return sum / (a.length * b.length)
}

test('auc is the share of pairs in order, ties halved', (t) => {
  const random = prng(1)
  for (const range of [3, 20, 1e9]) {
    const a = numbers(70, () => random.below(range) + range / 10)
    const b = numbers(90, () => random.below(range))
    t.true(Math.abs(auc(a, b).value - naive(a, b)) < 1e-12)
    t.true(Math.abs(auc(a, b).value + auc(b, a).value - 1) < 1e-12)
  }
  t.is(auc(Float64Array.of(3, 4), Float64Array.of(1, 2)).value, 1)
})

test('the interval of auc holds the truth about as often as it says', (t) => {
  const random = prng(2)
  let held = 0
  const runs = 300
  for (let run = 0; run < runs; run++) {
    const [a, b] = [numbers(100, random.next), numbers(100, random.next)]
    const { low, high } = auc(a, b)
    if (low <= 0.5 && high >= 0.5) held++
  }
  t.true(held > 0.9 * runs && held < 0.99 * runs, String(held))
})

test('the worst of many that are nothing stays within an interval that is for all of them', (t) => {
  t.deepEqual(
    [1, 10, 110].map((kinds) => Math.round(errorsFor(kinds) * 100) / 100),
    [1.96, 2.81, 3.51],
  )
  const random = prng(7)
  let [held, alone] = [0, 0]
  const [runs, kinds] = [60, 30]
  for (let run = 0; run < runs; run++) {
    const worst = { alone: true, together: true }
    for (let kind = 0; kind < kinds; kind++) {
      const [a, b] = [numbers(100, random.next), numbers(100, random.next)]
      worst.alone &&= auc(a, b).low <= 0.5 && auc(a, b).high >= 0.5
      const all = auc(a, b, errorsFor(kinds))
      worst.together &&= all.low <= 0.5 && all.high >= 0.5
    }
    if (worst.together) held++
    if (worst.alone) alone++
  }
  t.true(held >= 0.85 * runs && alone < 0.6 * runs, `${held} and ${alone} of ${runs}`)
})

test('the mean of what was measured apart is as sure as all of it', (t) => {
  const random = prng(8)
  const parts = Array.from({ length: 16 }, () => auc(numbers(100, random.next), numbers(100, random.next)))
  const { low, high } = meanOf(parts)
  t.true((high - low) * 3.9 < parts[0]!.high - parts[0]!.low && (high - low) * 4.1 > parts[1]!.high - parts[1]!.low)
  t.true(low < 0.5 && high > 0.5)
})

test('folded does not care which is slower', (t) => {
  const [a, b] = [Float64Array.of(1, 2, 3, 9), Float64Array.of(4, 5, 6, 7)]
  t.deepEqual(folded(auc(a, b)).value, folded(auc(b, a)).value)
  t.true(folded(auc(a, b)).value > 0.5)
  t.true(folded(auc(a, b)).low >= 0.5)
})

test('the difference of medians is found among noise, and none where there is none', (t) => {
  const random = prng(3)
  const disturbed = numbers(2_000, () => 100 + 50 * random.next())
  const b = disturbed.map((x) => x + random.next())
  const later = medianDifference(
    disturbed.map((x) => x + 7),
    b,
    random.next,
  )
  t.true(later.low < 6.5 && later.high > 6.5 && later.low > 3, JSON.stringify(later))
  const none = medianDifference(
    disturbed.map((x) => x + random.next()),
    b,
    random.next,
  )
  t.true(none.low <= 0 && none.high >= 0)
})

test('share: never outside of what can be', (t) => {
  t.deepEqual(share(0, 10).value, 0)
  t.true(share(0, 10).low >= -1e-12 && share(0, 10).high > 0.2)
  t.true(share(5_000, 10_000).high < 0.511)
})

test('two lists of one mixture are taken for that, and another mixture for another', (t) => {
  const random = prng(5)
  const draw = (count: number, share: number): string[] =>
    Array.from({ length: count }, () => (random.next() < share ? 'one' : 'two'))
  t.true(sameMixture(draw(200, 0.5), draw(200, 0.5), random.next) > 0.01)
  t.true(sameMixture(draw(200, 0.5), draw(200, 0.8), random.next) < 0.01)
  t.is(sameMixture(['one', 'one'], ['one'], random.next), 1)
  t.true(sameMixture(['one', 'one'], ['two', 'two'], random.next) > 0.1, 'so few say nothing')
})

test('the difference of means with its interval, and none of too few', (t) => {
  const random = prng(6)
  const found = meanDifference(
    numbers(400, () => random.next() + 0.2),
    numbers(400, () => random.next()),
  )
  t.true(found !== undefined && found.low < 0.2 && found.high > 0.2 && found.low > 0.1, JSON.stringify(found))
  t.is(meanDifference(Float64Array.of(1), Float64Array.of(1, 2)), undefined)
})
