/** Lets guests come in rounds, all kinds at the same time, and reads what they left on the wire. */
import { unlinkSync } from 'node:fs'
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
  /** Guests at the same time. */
  readonly places: number
  readonly random: () => number
  readonly tell: (line: string) => void
}

/**
 * Milliseconds between two guests of a round who come, on average: a page in a browser is work, and where many come at once all
 * of them wait for each other, browsers longest.
 */
const APART_MS = 400
/** Guests who come for the first time at once: joining is waiting, mostly. */
const JOINING = 16

interface Place {
  readonly wanted: Wanted
  readonly site: SiteName
  readonly host: string
  readonly guest: Guest
}

/** The same sessions, as they are seen from each place. */
export type Seen = Readonly<Record<Tap, Session[]>>

export async function collect(input: CollectInput): Promise<Seen> {
  const { world, tell } = input
  const places = await openPlaces(input)
  const left = new Map<string, number>()
  for (const { kind, template, sessions, heldOut } of input.wanted)
    for (const [at, site] of SITES.entries()) left.set(`${kind} ${template.id} ${site}`, at === 0 ? sessions : heldOut)
  const found: Seen = { device: [], line: [] }
  for (let round = 1; ; round++) {
    const here = places.filter(({ wanted, site }) => {
      const key = `${wanted.kind} ${wanted.template.id} ${site}`
      const count = left.get(key) ?? 0
      left.set(key, count - 1)
      return count > 0
    })
    if (here.length === 0) return found
    const tape = join(world.folder, `tape-${round}`)
    await world.network.keep(tape)
    const visits = await Promise.all(here.map((place) => visit(place, here.length * APART_MS, input.random)))
    await world.network.keep(undefined)
    const came = visits.filter((each) => each !== undefined)
    let count = 0
    for (const tap of TAPS) {
      const sessions = await readSessions(tapeOf(tape, tap), came, world.keys)
      found[tap].push(...sessions)
      unlinkSync(tapeOf(tape, tap))
      count = sessions.length
    }
    const missing = here.length - count
    tell(`round ${round}: ${count} sessions${missing === 0 ? '' : `, ${missing} came to nothing`}`)
  }
}

/** As many of each kind as their share of what is wanted. */
async function openPlaces({ world, wanted, places }: CollectInput): Promise<Place[]> {
  const shares = wanted.flatMap((each) =>
    SITES.map((site, at) => ({ wanted: each, site, sessions: at === 0 ? each.sessions : each.heldOut })),
  )
  // So many that all kinds are through after the same number of rounds.
  const rounds = Math.max(1, Math.round(shares.reduce((sum, { sessions }) => sum + sessions, 0) / places))
  let number = 0
  const opening: (() => Promise<Place>)[] = []
  for (const { wanted: each, site, sessions } of shares) {
    const count = Math.ceil(sessions / rounds)
    for (let i = 0; i < count; i++) {
      // Hosts are all of one length, since they stand in the clear.
      const host = `s${String(1000 + number++)}.${site}`
      opening.push(async () => {
        const guest = await world.guest(each.kind, each.template, { host, template: each.template.id })
        return { wanted: each, site, host, guest }
      })
    }
  }
  const found: Place[] = []
  for (let at = 0; at < opening.length; at += JOINING)
    found.push(...(await Promise.all(opening.slice(at, at + JOINING).map((open) => open()))))
  return found
}

/** One session, begun within so many milliseconds; undefined where the guest could not come in. */
async function visit(
  { wanted, site, host, guest }: Place,
  arrivalMs: number,
  random: () => number,
): Promise<Visit | undefined> {
  await pause(random() * arrivalMs)
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
