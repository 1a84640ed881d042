/** Whether time tells what the octets do not: a gateway from the same server without, an almost valid token from garbage. */
import { createMatcher } from '#engine/match.ts'
import type { Shape } from '#engine/shape.ts'
import { prng } from '#test/helpers/prng.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { formless, neighbours, POOL, runner, sealedSide, strangers, variants } from './askers.ts'
import type { Sealed } from './member.ts'
import { garbage } from './member.ts'
import type { Race, Runner, Side, Times } from './pairs.ts'
import { Lines } from './pairs.ts'
import { head, octets } from './probe.ts'
import type { NearMiss } from './probes/members.ts'
import type { Interval } from './statistics.ts'
import { auc, errorsFor, folded, meanOf, medianDifference, share } from './statistics.ts'
import type { Arm, Arms } from './world.ts'

/** What two kinds of requests differ in, if time tells. */
export interface Verdict {
  readonly what: string
  /** 0.5: cannot be told apart. Whichever is slower. */
  readonly auc: Interval
  /** The same with an interval that holds for all kinds of its group at once: the one to look at for the worst of them. */
  readonly together: Interval
  /** Not folded: below 0.5 where the first kind is quicker. */
  readonly either: Interval
  /** By how much the first kind is slower, microseconds; medians. */
  readonly us: Interval
  readonly pairs: number
}

export interface Verdicts {
  /** The gateway against the same server with recognition left out, by template. */
  readonly timing: readonly Verdict[]
  /** The same as races on one HTTP/2 connection; none where the front does not speak it. */
  readonly races: readonly Verdict[]
  /** A token's form against none, on the same path: what an adversary can compare who has the gateway alone. */
  readonly formless: readonly Verdict[]
  /** The same for the path beside it, which is no template's; where the front has such a site for measuring. */
  readonly neighbours: readonly Verdict[]
  /** An almost valid token against garbage of the same form. */
  readonly nearMisses: readonly Verdict[]
  /** Garbage against garbage, as many kinds and pairs, and asked in the same way. */
  readonly nearNulls: readonly Verdict[]
  /** An expected token whose parcel is not right, against garbage of the same form. */
  readonly unsent: readonly Verdict[]
  /** Two servers without recognition; and one of them against one that works longer on purpose. */
  readonly nulls: readonly Verdict[]
  /** A whole gateway that recognises nobody, against a server without recognition: what else they differ in. */
  readonly unaware: readonly Verdict[]
  readonly controls: readonly Verdict[]
  /** The gateway against the site that answers by itself: what the way through Node costs. */
  readonly detour: readonly Verdict[]
  /** A page that is no template's: the website with a gateway behind it against the same without. */
  readonly pages: readonly Verdict[]
}

export interface TimingInput {
  readonly arms: Arms
  readonly nearMisses: readonly NearMiss[]
  /** Of each template where it matters: timing, races, near misses (all kinds of a template together), and their nulls. */
  readonly pairs: number
  /** Seed of the order within pairs. */
  readonly seed: number
}

const ownPage = octets(head('GET', '/about.html', ['Connection: keep-alive']))

/**
 * How often everything is measured a little. What disturbs a machine lasts for seconds and favours whoever is not asked
 * then; so each kind has its turn again and again, the nulls and controls beside it, in another order each time.
 */
const ROUNDS = 20
/** Requests of each kind before one is counted, and what part of all it is at most: servers and we ourselves are slow at first. */
const WARM = 200
const WARM_PART = 4
/** Pairs of a kind at least. */
export const PAIRS_MIN = 200

/** One comparison under way. */
interface Task {
  readonly group: keyof Verdicts
  /** How many in all. */
  readonly count: number
  readonly measure: (count: number) => Promise<void>
  /** Takes what was measured so far for a warming up. */
  readonly forget: () => void
  /** `errors`: standard errors that an interval which holds for the whole group reaches. */
  readonly judge: (errors: number) => Verdict
}

