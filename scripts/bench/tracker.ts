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
import { measuredIn, type Program, start, startOther } from './processes.ts'
import { median, type Report } from './report.ts'
import { lookingUp, newWriter, publishing, type Writer } from './tracker-people.ts'
import {
  ACTIVE,
  DAY_SECONDS,
  EXCHANGES,
  type Filled,
  GATEWAYS,
  type Loaded,
  PEOPLE,
  type Rate,
  REGISTERED,
  reportOf,
  type Taken,
  type Traffic,
  USAGE,
} from './tracker-report.ts'

const WRITERS = 400
const ROUNDS = 5
const AT_ONCE = 64
const LISTEN_SECONDS = 30

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
  const filling = start(script('tracker-fill.ts'), [join(folder, 'records.mdb'), String(PEOPLE)])
  let program: Program | undefined
  try {
    const filled = (await filling.next()) as Filled
    await filling.end()
    const argv = [process.execPath, ...gatewayFlags, script('tracker-server.ts'), folder, link.inside]
    program = startOther('ip', ['netns', 'exec', link.namespace, ...argv], ['pipe', 'pipe', 'inherit'])
    const { port, key } = (await program.next()) as { port: number; key: string }
    const place = { host: link.inside, port, key: fromHex(key)! }
    const serving = program
    const taken = async (): Promise<Taken> => {
      serving.tell({})
      return (await serving.next()) as Taken
    }
    const loaded = await load(place, taken)
    const traffic = await listen(place, link)
    const last = await taken()
    const { ms } = (await measuredIn(script('tracker-stranger.ts'))) as { ms: number }
    return reportOf({ filled, taken: last, loaded, traffic, strangerMs: ms })
  } finally {
    await filling.end()
    await program?.end()
    link.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const script = (name: string): string => join(import.meta.dirname, name)

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

/** All of them, so many at once. */
async function rate(trunk: Trunk, asked: readonly Asking[], taken: () => Promise<Taken>): Promise<Rate> {
  const left = [...asked]
  const { cpu } = await taken()
  const worker = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await ask(trunk, next)
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const perSecond = (asked.length * 1_000) / (performance.now() - began)
  return { perSecond, perCore: asked.length / ((await taken()).cpu - cpu) }
}

/** Sealed and signed beforehand: it is the tracker that is measured. */
async function load(place: TrackerPlace, taken: () => Promise<Taken>): Promise<Loaded> {
  const trunk = new Trunk(place, { gatherMs: 1 })
  const { keys, fresh } = USAGE.few
  const lookups = (): Asking[] => Array.from({ length: 2_000 }, () => seal(place.key, lookingUp(keys, fresh, PEOPLE)))
  const writers = (): Writer[] => Array.from({ length: WRITERS }, () => newWriter(place.key))
  const publishes = (of: readonly Writer[], seq: number): Asking[] =>
    of.map((writer) => seal(place.key, publishing(writer, seq)))
  try {
    await rate(trunk, lookups(), taken)
    const rounds = { lookups: [] as Rate[], creates: [] as Rate[], updates: [] as Rate[] }
    for (let round = 0; round < ROUNDS; round++) {
      rounds.lookups.push(await rate(trunk, lookups(), taken))
      const people = writers()
      rounds.creates.push(await rate(trunk, publishes(people, 1), taken))
      rounds.updates.push(await rate(trunk, publishes(people, 2), taken))
    }
    return { lookups: middle(rounds.lookups), creates: middle(rounds.creates), updates: middle(rounds.updates) }
  } finally {
    trunk.close()
  }
}

const middle = (rates: readonly Rate[]): Rate => ({
  perSecond: median(rates.map(({ perSecond }) => perSecond)),
  perCore: median(rates.map(({ perCore }) => perCore)),
})

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
