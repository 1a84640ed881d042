/** A conversation through one template alone, and what it costs: `sotto templates try`. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Member } from '#client/member.ts'
import type { CompiledTemplate } from '#engine/compile.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Parties, Undo } from './parties.ts'
import { startParties } from './parties.ts'

export interface TrialReport {
  readonly template: string
  readonly messages: number
  /** Octets of text in each message. */
  readonly text_octets: number
  /** On the wire, both members, both ways, TLS, headers, receipts and acknowledgements included. */
  readonly bytes_per_message: number
  readonly overhead_factor: number
  readonly exchanges_per_message: number
  /** From `send` to the other's screen. */
  readonly latency_ms: { readonly p50: number; readonly p95: number }
  /** A GET of the site's page over a connection that is open, in the same run. */
  readonly bare_ms: { readonly p50: number; readonly p95: number }
  /** p50 beyond the bare round trip. */
  readonly added_ms: number
  /** One member who says nothing for a day, by the template's own rhythm. */
  readonly idle: {
    readonly bytes_per_exchange: number
    readonly exchanges_a_day: number
    readonly bytes_a_day: number
  }
}

export interface TrialInput {
  readonly template: CompiledTemplate
  readonly messages: number
  /** One line of progress. */
  readonly tell: (line: string) => void
}

/** Octets of one text: some lines of a chat. */
const TEXT_OCTETS = 200
/** Messages that are sent before anything is counted: sessions open, keys are made. */
const WARM_UP = 2
const ARRIVAL_MS = 20_000
/** Polls end early while the idle cost is measured; what an exchange costs does not depend on its length. */
const SHORT_HOLD = [1_000, 1_200] as const
/** Idle exchanges counted, both members together. */
const IDLE_EXCHANGES = 6
const IDLE_MOST_MS = 60_000
const DAY_S = 86_400

/** @throws SottoError E_TUNNEL_TIMEOUT where nothing gets through, and what gateway and members throw */
export async function runTrial({ template, messages, tell }: TrialInput): Promise<TrialReport> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-try-'))
  const undo: Undo = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    tell('Starting a gateway and two members ...')
    const socket = template.socket && { socket: { ...template.socket, holdMs: SHORT_HOLD } }
    const hasty = { ...template, ...socket, rhythm: { ...template.rhythm, holdMs: SHORT_HOLD } }
    const parties = await startParties(folder, hasty, undo)
    tell(`Talking, looking like ${template.id} ...`)
    const talk = await converse(parties, messages)
    const bare = await measureBare(parties, messages)
    tell('Saying nothing ...')
    const idle = await measureIdle(parties)
    const isOnSocket = parties.members.every((member) => member.status()[0]?.socket)
    const holdMs = (isOnSocket ? template.socket?.holdMs : undefined) ?? template.rhythm.holdMs
    return report(template, messages, talk, bare, { octets: idle, holdMs })
  } finally {
    for (const step of undo.reverse()) await step()
  }
}

/** Of an exchange in which nothing is said, and how long it is held. */
interface Idle {
  readonly octets: number
  readonly holdMs: readonly [number, number]
}

interface Talk {
  readonly ms: readonly number[]
  readonly octets: number
  readonly exchanges: number
}

/** Both say something in turn, each once the other's has arrived. */
async function converse(parties: Parties, messages: number): Promise<Talk> {
  const { members, relay } = parties
  for (let i = 0; i < WARM_UP; i++) await deliver(members, i)
  await settle(members)
  const before = { octets: relay.octets(), exchanges: exchangesOf(members) }
  const ms: number[] = []
  for (let i = 0; i < messages; i++) ms.push(await deliver(members, i))
  await settle(members)
  return { ms, octets: relay.octets() - before.octets, exchanges: exchangesOf(members) - before.exchanges }
}

