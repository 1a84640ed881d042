/** How well times tell two kinds of requests apart, and how sure that is. Pure: chance is an argument. */

export interface Interval {
  readonly value: number
  /** 95 %. */
  readonly low: number
  readonly high: number
}

/** Normal quantile of 97.5 %. */
const Z = 1.96

/**
 * How many standard errors an interval has to reach on either side so that all of `kinds` intervals hold with 95 %, whatever they have to do with
 * each other (Bonferroni): the worst of many looks bad by chance alone. Abramowitz and Stegun 26.2.23, right to 0.0005.
 */
export function errorsFor(kinds: number): number {
  if (kinds <= 1) return Z
  const t = Math.sqrt(-2 * Math.log(0.025 / kinds))
  const over = 2.515517 + t * (0.802853 + t * 0.010328)
  return t - over / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}

/**
 * The chance that one of `a` is greater than one of `b`, ties halved: the area under the ROC curve of the rule "greater
 * is a". By ranks (Mann-Whitney), with the interval of DeLong, which assumes no distribution. 0.5: cannot be told apart.
 */
export function auc(a: Float64Array, b: Float64Array, errors: number = Z): Interval {
  const fromA = placements(a, b)
  const fromB = placements(b, a)
  const value = mean(fromA)
  const error = Math.sqrt(variance(fromA) / a.length + variance(fromB) / b.length)
  return { value, low: Math.max(0, value - errors * error), high: Math.min(1, value + errors * error) }
}

/** Of figures that were measured apart: their mean, whichever way each of them goes. */
export function meanOf(parts: readonly Interval[]): Interval {
  const value = parts.reduce((sum, part) => sum + part.value, 0) / parts.length
  const half = Math.sqrt(parts.reduce((sum, { low, high }) => sum + ((high - low) / 2) ** 2, 0)) / parts.length
  return { value, low: value - half, high: value + half }
}

/** Whichever way round: 0.5 and more. Who cannot say in advance which kind is slower finds out by trying. */
export function folded({ value, low, high }: Interval): Interval {
  return value >= 0.5
    ? { value, low: Math.max(low, 0.5), high }
    : { value: 1 - value, low: Math.max(1 - high, 0.5), high: 1 - low }
}

/** For each of `xs`, the share of `others` that are smaller, ties halved. */
function placements(xs: Float64Array, others: Float64Array): Float64Array {
  const sorted = others.toSorted()
  return xs.map((x) => (below(sorted, x, false) + below(sorted, x, true)) / (2 * sorted.length))
}

/** How many of `sorted` are less than `x`; `equal`: or equal. */
function below(sorted: Float64Array, x: number, equal: boolean): number {
  let [from, to] = [0, sorted.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (sorted[middle]! < x || (equal && sorted[middle] === x)) from = middle + 1
    else to = middle
  }
  return from
}

export function mean(xs: Float64Array): number {
  return xs.reduce((sum, x) => sum + x, 0) / xs.length
}

function variance(xs: Float64Array): number {
  const middle = mean(xs)
  return xs.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (xs.length - 1)
}

/** Mean of `a` less that of `b`, which were drawn apart; undefined where there are too few to say. */
export function meanDifference(a: Float64Array, b: Float64Array): Interval | undefined {
  if (a.length < 2 || b.length < 2) return undefined
  const value = mean(a) - mean(b)
  const error = Math.sqrt(variance(a) / a.length + variance(b) / b.length)
  return { value, low: value - Z * error, high: value + Z * error }
}

/** Of an ascending array. */
function medianOf(sorted: Float64Array): number {
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Draws for an interval; more would change its ends by less than they are uncertain. */
const DRAWS = 400

/**
 * Difference of the medians of pairs, a less b, with its bootstrap interval. Pairs are drawn whole, since what disturbs
 * one disturbs the other.
 */
export function medianDifference(a: Float64Array, b: Float64Array, random: () => number): Interval {
  const length = Math.min(a.length, b.length)
  const [drawnA, drawnB] = [new Float64Array(length), new Float64Array(length)]
  const draws = new Float64Array(DRAWS)
  for (let draw = 0; draw < DRAWS; draw++) {
    for (let i = 0; i < length; i++) {
      const at = Math.floor(random() * length)
      drawnA[i] = a[at]!
      drawnB[i] = b[at]!
    }
    draws[draw] = medianOf(drawnA.sort()) - medianOf(drawnB.sort())
  }
  draws.sort()
  const value = medianOf(a.toSorted()) - medianOf(b.toSorted())
  return { value, low: draws[Math.floor(0.025 * DRAWS)]!, high: draws[Math.ceil(0.975 * DRAWS) - 1]! }
}

/** A share of trials with its interval (Wilson's, which is right near 0 and 1 as well). */
export function share(hits: number, trials: number, errors: number = Z): Interval {
  const value = hits / trials
  const scale = 1 + errors ** 2 / trials
  const centre = (value + errors ** 2 / (2 * trials)) / scale
  const half = (errors * Math.sqrt((value * (1 - value)) / trials + errors ** 2 / (4 * trials ** 2))) / scale
  return { value, low: centre - half, high: centre + half }
}

/** Relabelings: the smallest chance that can be told is one in so many and one. */
const RELABELINGS = 999

/**
 * The chance that two lists of kinds differ as much as these, or more, where both are drawn from the same mixture: chi-square of the
 * table of counts, among those of the same values dealt out anew. Right for small counts as well.
 */
export function sameMixture(a: readonly string[], b: readonly string[], random: () => number): number {
  const all = [...a, ...b]
  const found = chiSquare(all, a.length)
  let asMuch = 1
  for (let draw = 0; draw < RELABELINGS; draw++) {
    for (let i = all.length - 1; i > 0; i--) {
      const other = Math.floor(random() * (i + 1))
      ;[all[i], all[other]] = [all[other]!, all[i]!]
    }
    if (chiSquare(all, a.length) >= found - 1e-9) asMuch++
  }
  return asMuch / (RELABELINGS + 1)
}

/** Of the first `count` against the others. */
function chiSquare(values: readonly string[], count: number): number {
  const table = new Map<string, [number, number]>()
  for (const [at, value] of values.entries()) {
    const row = table.get(value) ?? [0, 0]
    row[at < count ? 0 : 1]++
    table.set(value, row)
  }
  const shares = [count / values.length, 1 - count / values.length] as const
  let sum = 0
  for (const row of table.values())
    for (const side of [0, 1] as const) {
      const expected = (row[0] + row[1]) * shares[side]
      if (expected > 0) sum += (row[side] - expected) ** 2 / expected
    }
  return sum
}