export async function measureTiming({ arms, nearMisses, pairs, seed }: TimingInput): Promise<Verdicts> {
  const { next: random } = prng(seed)
  const lines = new Lines()
  const tasks = tasksOf(arms, nearMisses, pairs, { lines, random })
  try {
    for (const { measure, forget, count } of tasks) {
      await measure(Math.min(WARM, Math.ceil(count / WARM_PART)))
      forget()
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const { measure, count } of shuffled(tasks, random)) await measure(Math.ceil(count / ROUNDS))
    }
  } finally {
    lines.close()
  }
  const of = (group: keyof Verdicts): Verdict[] => {
    const kinds = tasks.filter((task) => task.group === group)
    return kinds.map(({ judge }) => judge(errorsFor(kinds.length)))
  }
  return {
    timing: of('timing'),
    formless: of('formless'),
    neighbours: of('neighbours'),
    races: of('races'),
    nearMisses: of('nearMisses'),
    nearNulls: of('nearNulls'),
    unsent: of('unsent'),
    nulls: of('nulls'),
    unaware: of('unaware'),
    controls: of('controls'),
    detour: of('detour'),
    pages: of('pages'),
  }
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((each) => [random(), each] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, each]) => each)
}

interface Means {
  readonly lines: Lines
  readonly random: () => number
}

function tasksOf(arms: Arms, nearMisses: readonly NearMiss[], pairs: number, means: Means): Task[] {
  const { gateway, bare, again, unaware, delayed, site } = arms
  const templates = compileBuiltins('node')
  const few = Math.max(PAIRS_MIN, pairs >> 4)
  const shapes = templates.map((template) => template.shape('send'))
  const both = (group: keyof Verdicts, what: string, a: Arm, b: Arm, count: number, of = shapes): Task[] =>
    of.map((shape) =>
      turns(means, group, `${shape.template}: ${what}`, strangers(shape, a), strangers(shape, b), count),
    )
  const races = (what: string, a: Arm, count: number, of = shapes): Task[] =>
    of.map((shape) =>
      raceTask(means, `${shape.template}: ${what}, races`, bare.port, [runner(shape, a), runner(shape, bare)], count),
    )
  const kinds = (kind: NearMiss['kind']): readonly NearMiss[] =>
    distinct(nearMisses.filter((each) => each.kind === kind))
  const near = (group: keyof Verdicts, { template, what, sealed }: NearMiss, known: Sealed, count: number): Task => {
    const unknown = Array.from({ length: POOL }, () => nobodys(sealed))
    const sides = [variants(what, known), unknown].map((pool) => sealedSide(gateway, pool)) as [Side, Side]
    return turns(means, group, `${template}: ${what}`, ...sides, count)
  }
  const tokens = kinds('token')
  const each = Math.max(PAIRS_MIN, Math.ceil((pairs * templates.length) / Math.max(1, tokens.length)))
  const matcher = createMatcher(templates)
  const beside =
    (arm: Arm) =>
    (shape: Shape): Task => {
      const what = `${shape.template}: its path against the one beside it`
      return turns(means, 'neighbours', what, strangers(shape, arm), neighbours(shape, arm, matcher), few)
    }
  const page = (port: number): Side => ({ port, next: () => ownPage })
  const pages = (ports: readonly [number, number]): Task =>
    turns(means, 'pages', 'own page: with a gateway against without', page(ports[0]), page(ports[1]), pairs)
  return [
    ...(arms.pages === undefined ? [] : [pages(arms.pages)]),
    ...both('timing', 'gateway against no recognition', gateway, bare, pairs),
    ...shapes.map((shape) => {
      const none = formless(shape, gateway)
      return turns(means, 'formless', `${shape.template}: a token against none`, strangers(shape, gateway), none, few)
    }),
    ...(arms.neighbours === undefined ? [] : shapes.map(beside(arms.neighbours))),
    ...tokens.flatMap((kind) => [
      near('nearMisses', kind, kind.sealed, each),
      near('nearNulls', kind, nobodys(kind.sealed), each),
    ]),
    ...kinds('unsent').map((kind) => near('unsent', kind, kind.sealed, few)),
    ...both('nulls', 'no recognition against itself', again, bare, pairs),
    ...both('unaware', 'a gateway that recognises nobody against none', unaware, bare, few),
    ...both('controls', '250 us of work against none', delayed, bare, few, shapes.slice(0, 1)),
    ...(site === undefined
      ? []
      : [
          ...both('detour', 'gateway against the site alone', gateway, site, few),
          ...races('gateway against no recognition', gateway, pairs),
          ...races('no recognition against itself', again, pairs),
          ...races('250 us of work against none', delayed, few, shapes.slice(0, 1)),
        ]),
  ]
}

