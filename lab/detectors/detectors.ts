/**
 * `npm run -s lab -- detectors [--template ID ...] [--sessions N] [--places N] [--long] [--peers no] [--reports FOLDER]
 *     [--json]`
 * How to read the report: docs/lab.md.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { CompiledTemplate } from '#engine/compile.ts'
import { SharedOwner } from '#test/helpers/command.ts'
import { prng } from '#test/helpers/prng.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import type { Report } from '../../scripts/bench/report.ts'
import type { Session } from './capture/session.ts'
import type { Wanted } from './collect.ts'
import { collect } from './collect.ts'
import { TAPS } from './ground/network.ts'
import { paceOf } from './judges/pace.ts'
import { learn } from './learn.ts'
import { missing } from './missing.ts'
import { genuineKind, pairsOf } from './pairs.ts'
import { watchPeers } from './peers/watch.ts'
import { judge } from './report/judge.ts'
import { toReport } from './report/rows.ts'
import type { FamilyPace } from './report/write.ts'
import { writeReport } from './report/write.ts'
import { openWorld } from './world.ts'

export interface DetectorOptions {
  readonly templates: readonly string[]
  /** Of each class on the first site; a quarter as many on the one that is held out. */
  readonly sessions: number
  readonly places: number
  readonly peers: boolean
  readonly reports: string
}

/**
 * A line as people have it at home, to a site in the same part of the world. The air: round trips with a median of 3 ms, nine in ten
 * below 20 ms, as measured between access points and 47,000 devices (Sui et al., "Characterizing and Improving WiFi Latency in
 * Large-Scale Operational Networks", MobiSys 2016); that is two independent ways of these numbers. Of one in a hundred round trips
 * the measured ones are slower (250 ms) than these (105 ms).
 */
const WIRE = { delayMs: 20, jitterMs: 1.5, airMs: 0.867, airSigma: 1.85, upMbit: 10, downMbit: 50 } as const
/** Of these the report speaks where nobody says otherwise: those of browsers in which people write to each other. */
const WRITTEN = ['beacon-chromium', 'feed-sync-chromium', 'graphql-chromium', 'support-chat-chromium'] as const
/** Of each class: as many as come, are judged and learned from within a quarter of an hour, and in the long mode. */
const SESSIONS = 64
const LONG_SESSIONS = 1_000

function optionsOf(args: readonly string[]): DetectorOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      template: { type: 'string', multiple: true },
      sessions: { type: 'string' },
      places: { type: 'string', default: '36' },
      long: { type: 'boolean', default: false },
      peers: { type: 'string', default: 'yes' },
      reports: { type: 'string', default: join(import.meta.dirname, '..', 'reports') },
    },
  })
  const [sessions, places] = [
    Number(values.sessions ?? (values.long ? LONG_SESSIONS : SESSIONS)),
    Number(values.places),
  ]
  if (!Number.isInteger(sessions) || sessions < 4) throw new RangeError('--sessions: a whole number from 4')
  if (!Number.isInteger(places) || places < 2) throw new RangeError('--places: a whole number from 2')
  if (values.peers !== 'yes' && values.peers !== 'no') throw new RangeError('--peers: yes or no')
  const { reports } = values
  const templates = values.template ?? WRITTEN
  return { templates, sessions, places, peers: values.peers === 'yes', reports }
}

export async function detectors(args: readonly string[]): Promise<Report> {
  const options = optionsOf(args)
  const lacking = missing()
  if (lacking.length > 0) throw new Error(`detectors need ${lacking.join(', ')}; nothing was installed`)
  const templates = compileBuiltins().filter(({ id }) => options.templates.includes(id))
  if (templates.length !== new Set(options.templates).size) throw new RangeError('--template: no such template')
  const tell = (line: string): void => void process.stderr.write(`${line}\n`)
  const owner = new SharedOwner()
  const interrupted = (): void => void owner.end().finally(() => process.exit(130))
  process.once('SIGINT', interrupted)
  try {
    const wanted = templates.flatMap((template, at) => wantedOf(template, options, at === 0))
    const withBrowser = wanted.some(({ kind }) => kind === 'browser')
    const world = await openWorld(owner, WIRE, templates, withBrowser)
    const began = Date.now()
    const all = wanted.reduce((sum, { sessions, heldOut }) => sum + sessions + heldOut, 0)
    tell(
      `${options.sessions} sessions a class, ${wanted.length} classes, ${all} sessions in all, ${options.places} guests who take turns`,
    )
    const { seen, busy } = await collect({ world, wanted, places: options.places, random: prng(1).next, tell })
    const peers = options.peers ? await watchPeers(owner, world, tell) : []
    const minutes = (Date.now() - began) / 60_000
    tell('attackers are trained')
    mkdirSync(options.reports, { recursive: true })
    const pairs = TAPS.flatMap((tap) => pairsOf(templates, tap, seen[tap], tap === 'line' ? peers : []))
    const figures = await learn(pairs, world.folder, options.reports)
    const verdict = {
      wire: WIRE,
      minutes,
      busy,
      paces: pacesOf(templates, seen.device),
      figures,
      ...judge(templates, seen.line, peers),
    }
    writeReport(options.reports, verdict)
    return toReport(verdict)
  } finally {
    process.off('SIGINT', interrupted)
    await owner.end()
  }
}

/** Of all templates of a family together: none of this is a template's. */
function pacesOf(templates: readonly CompiledTemplate[], sessions: readonly Session[]): readonly FamilyPace[] {
  const families = [...new Set(templates.map(({ family }) => family))]
  return families.map((family) => {
    const mine = templates.filter((template) => template.family === family)
    const of = (kind: string): Session[] =>
      sessions.filter((session) => session.kind === kind && mine.some(({ id }) => id === session.template))
    return { family, ours: paceOf(of('ours')), genuine: paceOf(of(genuineKind(mine[0]!))) }
  })
}

/** The genuine client of a family is what it claims to be; the other one is there to see that attackers see anything. */
function wantedOf(template: CompiledTemplate, { sessions }: DetectorOptions, withControl: boolean): Wanted[] {
  const [genuine, other] =
    template.family === 'node' ? (['program', 'browser'] as const) : (['browser', 'program'] as const)
  const share = { template, sessions, heldOut: Math.max(4, Math.round(sessions / 4)) }
  return [
    { ...share, kind: 'ours' },
    { ...share, kind: genuine },
    ...(withControl ? [{ ...share, kind: other, sessions: Math.ceil(sessions / 2), heldOut: 0 }] : []),
  ]
}
