/** All probes against one world: the site with Sotto and the same site without, side by side. */
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { reasonFor } from './known.ts'
import { MEMBERS_PATIENCE, Member } from './member.ts'
import { observe } from './observe.ts'
import type { Observation, Probe } from './probe.ts'
import { http1, nameOf } from './probe.ts'
import { bodyProbes } from './probes/bodies.ts'
import { headerProbes } from './probes/headers.ts'
import { http2Probes } from './probes/http2.ts'
import { lineProbes } from './probes/lines.ts'
import type { ByDesign, NearMiss, Recordings } from './probes/members.ts'
import { probesOf, record } from './probes/members.ts'
import { methodProbes } from './probes/methods.ts'
import { pathProbes } from './probes/paths.ts'
import { rangeProbes } from './probes/ranges.ts'
import { brokenProbes, sizeProbes, slowProbes } from './probes/sizes.ts'
import { smugglingProbes } from './probes/smuggling.ts'
import { templateProbes } from './probes/templates.ts'
import { tlsProbes } from './probes/tls.ts'
import type { Operator, World } from './world.ts'

export interface Difference {
  readonly probe: Probe
  readonly seen: Observation
  readonly expected: Observation
}

export interface Outcome {
  readonly probes: readonly Probe[]
  readonly differences: readonly Difference[]
  /** Replays that got the stored answer, as they should; and those that did not. */
  readonly answeredByDesign: number
  readonly notAnswered: readonly string[]
  readonly recordings: Recordings
}

/** Everything that needs no member. */
export async function strangersProbes(templates: readonly CompiledTemplate[]): Promise<readonly Probe[]> {
  return [
    ...templateProbes(templates),
    ...methodProbes,
    ...pathProbes,
    ...headerProbes,
    ...bodyProbes,
    ...rangeProbes,
    ...sizeProbes,
    ...slowProbes,
    ...brokenProbes,
    ...smugglingProbes,
    ...lineProbes,
    ...http2Probes,
    ...(await tlsProbes()),
  ]
}

/**
 * Once in a world: what was recorded is late afterwards, as the probes want it.
 * @param templates whose requests and members are probed; the gateway knows all of the built-in ones in any case
 */
export async function probeAll(
  world: World,
  templates: readonly CompiledTemplate[] = compileBuiltins('node'),
): Promise<Outcome> {
  const recordings = await record(world, templates)
  const notAnswered = await replays(world, recordings.byDesign)
  await world.operator.catchUp()
  const probes = [...(await strangersProbes(templates)), ...recordings.probes]
  const differences = await compareAll(world, probes)
  const answeredByDesign = recordings.byDesign.length - notAnswered.length
  return { probes, differences, answeredByDesign, notAnswered, recordings }
}

/**
 * First contacts that were answered, again after the gateway was started anew, after its clock ran ahead and was corrected, and after
 * it was set back to when they were used. The last that is done in a world: sessions end by it.
 */
export async function probeClocks(
  world: World,
  templates: readonly CompiledTemplate[] = compileBuiltins('node'),
): Promise<Pick<Outcome, 'probes' | 'differences'>> {
  const { operator, target } = world
  const used: NearMiss[] = []
  for (const template of templates) {
    const sealed = await new Member(target, operator.gatewayKey, await operator.invite()).join(template)
    used.push({ template: template.id, kind: 'token', what: 'first contact', sealed })
  }
  const probes: Probe[] = []
  const differences: Difference[] = []
  for (const { what, turn } of turns(operator)) {
    await turn()
    const again = used.flatMap((each) => probesOf({ ...each, what: `first contact, again ${what}` }))
    probes.push(...again)
    differences.push(...(await compareAll(world, again)))
  }
  return { probes, differences }
}

const [HOURS, YEAR] = [2 * 3_600_000, 365 * 86_400_000]

function turns(operator: Operator): readonly { readonly what: string; readonly turn: () => Promise<void> }[] {
  return [
    { what: 'after a new start', turn: () => operator.restart() },
    {
      what: 'after the clock ran ahead',
      turn: async () => {
        await operator.setClock(YEAR)
        await operator.setClock(-YEAR)
      },
    },
    {
      what: 'after the clock was set back',
      turn: async () => {
        await operator.pass(HOURS)
        await operator.setClock(-HOURS)
      },
    },
  ]
}

/** How many of the templates' own requests a front with a flaw answers otherwise; undefined where there is no front. */
export async function noticesFlaws({ front, flawed, reference }: World): Promise<number | undefined> {
  if (flawed === undefined) return undefined
  const probes = templateProbes(compileBuiltins('node')).filter(({ action }) => action.kind === 'http2')
  return (await compareAll({ front, target: flawed, reference }, probes)).length
}

async function replays(world: World, list: readonly ByDesign[]): Promise<string[]> {
  const wrong: string[] = []
  for (const { what, request, answer } of list) {
    const again = await observe(world.target, http1('replay', what, request), MEMBERS_PATIENCE)
    if (undated(again.answer) !== undated(answer)) wrong.push(what)
  }
  return wrong
}

const undated = (answer: string): string => answer.replace(/^Date: .*$/m, '')

type Pair = Pick<World, 'front' | 'target' | 'reference'>

/** Pairs of connections at once. */
const AT_ONCE = 8
/** A probe is asked again while the two have not said the same once; the later times with more patience. */
const PATIENCE = [1, 2, 5, 5, 5] as const
/** Tries of what is known to differ, and differs as it is known to. */
const TRIES_OF_KNOWN = 2

async function compareAll({ front, target, reference }: Pair, probes: readonly Probe[]): Promise<Difference[]> {
  const differences: Difference[] = []
  // The slow ones first: they wait, and the others work meanwhile.
  const waiting = probes.toSorted((a, b) => (a.silence ?? 0) - (b.silence ?? 0))
  const worker = async (): Promise<void> => {
    for (let probe = waiting.pop(); probe !== undefined; probe = waiting.pop()) {
      const difference = await compare({ front, target, reference }, probe)
      if (difference !== undefined) differences.push(difference)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return differences.toSorted((a, b) => (nameOf(a.probe) < nameOf(b.probe) ? -1 : 1))
}

async function compare({ front, target, reference }: Pair, probe: Probe): Promise<Difference | undefined> {
  let difference: Difference | undefined
  // A server may have several answers by chance: Caddy, in the order of what it says of a connection that it ends.
  const [said, known] = [new Set<string>(), new Set<string>()]
  for (const [at, patience] of PATIENCE.entries()) {
    const [seen, expected] = await Promise.all([target, reference].map((port) => observe(port, probe, patience)))
    said.add(`${seen!.end} ${seen!.answer}`)
    known.add(`${expected!.end} ${expected!.answer}`)
    if (!said.isDisjointFrom(known)) return undefined
    difference = { probe, seen: seen!, expected: expected! }
    if (at + 1 >= TRIES_OF_KNOWN && reasonFor(front, difference) !== undefined) return difference
  }
  return difference
}

/** Where two answers part, in one short line. */
export function tellDifference({ probe, seen, expected }: Difference): string {
  if (seen.answer === expected.answer) return `${nameOf(probe)}: ${seen.end}, not ${expected.end}`
  const at = [...expected.answer].findIndex((character, i) => character !== seen.answer[i])
  const from = Math.max(0, (at < 0 ? expected.answer.length : at) - 30)
  const part = (answer: string): string => JSON.stringify(answer.slice(from, from + 90))
  return `${nameOf(probe)}: ${part(seen.answer)} (${seen.end}), not ${part(expected.answer)} (${expected.end})`
}
