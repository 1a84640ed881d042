/**
 * Packs of templates rotated while members chat: an operator with the product's own commands, a gateway in its own process,
 * whole clients, and an edge between them that keeps one pack's requests for itself. What has to come out: nothing said is
 * lost or heard twice, no session ends, the bad pack is taken back by itself.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtinText } from '../camouflage-templates/builtin.ts'
import type { Report, Row } from '../scripts/bench/report.ts'
import { median, round } from '../scripts/bench/report.ts'
import type { Blocking } from './edge.ts'
import type { Person, Place } from './place.ts'
import { openPlace } from './place.ts'
import type { Account, Talk } from './talk.ts'
import { startTalk } from './talk.ts'

export interface RotationInput {
  readonly members: number
  /** All of them, the bad one and the way back included. */
  readonly rotations: number
  /** Milliseconds between two messages of one member. */
  readonly everyMs: number
  /** Percent of the members. */
  readonly canary: number
  /** How the bad pack's requests fail. */
  readonly blocking: Blocking
  readonly tell: (line: string) => void
}

export interface RotationOutcome extends Account {
  /** Packs that everybody took up. */
  readonly promoted: number
  /** The bad pack was taken back by the gateway, and nobody was left on it. */
  readonly reverted: boolean
  /** The operator went back, and everybody followed. */
  readonly rolledBack: boolean
  readonly sessionsDropped: number
  /** Seconds from the command until the last member looked like the pack. */
  readonly seconds: readonly number[]
  readonly blocked: number
  readonly history: number
}

/** Milliseconds for one rotation to reach everybody. */
const PATIENCE_MS = 120_000
const WATCH = '2s'

/** `npm run -s lab -- rotation` */
export async function rotation(): Promise<Report> {
  const members = 50
  const tell = (line: string): void => void process.stderr.write(`${line}\n`)
  const began = Date.now()
  const outcome = await rotateUnderTraffic({
    ...{ members, rotations: 20, everyMs: 4_000, canary: 10, blocking: 'silent', tell },
  })
  return reportOf(outcome, members, (Date.now() - began) / 1000)
}

export async function rotateUnderTraffic(input: RotationInput): Promise<RotationOutcome> {
  const place = await openPlace()
  const folder = mkdtempSync(join(tmpdir(), 'sotto-lab-packs-'))
  let talk: Talk | undefined
  try {
    const people = await place.join(input.members)
    input.tell(`${people.length} members are connected`)
    await place.operator('templates', 'delegate')
    talk = await startTalk(people, input.everyMs)
    const run = new Rotations(place, people, folder, input)
    await run.all()
    const account = await talk.end(PATIENCE_MS)
    const sessions = people.flatMap(({ member }) => member.status().map((status) => status.sessions - 1))
    const history = (await place.operator('templates', 'history')) as readonly unknown[]
    return {
      ...account,
      ...{ promoted: run.promoted, reverted: run.reverted, rolledBack: run.rolledBack, seconds: run.seconds },
      sessionsDropped: sessions.reduce((sum, each) => sum + each, 0),
      blocked: place.edge.blocked,
      history: history.length,
    }
  } finally {
    talk?.stop()
    await place.stop()
    rmSync(folder, { recursive: true })
  }
}

interface Status {
  readonly current: { readonly serial: number } | null
  readonly canary: { readonly serial: number; readonly applied: number; readonly failed: number } | null
  readonly others: readonly { readonly serial: number; readonly verdict: string }[]
  readonly retiring: readonly { readonly serial: number; readonly verdict: string }[]
}

class Rotations {
  promoted = 0
  reverted = false
  rolledBack = false
  readonly seconds: number[] = []
  private readonly place: Place
  private readonly people: readonly Person[]
  private readonly folder: string
  private readonly input: RotationInput
  private current = 0

  constructor(place: Place, people: readonly Person[], folder: string, input: RotationInput) {
    this.place = place
    this.people = people
    this.folder = folder
    this.input = input
  }

