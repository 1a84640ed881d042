/**
 * `npm run -s lab -- probes [--front nginx|caddy|caddy-files|none] [--pairs N] [--seed N] [--json]`: every probe once, then the clock;
 * with `--pairs 0` the probes alone. How to read the report: docs/lab.md.
 */
import { parseArgs } from 'node:util'
import { SharedOwner } from '#test/helpers/command.ts'
import type { Report, Row } from '../../scripts/bench/report.ts'
import { round } from '../../scripts/bench/report.ts'
import { reasonFor } from './known.ts'
import type { Difference, Outcome } from './prober.ts'
import { noticesFlaws, probeAll, probeClocks, tellDifference } from './prober.ts'
import type { Interval } from './statistics.ts'
import type { Verdict, Verdicts } from './timing.ts'
import { byTemplate, measureTiming, PAIRS_MIN, worst } from './timing.ts'
import type { Front } from './world.ts'
import { fronts, openWorld } from './world.ts'

const PAIRS = 10_000

interface Options {
  readonly front: Front
  readonly pairs: number
  readonly seed: number
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      front: { type: 'string', default: 'nginx' },
      pairs: { type: 'string', default: String(PAIRS) },
      seed: { type: 'string', default: '1' },
    },
  })
  const [pairs, seed] = [Number(values.pairs), Number(values.seed)]
  const front = fronts.find((each) => each === values.front)
  if (front === undefined) throw new RangeError(`--front: ${fronts.join(', ')}`)
  if (!Number.isInteger(pairs) || (pairs !== 0 && pairs < PAIRS_MIN)) {
    throw new RangeError(`--pairs: a whole number from ${PAIRS_MIN}, or 0 for no clock`)
  }
  if (!Number.isInteger(seed)) throw new RangeError('--seed: a whole number')
  return { front, pairs, seed }
}

export async function probes(args: readonly string[]): Promise<Report> {
  const { front, pairs, seed } = optionsOf(args)
  const owner = new SharedOwner()
  // Servers are processes of their own, and would go on.
  const interrupted = (): void => void owner.end().finally(() => process.exit(1))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const world = await openWorld({ front, timing: pairs > 0 }, owner)
  try {
    const outcome = await probeAll(world)
    const control = await noticesFlaws(world)
    const { nearMisses } = outcome.recordings
    const verdicts = pairs === 0 ? undefined : await measureTiming({ arms: world.arms!, nearMisses, pairs, seed })
    const clocks = await probeClocks(world)
    const all = {
      ...outcome,
      probes: [...outcome.probes, ...clocks.probes],
      differences: [...outcome.differences, ...clocks.differences],
    }
    return report(front, all, control, verdicts)
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
    await world.stop()
  }
}

function report(front: Front, outcome: Outcome, control: number | undefined, verdicts?: Verdicts): Report {
  const { differences, notAnswered } = outcome
  const explained = differences.filter((difference) => reasonFor(front, difference) !== undefined)
  const unexplained = differences.filter((difference) => !explained.includes(difference))
  const setting = front === 'none' ? 'alone, beside nginx' : `behind ${front}, beside the same without`
  const count = (what: string, value: number): Row => ({ what, value, unit: 'probes', setting })
  return {
    rows: [
      count('asked', outcome.probes.length),
      count('different', differences.length),
      count('different, and nobody knows why', unexplained.length),
      count('replays at once, answered by design', outcome.answeredByDesign),
      count('replays at once that were not answered', notAnswered.length),
      ...(control === undefined ? [] : [count('control: differences of a front with a flaw', control)]),
      ...reasons(front, explained),
      ...unexplained.map((difference) => ({
        what: 'unexplained',
        value: 1,
        unit: 'probe',
        setting: tellDifference(difference),
      })),
      ...(verdicts === undefined ? [] : tables(verdicts)),
    ],
    result: {
      front,
      probes: outcome.probes.length,
      different: differences.length,
      unexplained: unexplained.length,
      answered_by_design: outcome.answeredByDesign,
      ...(control === undefined ? {} : { flaw_noticed: control }),
      ...(verdicts === undefined ? {} : clock(verdicts)),
    },
  }
}

/** Nulls of near misses are as many as these: the worst is enough. */
function tables(verdicts: Verdicts): Row[] {
  const { nearMisses, nearNulls, ...others } = verdicts
  const lists: readonly (readonly Verdict[])[] = Object.values(others)
  const nulls = [worst(nearNulls), ...byTemplate(nearNulls)].map((each) => ({ ...each, what: `null, ${each.what}` }))
  return [...lists, nearMisses, byTemplate(nearMisses), nulls].flatMap((list) => list.flatMap(rowsOf))
}

/** The most telling of every group. */
function clock(verdicts: Verdicts): Record<string, unknown> {
  return {
    ...figures('timing', verdicts.timing),
    ...(verdicts.races.length === 0 ? {} : figures('race', racesOf(verdicts, 'gateway'))),
    ...(verdicts.races.length === 0 ? {} : figures('race_null', racesOf(verdicts, 'no recognition'))),
    ...(verdicts.races.length === 0 ? {} : figures('race_control', racesOf(verdicts, '250 us'))),
    ...figures('formless', verdicts.formless),
    ...(verdicts.neighbours.length === 0 ? {} : figures('neighbour', verdicts.neighbours)),
    ...figures('near_miss', verdicts.nearMisses),
    ...figures('near_miss_null', verdicts.nearNulls),
    ...figures('near_miss_template', byTemplate(verdicts.nearMisses)),
    ...figures('near_miss_template_null', byTemplate(verdicts.nearNulls)),
    ...figures('unsent', verdicts.unsent),
    ...figures('null', verdicts.nulls),
    ...figures('unaware', verdicts.unaware),
    ...figures('control', verdicts.controls),
    ...(verdicts.detour.length === 0 ? {} : figures('detour', verdicts.detour)),
    ...(verdicts.pages.length === 0 ? {} : figures('pages', verdicts.pages)),
  }
}

const racesOf = ({ races }: Verdicts, kind: string): readonly Verdict[] =>
  races.filter(({ what }) => what.includes(`: ${kind}`))

function reasons(front: Front, explained: readonly Difference[]): Row[] {
  const counts = new Map<string, number>()
  for (const difference of explained) {
    const reason = reasonFor(front, difference)!
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, value]) => ({ what: 'known difference', value, unit: 'probes', setting: reason }))
}

const range = ({ low, high }: Interval, digits: number): string => `${round(low, digits)} to ${round(high, digits)}`

function rowsOf({ what, auc, us, pairs }: Verdict): Row[] {
  return [
    { what, value: round(auc.value), unit: 'AUC', setting: `${range(auc, 3)}, ${pairs} pairs` },
    { what: '', value: round(us.value, 1), unit: 'us', setting: range(us, 1) },
  ]
}

/** The most telling of several, for the line of JSON, and of how many. */
function figures(name: string, verdicts: readonly Verdict[]): Record<string, unknown> {
  const { auc, together, us, pairs } = worst(verdicts)
  return {
    [`${name}_auc`]: round(auc.value),
    [`${name}_auc_ci`]: [round(auc.low), round(auc.high)],
    [`${name}_auc_ci_of_all`]: [round(together.low), round(together.high)],
    [`${name}_us`]: round(us.value, 1),
    [`${name}_us_ci`]: [round(us.low, 1), round(us.high, 1)],
    [`${name}_of`]: verdicts.length,
    [`${name}_pairs`]: pairs,
  }
}