const nobodys = ({ shape, parcel }: Sealed): Sealed => garbage(shape, parcel.length)

function turns({ lines, random }: Means, group: keyof Verdicts, what: string, a: Side, b: Side, count: number): Task {
  let blocks: Times[] = []
  return {
    ...{ group, count },
    measure: async (pairs) => void blocks.push(await lines.takeTurns(a, b, pairs, random)),
    forget: () => {
      blocks = []
    },
    judge: (errors) => {
      const times = { a: joined(blocks.map((block) => block.a)), b: joined(blocks.map((block) => block.b)) }
      const either = auc(times.a, times.b)
      const together = folded(auc(times.a, times.b, errors))
      const us = medianDifference(times.a, times.b, random)
      return { what, auc: folded(either), together, either, us, pairs: times.a.length }
    },
  }
}

function raceTask(
  { lines, random }: Means,
  what: string,
  port: number,
  [a, b]: readonly [Runner, Runner],
  count: number,
): Task {
  let blocks: Race[] = []
  return {
    ...{ group: 'races', count },
    measure: async (races) => void blocks.push(await lines.race(port, a, b, races, random)),
    forget: () => {
      blocks = []
    },
    judge: (errors) => {
      const by = joined(blocks.map((block) => block.by))
      const later = blocks.reduce((sum, block) => sum + block.later, 0)
      const us = medianDifference(by, new Float64Array(by.length), random)
      const either = share(later, by.length)
      const together = folded(share(later, by.length, errors))
      return { what, auc: folded(either), together, either, us, pairs: by.length }
    },
  }
}

function joined(blocks: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(blocks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const block of blocks) {
    all.set(block, at)
    at += block.length
  }
  return all
}

/** Those that differ in the place of a changed octet alone are one kind: the place changes anyway. */
function distinct(nearMisses: readonly NearMiss[]): NearMiss[] {
  const kinds = new Map<string, NearMiss>()
  for (const each of nearMisses) {
    const what = each.what.replace(/octet \d+ of/, 'an octet of')
    kinds.set(`${each.template} ${what}`, { ...each, what })
  }
  return [...kinds.values()]
}

/** All kinds of each template together. What is slower for one kind and quicker for another cancels out: for that, see the worst kind. */
export function byTemplate(verdicts: readonly Verdict[]): Verdict[] {
  const templates = Map.groupBy(verdicts, ({ what }) => what.split(': ')[0]!)
  const errors = errorsFor(templates.size) / errorsFor(1)
  return [...templates].map(([template, kinds]) => {
    const either = meanOf(kinds.map((kind) => kind.either))
    const wide = (end: number): number => either.value + (end - either.value) * errors
    return {
      what: `${template}: ${kinds.length} kinds together`,
      auc: folded(either),
      together: folded({ value: either.value, low: wide(either.low), high: wide(either.high) }),
      either,
      us: meanOf(kinds.map(({ us }) => us)),
      pairs: kinds.reduce((sum, { pairs }) => sum + pairs, 0),
    }
  })
}

/** The most telling of several. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((a, b) => (a.auc.value >= b.auc.value ? a : b))
}