  /** The bad pack in the middle, the way back before the last one. */
  async all(): Promise<void> {
    const { rotations, tell } = this.input
    for (let n = 1; n <= rotations; n++) {
      const kind = n === Math.ceil(rotations / 2) ? 'bad' : n === rotations - 1 ? 'back' : 'good'
      const began = Date.now()
      if (kind === 'back') await this.goBack()
      else await this.rotate(n, kind)
      const seconds = (Date.now() - began) / 1000
      this.seconds.push(seconds)
      tell(`rotation ${n} (${kind}): pack ${this.current}, ${seconds.toFixed(1)} s`)
    }
  }

  private async rotate(n: number, kind: 'good' | 'bad'): Promise<void> {
    const { canary, blocking } = this.input
    const file = join(this.folder, `${n}.yaml`)
    writeFileSync(file, templateOf(n))
    if (kind === 'bad') this.place.edge.block(pathOf(n), blocking)
    const options = ['--canary', String(canary), '--ttl', '60s', '--overlap', '10m']
    const { serial } = (await this.place.operator('templates', 'pack', file, ...options)) as { readonly serial: number }
    await this.place.operator('templates', 'rotate', '--watch', WATCH)
    const status = await this.settled()
    if (kind === 'good' && status.current?.serial === serial) {
      this.current = serial
      this.promoted++
    }
    if (kind === 'bad') {
      const bad = [...status.others, ...status.retiring].find((pack) => pack.serial === serial)
      this.reverted = bad?.verdict === 'failed' && status.current?.serial === this.current
    }
    await this.everybodyOn(this.current)
  }

  private async goBack(): Promise<void> {
    const status = (await this.place.operator('templates', 'rollback')) as Status
    const serial = status.current?.serial ?? 0
    const isBack = serial < this.current
    this.current = serial
    await this.everybodyOn(serial)
    this.rolledBack = isBack
  }

  /** Once no pack is being tried. */
  private async settled(): Promise<Status> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      const status = (await this.place.operator('templates', 'status')) as Status
      if (status.canary === null) return status
      if (Date.now() > deadline) throw new Error(`the canary does not end: ${JSON.stringify(status.canary)}`)
    }
  }

  private async everybodyOn(serial: number): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS
    const others = (): Person[] =>
      this.people.filter(({ member }) => {
        const [pack] = member.packs()
        return serial === 0 ? pack !== undefined : pack?.serial !== serial || pack.template === undefined
      })
    while (others().length > 0) {
      const names = others().map(({ name, member }) => `${name}: ${JSON.stringify(member.packs()[0])}`)
      if (Date.now() > deadline) throw new Error(`not on pack ${serial}: ${names.join('; ')}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

const pathOf = (n: number): string => `/api/support/v${n + 1}/`

/** Another path, another version, and polls short enough that news comes soon. */
function templateOf(n: number): string {
  return builtinText('support-chat')
    .replaceAll('/api/support/v1/', pathOf(n))
    .replace(/^version: .*$/m, `version: ${n + 1}`)
    .replace(/holdMs: .*$/m, 'holdMs: [1500, 2500]')
}

function reportOf(outcome: RotationOutcome, members: number, seconds: number): Report {
  const setting = `${members} members, a message each about every 4 s`
  const row = (what: string, value: number, unit: string): Row => ({ what, value, unit, setting })
  const rows = [
    row('rotations', outcome.seconds.length, ''),
    row('packs taken up by everybody', outcome.promoted, ''),
    row('messages said', outcome.said, ''),
    row('messages lost', outcome.lost, ''),
    row('messages heard twice', outcome.duplicates, ''),
    row('sessions dropped', outcome.sessionsDropped, ''),
    row('requests the edge kept', outcome.blocked, ''),
    row('one rotation, median', round(median(outcome.seconds), 1), 's'),
    row('one rotation, longest', round(Math.max(...outcome.seconds), 1), 's'),
  ]
  const result = {
    ...{ lost: outcome.lost, duplicates: outcome.duplicates, sessions_dropped: outcome.sessionsDropped },
    ...{ reverted: outcome.reverted, rolled_back: outcome.rolledBack, rotations: outcome.seconds.length, members },
    ...{ promoted: outcome.promoted, messages: outcome.said, blocked: outcome.blocked, history: outcome.history },
    ...{ rotation_s: round(median(outcome.seconds), 1), seconds: round(seconds, 0) },
  }
  return { rows, result }
}
