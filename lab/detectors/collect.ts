/** Lets guests come one after another, all kinds beside each other, and reads what they left on the wire. */
import { unlinkSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Session, Visit } from './capture/session.ts'
import { readSessions, WATCHED_MS } from './capture/session.ts'
import type { Guest } from './drivers/guest.ts'
import type { Tap } from './ground/network.ts'
import { TAPS, tapeOf } from './ground/network.ts'
import type { SiteName } from './ground/site.ts'
import { SITES } from './ground/site.ts'
import { Talk } from './talk.ts'
import type { GuestKind, World } from './world.ts'

/** What is wanted: so many sessions of this kind on the site that attackers train on, and on the one held out. */
export interface Wanted {
  readonly kind: GuestKind
  readonly template: CompiledTemplate
  readonly sessions: number
  readonly heldOut: number
}

export interface CollectInput {
  readonly world: World
  readonly wanted: readonly Wanted[]
  /** Guests who take turns. */
  readonly places: number
  readonly random: () => number
  readonly tell: (line: string) => void
}

/**
 * Milliseconds between two guests who come, on average: a page in a browser is half a second of a processor, and where they came
 * closer together they would wait for each other, browsers longest. They come at this pace from the first to the last, so that
 * nobody finds the machine busier than others do.
 */
const APART_MS = 600
/** Guests who come for the first time at once: joining is waiting, mostly. */
const JOINING = 16
/** Sessions that are kept on the wire before they are read, nobody being there meanwhile. */
const ON_TAPE = 1_200

interface Place {
  readonly wanted: Wanted
  readonly site: SiteName
  readonly host: string
  readonly guest: Guest
}

/** What is left to do of one kind on one site, and who of it is free to come. */
interface Line {
  readonly sessions: number
  readonly free: Place[]
  left: number
}

/** The same sessions, as they are seen from each place. */
export type Seen = Readonly<Record<Tap, Session[]>>

export interface Collected {
  readonly seen: Seen
  /** Share of all processors that was in use while guests were there. */
  readonly busy: number
}

export async function collect(input: CollectInput): Promise<Collected> {
  const { world, tell } = input
  const lines = await openLines(input)
  const seen: Seen = { device: [], line: [] }
  const meter = new Meter()
  for (let tape = join(world.folder, 'tape'); lines.some(({ left }) => left > 0); ) {
    await world.network.keep(tape)
    meter.begin()
    const came = await comeAndGo(lines, input.random)
    meter.end()
    await world.network.keep(undefined)
    const visits = came.filter((each) => each !== undefined)
    for (const tap of TAPS) {
      seen[tap].push(...(await readSessions(tapeOf(tape, tap), visits, world.keys)))
      unlinkSync(tapeOf(tape, tap))
    }
    const missing = came.length - visits.length
    tell(`${seen.line.length} sessions${missing === 0 ? '' : `, ${missing} came to nothing`}; ${meter}`)
  }
  return { seen, busy: meter.share }
}

/** One after another, as many as a tape takes, each kind in proportion to what is left of it. */
async function comeAndGo(lines: readonly Line[], random: () => number): Promise<(Visit | undefined)[]> {
  const visits: Promise<Visit | undefined>[] = []
  while (visits.length < ON_TAPE && lines.some(({ left }) => left > 0)) {
    await pause(APART_MS * (0.5 + random()))
    const waiting = lines.filter(({ left, free }) => left > 0 && free.length > 0)
    const [next] = waiting.toSorted((a, b) => b.left / b.sessions - a.left / a.sessions)
    const place = next?.free.shift()
    if (next === undefined || place === undefined) continue
    next.left--
    visits.push(visit(place, random).finally(() => next.free.push(place)))
  }
  return await Promise.all(visits)
}

/** Milliseconds of one processor since the machine began. */
interface Times {
  readonly all: number
  readonly idle: number
}

const times = (): Times[] =>
  cpus().map(({ times: { user, nice, sys, idle, irq } }) => ({ all: user + nice + sys + idle + irq, idle }))

/** How busy the machine was, over all that lies between `begin` and `end`. */
class Meter {
  private used = 0
  private all = 0
  private before: readonly Times[] = []

  begin(): void {
    this.before = times()
  }

  end(): void {
    for (const [at, { all, idle }] of times().entries()) {
      const before = this.before[at]!
      this.used += all - before.all - (idle - before.idle)
      this.all += all - before.all
    }
  }

  get share(): number {
    return this.used / this.all
  }

  toString(): string {
    return `${Math.round(100 * this.share)} % of the processors in use`
  }
}

/** As many places of each kind as their share of what is wanted, one at least. */
async function openLines({ world, wanted, places }: CollectInput): Promise<Line[]> {
  const shares = wanted.flatMap((each) =>
    SITES.map((site, at) => ({ wanted: each, site, sessions: at === 0 ? each.sessions : each.heldOut })),
  )
  const all = shares.reduce((sum, { sessions }) => sum + sessions, 0)
  let number = 0
  const opening: (() => Promise<void>)[] = []
  const lines = shares.map(({ wanted: each, site, sessions }): Line => {
    const free: Place[] = []
    const count = sessions === 0 ? 0 : Math.min(sessions, Math.max(1, Math.round((places * sessions) / all)))
    for (let i = 0; i < count; i++) {
      const host = `${labelOf(number++)}.${site}`
      opening.push(async () => {
        const guest = await world.guest(each.kind, each.template, { host, template: each.template.id })
        free.push({ wanted: each, site, host, guest })
      })
    }
    return { sessions, free, left: sessions }
  })
  for (let at = 0; at < opening.length; at += JOINING)
    await Promise.all(opening.slice(at, at + JOINING).map((open) => open()))
  return lines
}

/**
 * Hosts stand in the clear, so they are all of one length; in HTTP/2's Huffman code as well, where 0 to 2 are shorter than the other
 * digits (RFC 7541, appendix B): an octet of that would tell members from visitors.
 */
function labelOf(number: number): string {
  const digits = [3, 2, 1, 0].map((place) => 3 + (Math.floor(number / 7 ** place) % 7))
  return `s${digits.join('')}`
}

/** One session; undefined where the guest could not come in. */
async function visit({ wanted, site, host, guest }: Place, random: () => number): Promise<Visit | undefined> {
  const beganAt = Date.now()
  try {
    await guest.enter()
  } catch {
    await guest.leave().catch(() => {})
    return undefined
  }
  const endedAt = Date.now() + WATCHED_MS
  const talk = new Talk(guest, wanted.kind === 'ours' ? undefined : wanted.template, random)
  talk.begin()
  await pause(endedAt - Date.now())
  talk.end()
  await guest.leave().catch(() => {})
  const { kind, template } = wanted
  return { kind, site, template: template.id, host, beganAt, endedAt, said: talk.said, heard: talk.heard }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
