/** Whether time tells what the octets do not: a gateway from the same server without, an almost valid token from garbage. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Shape } from '#engine/shape.ts'
import { prng } from '#test/helpers/prng.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { request, requestHeaders } from './http2.ts'
import type { Sealed } from './member.ts'
import { flipped, garbage, octetsOf, requestOf } from './member.ts'
import type { Race, Runner, Side, Times } from './pairs.ts'
import { race, takeTurns } from './pairs.ts'
import type { NearMiss } from './probes/members.ts'
import type { Interval } from './statistics.ts'
import { auc, folded, medianDifference, share } from './statistics.ts'
import type { Arm, Arms } from './world.ts'

/** What two kinds of requests differ in, if time tells. */
export interface Verdict {
  readonly what: string
  /** 0.5: cannot be told apart. Whichever is slower. */
  readonly auc: Interval
  /** By how much the first kind is slower, microseconds; medians. */
  readonly us: Interval
  readonly pairs: number
}

export interface Verdicts {
  /** The gateway against the same server with recognition left out, by template. */
  readonly timing: readonly Verdict[]
  /** The same as races on one HTTP/2 connection; none where the front does not speak it. */
  readonly races: readonly Verdict[]
  /** An almost valid token against garbage of the same form. */
  readonly nearMisses: readonly Verdict[]
  /** An expected token whose parcel is not right, against garbage of the same form. */
  readonly unsent: readonly Verdict[]
  /** Two servers without recognition; and one of them against one that works longer on purpose. */
  readonly nulls: readonly Verdict[]
  readonly controls: readonly Verdict[]
  /** The gateway against the site that answers by itself: what the way through Node costs. */
  readonly detour: readonly Verdict[]
}

export interface TimingInput {
  readonly arms: Arms
  readonly nearMisses: readonly NearMiss[]
  readonly pairs: number
  /** Seed of the order within pairs. */
  readonly seed: number
}

/** Requests that are made in advance, so that making them is no part of what is measured. */
const POOL = 64

export async function measureTiming({ arms, nearMisses, pairs, seed }: TimingInput): Promise<Verdicts> {
  const { next: random } = prng(seed)
  const templates = compileBuiltins('node')
  const both = async (
    what: string,
    a: Arm,
    b: Arm,
    of: readonly CompiledTemplate[],
    count = pairs,
  ): Promise<Verdict[]> => {
    const verdicts: Verdict[] = []
    for (const template of of) {
      const shape = template.shape('send')
      const times = await takeTurns(strangers(shape, a), strangers(shape, b), count, random)
      verdicts.push(judge(`${template.id}: ${what}`, times, random))
    }
    return verdicts
  }
  const few = Math.max(200, pairs >> 2)
  const [one] = templates
  const { gateway, bare, again, delayed, site } = arms
  return {
    timing: await both('gateway against no recognition', gateway, bare, templates),
    races: site === undefined ? [] : await raceAll(arms, templates, pairs, random),
    nearMisses: await measureNearMisses(
      gateway,
      nearMisses.filter(({ kind }) => kind === 'token'),
      few,
      random,
    ),
    unsent: await measureNearMisses(
      gateway,
      nearMisses.filter(({ kind }) => kind === 'unsent'),
      few,
      random,
    ),
    nulls: await both('no recognition against itself', again, bare, templates),
    controls: await both('250 us of work against none', delayed, bare, [one!], few),
    detour: site === undefined ? [] : await both('gateway against the site alone', gateway, site, templates, few),
  }
}

/** Requests of nobody in particular, of one shape, to one server. */
function strangers(shape: Shape, arm: Arm): Side {
  return side(
    arm,
    Array.from({ length: POOL }, () => garbage(shape, shape.up.fit(320))),
  )
}

function side({ port, prefix }: Arm, pool: readonly Sealed[]): Side {
  const requests = pool.map((sealed) => {
    const made = requestOf(sealed)
    return octetsOf({ ...made, target: prefix + made.target }, 'keep-alive')
  })
  let at = 0
  return { port, next: () => requests[at++ % requests.length]! }
}

function judge(what: string, { a, b }: Times, random: () => number): Verdict {
  return { what, auc: folded(auc(a, b)), us: medianDifference(a, b, random), pairs: a.length }
}

async function raceAll(
  { gateway, bare, again, delayed }: Arms,
  templates: readonly CompiledTemplate[],
  races: number,
  random: () => number,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const few = Math.max(200, races >> 2)
  const between = async (what: string, a: Arm, shape: Shape, count: number): Promise<void> => {
    const outcome = await race(bare.port, runner(shape, a), runner(shape, bare), count, random)
    verdicts.push(judgeRace(`${shape.template}: ${what}, races`, outcome, random))
  }
  for (const template of templates) {
    await between('gateway against no recognition', gateway, template.shape('send'), races)
  }
  await between('no recognition against itself', again, templates[0]!.shape('send'), races)
  await between('250 us of work against none', delayed, templates[0]!.shape('send'), few)
  return verdicts
}

function runner(shape: Shape, { prefix }: Arm): Runner {
  const pool = Array.from({ length: POOL }, () => requestOf(garbage(shape, shape.up.fit(320))))
  let at = 0
  return (stream) => {
    const { method, target, headers, body } = pool[at++ % POOL]!
    return request(stream, requestHeaders(method, prefix + target, headers), body)
  }
}

function judgeRace(what: string, { later, races, by }: Race, random: () => number): Verdict {
  return {
    what,
    auc: folded(share(later, races)),
    us: medianDifference(by, new Float64Array(races), random),
    pairs: races,
  }
}

async function measureNearMisses(
  gateway: Arm,
  nearMisses: readonly NearMiss[],
  pairs: number,
  random: () => number,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const { template, what, sealed } of distinct(nearMisses)) {
    const { shape, parcel } = sealed
    const stranger = side(
      gateway,
      Array.from({ length: POOL }, () => garbage(shape, parcel.length)),
    )
    const times = await takeTurns(side(gateway, variants(what, sealed)), stranger, pairs, random)
    verdicts.push(judge(`${template}: ${what}`, times, random))
  }
  return verdicts
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

/** One that is altered is altered elsewhere each time; one that is sent again is sent as it was. */
function variants(what: string, sealed: Sealed): Sealed[] {
  const { token, parcel } = sealed
  const any = (bytes: Uint8Array, i: number): Uint8Array => flipped(bytes, (i * 37) % bytes.length)
  if (what.endsWith('of its token'))
    return Array.from({ length: POOL }, (_, i) => ({ ...sealed, token: any(token, i) }))
  if (what.endsWith('of its parcel'))
    return Array.from({ length: POOL }, (_, i) => ({ ...sealed, parcel: any(parcel, i) }))
  return [sealed]
}

/** The most telling of several. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((a, b) => (a.auc.value >= b.auc.value ? a : b))
}
