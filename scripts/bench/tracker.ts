/**
 * A tracker with 1,000,000 synthetic people (10,000,000 where SOTTO_LONG=1): what each takes on disk with a record and a
 * question, what the process takes of memory, how many lookups and publishes it serves a second, and what a person's day costs
 * on the trunk between gateways and tracker, counted by the kernel on a link of its own.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Trunk } from '#gateway/services/tracker/trunk.ts'
import { fromHex } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeMessage } from '#protocol/services/codec.ts'
import type { TrackerRequest } from '#protocol/tracker/operations.ts'
import { type SealedQuery, sealQuery } from '#protocol/tracker/query.ts'
import { gatewayFlags } from '../node-flags.ts'
import { measuredIn, startOther } from './processes.ts'
import type { Report, Row } from './report.ts'
import { median, round } from './report.ts'
import { lookingUp, newWriter, publishing, type Writer } from './tracker-people.ts'

const PEOPLE: number = process.env.SOTTO_LONG === '1' ? 10_000_000 : 1_000_000
/** What the traffic is said for. */
const REGISTERED = 10_000_000
const DAY_SECONDS = 86_400

/**
 * What a person does on a day when they are there at all: a record written twice at two trackers, six questions for a few
 * friends, two for all of them. One in ten registered people is there on a day.
 */
const USAGE = {
  publishes: 4,
  few: { questions: 6, keys: 8, fresh: 1 },
  all: { questions: 2, keys: 32, fresh: 3 },
} as const
const ACTIVE = 0.1
const EXCHANGES: number = USAGE.publishes + USAGE.few.questions + USAGE.all.questions
/** Gateways with a trunk each, and how long they are listened to. */
const GATEWAYS = 10
const LISTEN_SECONDS = 30
const WRITERS = 400
const ROUNDS = 5

interface Filled {
  readonly seconds: number
  readonly used: number
  readonly allocated: number
}
interface Taken {
  readonly anon: number
  readonly mapped: number
  readonly allocated: number
}

/** A link with nothing else on it. */
class Link {
  readonly namespace = `sotto-bench-${process.pid}`
  readonly device = `sb${process.pid % 100_000}`
  readonly inside = '10.78.0.2'

  constructor() {
    const inner = `${this.device}i`
    ip('netns', 'add', this.namespace)
    ip('link', 'add', this.device, 'type', 'veth', 'peer', 'name', inner, 'netns', this.namespace)
    ip('addr', 'add', '10.78.0.1/24', 'dev', this.device)
    ip('-n', this.namespace, 'addr', 'add', `${this.inside}/24`, 'dev', inner)
    // Packets as they would be on a real link: none is put together from several.
    ip('link', 'set', this.device, 'gso_max_segs', '1')
    ip('-n', this.namespace, 'link', 'set', inner, 'gso_max_segs', '1')
    ip('link', 'set', this.device, 'up')
    ip('-n', this.namespace, 'link', 'set', inner, 'up')
    ip('-n', this.namespace, 'link', 'set', 'lo', 'up')
  }

  /** Octets of IP in both directions so far, and packets. */
  count(): { octets: number; packets: number } {
    const of = (name: string): number =>
      Number(readFileSync(`/sys/class/net/${this.device}/statistics/${name}`, 'utf8').trim())
    const packets = of('rx_packets') + of('tx_packets')
    return { octets: of('rx_bytes') + of('tx_bytes') - packets * 14, packets }
  }