/** Milliseconds until the text is there. */
async function deliver(members: readonly [Member, Member], turn: number): Promise<number> {
  const [from, to] = turn % 2 === 0 ? members : ([members[1], members[0]] as const)
  const text = `${turn}: `.padEnd(TEXT_OCTETS, 'nothing that anybody else should read ')
  const arrived = Promise.withResolvers<void>()
  const stop = to.chat.onEvent((event) => {
    if (event.type === 'message' && event.message.text === text) arrived.resolve()
  })
  const timer = setTimeout(
    () => arrived.reject(new SottoError('E_TUNNEL_TIMEOUT', 'a message did not arrive')),
    ARRIVAL_MS,
  )
  const began = performance.now()
  try {
    const contact = from.chat.contacts()[0]!
    if (contact.status !== 'accepted') from.chat.accept(contact.id)
    from.chat.send(contact.id, text)
    await arrived.promise
    return performance.now() - began
  } finally {
    clearTimeout(timer)
    stop()
  }
}

/** Until receipts are through as well: they are part of what a message costs. */
async function settle(members: readonly Member[]): Promise<void> {
  await Promise.all(members.map((member) => member.settled(500, ARRIVAL_MS)))
}

function exchangesOf(members: readonly Member[]): number {
  return members.reduce((sum, member) => sum + (member.status()[0]?.exchanges ?? 0), 0)
}

/** Milliseconds of each of some GETs of the page over one connection. */
async function measureBare({ relay, certificate }: Parties, times: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(certificate), servername: 'localhost' })
  try {
    await getPage(agent, relay.port)
    const ms: number[] = []
    for (let i = 0; i < times; i++) {
      const began = performance.now()
      await getPage(agent, relay.port)
      ms.push(performance.now() - began)
    }
    return ms
  } finally {
    agent.destroy()
  }
}

function getPage(agent: Agent, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ agent, port, host: '127.0.0.1', path: '/' }, (response) => {
      response.resume()
      response.once('end', () => resolve())
      response.once('error', reject)
    })
    request.once('error', reject)
    request.end()
  })
}

/** Octets of one exchange in which nothing is said. */
async function measureIdle({ members, relay }: Parties): Promise<number> {
  const deadline = performance.now() + IDLE_MOST_MS
  const until = async (exchanges: number): Promise<void> => {
    while (exchangesOf(members) < exchanges) {
      if (performance.now() > deadline) throw new SottoError('E_TUNNEL_TIMEOUT', 'idle polls are not answered')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  // From the beginning of one exchange to that of another, so that whole ones are counted.
  await until(exchangesOf(members) + 1)
  const before = { octets: relay.octets(), exchanges: exchangesOf(members) }
  await until(before.exchanges + IDLE_EXCHANGES)
  return (relay.octets() - before.octets) / (exchangesOf(members) - before.exchanges)
}

function report(
  template: CompiledTemplate,
  messages: number,
  talk: Talk,
  bare: readonly number[],
  { octets: idleOctets, holdMs }: Idle,
): TrialReport {
  const { polls } = template.rhythm
  const meanHoldS = (holdMs[0] + holdMs[1]) / 2_000
  const exchanges = Math.round((polls * DAY_S) / meanHoldS)
  const perMessage = talk.octets / messages
  const [latency, still] = [quantiles(talk.ms), quantiles(bare)]
  return {
    ...{ template: template.id, messages, text_octets: TEXT_OCTETS },
    bytes_per_message: Math.round(perMessage),
    overhead_factor: round(perMessage / TEXT_OCTETS),
    exchanges_per_message: round(talk.exchanges / messages),
    ...{ latency_ms: latency, bare_ms: still, added_ms: round(latency.p50 - still.p50) },
    idle: {
      bytes_per_exchange: Math.round(idleOctets),
      exchanges_a_day: exchanges,
      bytes_a_day: Math.round(exchanges * idleOctets),
    },
  }
}

const round = (value: number): number => Math.round(value * 10) / 10

function quantiles(values: readonly number[]): { p50: number; p95: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (q: number): number => round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0)
  return { p50: at(0.5), p95: at(0.95) }
}
