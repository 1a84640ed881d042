/**
 * From the moment that somebody gives an id until the stranger whose id it is has their first message: a gateway, two trackers,
 * and two members with broker and confined core, each a process of its own, over bare loopback and over a path with 40 ms round
 * trip between members and gateway. Who writes has just started and met nobody; who is written to accepts at once.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Owner } from '#test/helpers/command.ts'
import { Command, operator, SharedOwner, temporaryFolder } from '#test/helpers/command.ts'
import { makeGateway } from '#test/helpers/command-gateway.ts'
import { gatewayMain } from '../demo/commands.ts'
import { freePort } from './ports.ts'
import type { Program } from './processes.ts'
import { start, startClient } from './processes.ts'
import type { Report, Row } from './report.ts'
import { median, quantile, round } from './report.ts'

const STRANGERS = 9
const TRACKERS = 2
const ONE_WAY_MS = 20
const CORE = 'stranger-core.ts'

/** Of the way from the id to the message, in their order. */
const PARTS = ['lookup', 'card', 'prekeys', 'handshake', 'arrival'] as const
type Part = (typeof PARTS)[number]
const said: Readonly<Record<Part, string>> = {
  lookup: 'trackers’ list, and records from both trackers',
  card: 'their card from their gateway, verified',
  prekeys: 'stored, and their keys from the shelf',
  handshake: 'PQXDH, sealed and stored, to the mailbox’s door',
  arrival: 'through the mailbox, opened, stored and shown',
}

type Times = Readonly<Record<Part | 'all', number>>

export async function stranger(): Promise<Report> {
  const near = await measure(false)
  const far = await measure(true)
  return {
    rows: [...rowsOf(near, 'bare loopback'), ...rowsOf(far, '40 ms round trip')],
    result: {
      ...{ first_message_ms: middle(near, 'all'), first_message_worst_ms: worst(near) },
      parts_ms: Object.fromEntries(PARTS.map((part) => [part, middle(near, part)])),
      ...{ first_message_40_ms: middle(far, 'all'), first_message_40_worst_ms: worst(far) },
      parts_40_ms: Object.fromEntries(PARTS.map((part) => [part, middle(far, part)])),
      strangers: STRANGERS,
    },
  }
}

const middle = (times: readonly Times[], part: Part | 'all'): number =>
  round(median(times.map((each) => each[part])), 0)
const worst = (times: readonly Times[]): number =>
  round(
    quantile(
      times.map(({ all }) => all),
      1,
    ),
    0,
  )

function rowsOf(times: readonly Times[], place: string): Row[] {
  const row = (what: string, value: number, setting: string): Row => ({ what, value, unit: 'ms', setting })
  return [
    row('id to first message, median', middle(times, 'all'), `${STRANGERS} strangers, ${place}`),
    row('id to first message, worst', worst(times), place),
    ...PARTS.map((part) => row(`  ${part}`, middle(times, part), said[part])),
  ]
}

async function measure(isSlow: boolean): Promise<Times[]> {
  const owner = new SharedOwner()
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-stranger-'))
  const programs: Program[] = []
  try {
    const links = await standUp(owner, isSlow, programs)
    const open = async (name: string): Promise<Program> => {
      const program = startClient(links.pop()!, ['--state', join(folder, name)], CORE)
      programs.push(program)
      await ask(program, { name })
      return program
    }
    const ada = await open('Ada')
    const { id } = await ask(ada, { run: 'findable' })
    const times: Times[] = []
    for (let i = 0; i < STRANGERS; i++) {
      const ben = await open(`Ben${i}`)
      const { steps } = (await ask(ben, { run: 'add', id, text: `Hello ${i}` })) as { steps: Record<string, number> }
      times.push(timesOf({ ...steps, arrival: ((await ada.next()) as { at: number }).at }))
      await ben.end()
    }
    return times
  } finally {
    for (const program of programs.toReversed()) await program.end()
    await owner.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function ask(program: Program, command: object): Promise<Record<string, unknown>> {
  program.tell(command)
  return (await program.next()) as Record<string, unknown>
}

function timesOf(steps: Readonly<Record<string, number>>): Times {
  const marks = ['began', ...PARTS]
  const parts = PARTS.map((part, i) => [part, steps[part]! - steps[marks[i]!]!])
  return { ...Object.fromEntries(parts), all: steps.arrival! - steps.began! } as Times
}

/** Trackers and a gateway that asks them; invites for everybody. */
async function standUp(owner: Owner, isSlow: boolean, programs: Program[]): Promise<string[]> {
  const port = await freePort()
  const seen = isSlow ? await freePort() : port
  const place = ['--listen', `https://127.0.0.1:${port}`, '--self-signed', '--port', String(seen)]
  const gateway = await makeGateway(owner, place)
  const lines: string[] = []
  for (let i = 0; i < TRACKERS; i++) lines.push(await trackerLine(owner))
  await done(operator(owner, ['gateway', 'trackers', '--state', gateway.state, ...lines]))
  await gateway.start()
  if (isSlow) {
    const relay = start(join(import.meta.dirname, 'relay.ts'), [String(seen), String(port), String(ONE_WAY_MS)])
    programs.push(relay)
    await relay.next()
  }
  const count = String(STRANGERS + 1)
  const made = await done(operator(owner, ['invite', 'create', '--state', gateway.state, '--count', count, '--json']))
  return (JSON.parse(made) as { link: string }[]).map(({ link }) => link)
}

/** A tracker that runs, as gateways know it. */
async function trackerLine(owner: Owner): Promise<string> {
  const state = join(await temporaryFolder(owner), 'tracker')
  const init = ['tracker', 'init', '--state', state, '--listen', `127.0.0.1:${await freePort()}`, '--json']
  const { line } = JSON.parse(await done(operator(owner, init))) as { line: string }
  const run = new Command(owner, [gatewayMain, 'tracker', 'run', '--state', state], { server: true })
  await run.until(({ err }) => (/ is up/.test(err) ? true : undefined), 'being up')
  return line
}

async function done(outcome: ReturnType<typeof operator>): Promise<string> {
  const { status, out, err } = await outcome
  if (status !== 0) throw new Error(err)
  return out
}