  close(): void {
    ip('link', 'del', this.device)
    ip('netns', 'del', this.namespace)
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}

export async function tracker(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-bench-tracker-'))
  const link = new Link()
  const script = join(import.meta.dirname, 'tracker-server.ts')
  const argv = [process.execPath, ...gatewayFlags, script, folder, link.inside, String(PEOPLE)]
  const program = startOther('ip', ['netns', 'exec', link.namespace, ...argv], ['pipe', 'pipe', 'inherit'])
  try {
    const filled = (await program.next()) as Filled
    const { port, key } = (await program.next()) as { port: number; key: string }
    const place = { host: link.inside, port, key: fromHex(key)! }
    const loaded = await load(place)
    const traffic = await listen(place, link)
    program.tell({})
    const taken = (await program.next()) as Taken
    const { ms } = (await measuredIn(join(import.meta.dirname, 'tracker-stranger.ts'))) as { ms: number }
    return reportOf(filled, taken, loaded, traffic, ms)
  } finally {
    await program.end()
    link.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface TrackerPlace {
  readonly host: string
  readonly port: number
  readonly key: Uint8Array
}

interface Asking {
  readonly request: TrackerRequest
  readonly query: SealedQuery
}

const seal = (key: Uint8Array, request: TrackerRequest): Asking => ({
  request,
  query: sealQuery(key, request, randomBytes(32))!,
})

/** Answered as it should be. */
async function ask(trunk: Trunk, { query }: Asking): Promise<number> {
  const box = await trunk.ask(query.box)
  const answer = box && query.open(box)
  if (answer?.kind !== 'done') throw new Error(`a query came to nothing: ${answer?.why ?? 'no answer'}`)
  return box!.length
}

/** All of them, so many at once; a second. */
async function rate(trunk: Trunk, asked: readonly Asking[], atOnce: number): Promise<number> {
  const left = [...asked]
  const worker = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await ask(trunk, next)
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: atOnce }, worker))
  return (asked.length * 1_000) / (performance.now() - began)
}

interface Loaded {
  readonly lookups: number
  readonly creates: number
  readonly updates: number
}

/** Sealed and signed beforehand: it is the tracker that is measured. */
async function load(place: TrackerPlace): Promise<Loaded> {
  const trunk = new Trunk(place, { gatherMs: 1 })
  const { keys, fresh } = USAGE.few
  const lookups = (): Asking[] => Array.from({ length: 2_000 }, () => seal(place.key, lookingUp(keys, fresh, PEOPLE)))
  const writers = (): Writer[] => Array.from({ length: WRITERS }, () => newWriter(place.key))
  const publishes = (of: readonly Writer[], seq: number): Asking[] =>
    of.map((writer) => seal(place.key, publishing(writer, seq)))
  try {
    await rate(trunk, lookups(), 64)
    const rounds = { lookups: [] as number[], creates: [] as number[], updates: [] as number[] }
    for (let round = 0; round < ROUNDS; round++) {
      rounds.lookups.push(await rate(trunk, lookups(), 64))
      const people = writers()
      rounds.creates.push(await rate(trunk, publishes(people, 1), 64))
      rounds.updates.push(await rate(trunk, publishes(people, 2), 64))
    }
    return { lookups: median(rounds.lookups), creates: median(rounds.creates), updates: median(rounds.updates) }
  } finally {
    trunk.close()
  }
}

interface Traffic {
  readonly exchanges: number
  readonly perExchange: number
  readonly packets: number
  /** Octets of messages between member and gateway for one exchange, before they are dressed up. */
  readonly gatewayPerExchange: number
}

/** Exchanges of the usage at the rate of `REGISTERED` people, over so many trunks, at times of their own. */
async function listen(place: TrackerPlace, link: Link): Promise<Traffic> {
  const perSecond = (REGISTERED * ACTIVE * EXCHANGES) / DAY_SECONDS
  const count = Math.round(perSecond * LISTEN_SECONDS)
  const people = Array.from({ length: WRITERS }, () => newWriter(place.key))
  const asked = Array.from({ length: count }, (_, i) => seal(place.key, usual(i, people)))
  const trunks = Array.from({ length: GATEWAYS }, () => new Trunk(place))
  try {
    const before = link.count()
    let answered = 0
    let atGateway = 0
    const work = asked.map(async (each, i) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * LISTEN_SECONDS * 1_000))
      const box = await trunks[i % GATEWAYS]!.ask(each.query.box)
      const answer = box && each.query.open(box)
      if (answer === undefined || (answer.kind !== 'done' && answer.why !== 'stale')) throw new Error('no answer')
      answered++
      atGateway += messages(place.key, each.query.box, box!)
    })
    await Promise.all(work)
    const after = link.count()
    return {
      exchanges: answered,
      perExchange: (after.octets - before.octets) / answered,
      packets: (after.packets - before.packets) / answered,
      gatewayPerExchange: atGateway / answered,
    }
  } finally {
    for (const trunk of trunks) trunk.close()
  }
}

/** The `i`th exchange: of twelve, as many of each kind as in a day's usage. */
function usual(i: number, people: readonly Writer[]): TrackerRequest {
  const kind = i % EXCHANGES
  if (kind < USAGE.publishes) return publishing(people[i % people.length]!, i + 1)
  const { keys, fresh } = kind < USAGE.publishes + USAGE.few.questions ? USAGE.few : USAGE.all
  return lookingUp(keys, fresh, PEOPLE)
}

function messages(tracker: Uint8Array, query: Uint8Array, answer: Uint8Array): number {
  const asked = encodeMessage({ m: 'tracker.ask', a: { tracker, box: query } })
  return asked.length + encodeMessage({ r: { box: answer } }).length
}

function reportOf(filled: Filled, taken: Taken, loaded: Loaded, traffic: Traffic, strangerMs: number): Report {
  const people = PEOPLE.toLocaleString('en')
  const perDay = traffic.perExchange * EXCHANGES * ACTIVE
  const mbits = (perDay * REGISTERED * 8) / DAY_SECONDS / 1e6
  const disk = taken.allocated / PEOPLE
  const extrapolated = `extrapolated to ${REGISTERED.toLocaleString('en')} registered from ${traffic.exchanges} exchanges`
  const usage = `${ACTIVE * 100} % there on a day, ${EXCHANGES} exchanges each`
  const row = (what: string, value: number, unit: string, setting: string, digits = 0): Row => ({
    ...{ what, value: round(value, digits), unit, setting },
  })
  const { few } = USAGE
  const rows = [
    row(
      'on disk',
      disk,
      'octets/person',
      `measured: ${people} people, each with a record and a question; file as allocated`,
    ),
    row('in use of it', filled.used / PEOPLE, 'octets/person', 'measured: pages of LMDB'),
    row('at 10,000,000 people', (disk * REGISTERED) / 1e9, 'GB', 'extrapolated from the first line', 1),
    row('filling', filled.seconds, 's', 'measured: records that look random, not signed; past the wire', 1),
    row('memory', taken.anon, 'MB', 'measured: the process’s own', 1),
    row(
      'memory, mapped',
      taken.mapped,
      'MB',
      'measured: pages of the file, which the system takes back when it needs them',
      1,
    ),
    row(
      'lookups',
      loaded.lookups,
      '1/s',
      `measured: sealed questions of ${few.keys} keys over a trunk; asker on the other core`,
    ),
    row('publishes, new', loaded.creates, '1/s', 'measured: signed, flushed to disk; 64 at once'),
    row('publishes, again', loaded.updates, '1/s', 'measured: as above'),
    row(
      'exchange on the trunk',
      traffic.perExchange,
      'octets',
      `measured: IP in both directions, ${GATEWAYS} gateways, at the rate of 10,000,000`,
    ),
    row('packets', traffic.packets, '1/exchange', 'measured', 2),
    row('traffic', perDay, 'octets/person and day', `${extrapolated}: ${usage}`),
    row('mean rate', mbits, 'Mbit/s', 'extrapolated, as above', 2),
    row('in the evening', mbits * 3, 'Mbit/s', 'extrapolated: three times the mean', 2),
    row(
      'at the gateway',
      traffic.gatewayPerExchange * EXCHANGES,
      'octets/day',
      'measured: messages of one person who is there, before they are dressed up',
    ),
    row(
      'a stranger, found and written to',
      strangerMs,
      'ms',
      'measured: from the id to the message at the gateway; trunks on loopback, no other network',
    ),
  ]
  const result = {
    people: PEOPLE,
    disk_bytes_per_user: round(disk, 0),
    disk_gb_at_10m: round((disk * REGISTERED) / 1e9, 1),
    memory_mb: round(taken.anon, 1),
    mapped_mb: round(taken.mapped, 1),
    lookups_per_second: round(loaded.lookups, 0),
    keys_per_second: round(loaded.lookups * few.keys, 0),
    publishes_per_second: round(loaded.creates, 0),
    renewals_per_second: round(loaded.updates, 0),
    trunk_bytes_per_exchange: round(traffic.perExchange, 0),
    traffic_bytes_per_user_day: round(perDay, 0),
    mean_mbit_at_10m: round(mbits, 2),
    first_message_ms: round(strangerMs, 0),
    gateway_bytes_per_active_user_day: round(traffic.gatewayPerExchange * EXCHANGES, 0),
  }
  return { rows, result }
}
