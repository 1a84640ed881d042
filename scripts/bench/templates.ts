/**
 * What each built-in template costs, on one core and without a network: parcels a second through encoding and decoding,
 * time of an exchange with a text message, octets on the wire with all headers, and octets a day of somebody who is idle.
 * Under the flags of Node that client and gateway have.
 */
import type { CompiledTemplate, Shape } from '#engine/compile.ts'
import { createMatcher } from '#engine/match.ts'
import { createRhythm, RHYTHM_SEED_LENGTH } from '#engine/rhythm.ts'
import type { HttpRequest, HttpResponse } from '#engine/template.ts'
import { PARCEL_MIN, TOKEN_LENGTH } from '#protocol/constants.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { compileBuiltins } from '../../camouflage-templates/builtin.ts'
import { measuredIn } from './processes.ts'
import type { Report, Row } from './report.ts'
import { median, round } from './report.ts'

const HOST = 'www.example.org'
/** Octets that a text message of 200 octets is padded to: the class of a text message, by every template's rule. */
const TEXT = 700
const MEGABYTE = 1_000_000
const DAY_MS = 86_400_000
const ROUNDS = 7
/** Octets moved in one round, and exchanges made. */
const VOLUME = 24_000_000
const EXCHANGES = 1_500

const headerOf =
  (headers: readonly (readonly [string, string])[]) =>
  (name: string): string | undefined =>
    headers.find(([each]) => each.toLowerCase() === name)?.[1]

// ---- the two directions, as client and gateway take them ------------------------------------------------------------

function upwards(shape: Shape, parcel: Uint8Array, token: Uint8Array): HttpRequest {
  const request = shape.encodeRequest({ token, parcel, host: HOST, random: randomBytes })
  const { target, headers, body = new Uint8Array(0) } = request
  const header = headerOf(headers)
  const found = shape.readToken(target, header, body.subarray(0, 4_096))
  if (found === undefined || shape.decodeRequest({ target, header, body })?.length !== parcel.length) throw lost(shape)
  return request
}

function downwards(shape: Shape, parcel: Uint8Array): HttpResponse {
  const response = shape.encodeResponse({ parcel, random: randomBytes })
  const { status, body, headers } = response
  if (shape.decodeResponse({ status, header: headerOf(headers), body })?.length !== parcel.length) throw lost(shape)
  return response
}

const lost = (shape: Shape): Error => new Error(`${shape.template} ${shape.name}: a parcel was lost`)

/** Octets of parcels a microsecond of CPU, which are megabytes a second on one core that does nothing else. */
function speed(length: number, move: (parcel: Uint8Array) => void): number {
  const parcel = randomBytes(length)
  const times = Math.max(1, Math.round(VOLUME / length))
  const speeds: number[] = []
  for (let at = 0; at <= ROUNDS; at++) {
    const before = process.cpuUsage()
    for (let i = 0; i < times; i++) move(parcel)
    speeds.push((times * length) / cpuSince(before))
  }
  // The first round warms up.
  return median(speeds.slice(1))
}

/** Microseconds, collecting garbage included. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** CPU microseconds of one exchange with a text message up and one down, both ends together. */
function exchangeTime(template: CompiledTemplate): number {
  const matcher = createMatcher([template])
  const [send, poll] = [template.shape('send'), template.shape('poll')]
  const [up, down] = [randomBytes(send.up.fit(TEXT)), randomBytes(poll.down.fit(TEXT))]
  const token = randomBytes(TOKEN_LENGTH)
  const times: number[] = []
  for (let at = 0; at <= ROUNDS; at++) {
    const before = process.cpuUsage()
    for (let i = 0; i < EXCHANGES; i++) {
      const { method, target } = upwards(send, up, token)
      if (matcher.match(method, target).length === 0) throw lost(send)
      downwards(poll, down)
    }
    times.push(cpuSince(before) / EXCHANGES)
  }
  return median(times.slice(1))
}

// ---- octets on the wire ------------------------------------------------------------------------------------------------

const fields = (headers: readonly (readonly [string, string])[]): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)

/** With what dialer and server add, over HTTP/1.1. */
function requestOctets(shape: Shape, length: number): number {
  const token = randomBytes(TOKEN_LENGTH)
  const { method, target, headers, body } = shape.encodeRequest({
    ...{ token, host: HOST, random: randomBytes },
    parcel: randomBytes(length),
  })
  const added: [string, string][] = [
    ['host', HOST],
    ['connection', 'keep-alive'],
  ]
  if (body !== undefined) added.push(['content-length', String(body.length)])
  const line = `${method} ${target} HTTP/1.1\r\n\r\n`
  return line.length + fields(headers) + fields(added) + (body?.length ?? 0)
}

function responseOctets(shape: Shape, length: number): number {
  const { status, headers, body } = shape.encodeResponse({ parcel: randomBytes(length), random: randomBytes })
  const added: [string, string][] = [
    ['Server', 'nginx'],
    ['Date', new Date(0).toUTCString()],
    ['Content-Length', String(body.length)],
    ['Connection', 'keep-alive'],
  ]
  return `HTTP/1.1 ${status} OK\r\n\r\n`.length + fields(headers) + fields(added) + body.length
}

const exchangeOctets = (shape: Shape, up: number, down: number): number =>
  requestOctets(shape, shape.up.fit(up)) + responseOctets(shape, shape.down.fit(down))

/** A megabyte in parcels as large as there are; the other direction says as little as it can. */
function megabyteUp(shape: Shape): number {
  const whole = Math.floor(MEGABYTE / (shape.up.max - PARCEL_MIN))
  const rest = MEGABYTE - whole * (shape.up.max - PARCEL_MIN)
  return whole * exchangeOctets(shape, shape.up.max, 1) + exchangeOctets(shape, rest + PARCEL_MIN, 1)
}

function megabyteDown(shape: Shape): number {
  const whole = Math.floor(MEGABYTE / (shape.down.max - PARCEL_MIN))
  const rest = MEGABYTE - whole * (shape.down.max - PARCEL_MIN)
  return whole * exchangeOctets(shape, 1, shape.down.max) + exchangeOctets(shape, 1, rest + PARCEL_MIN)
}

/** Polls of a day on which nothing is said, in simulated time; the middle of several members. */
function idlePolls(template: CompiledTemplate): number {
  const days = Array.from({ length: 9 }, () => {
    const rhythm = createRhythm(template.rhythm, randomBytes(RHYTHM_SEED_LENGTH), 0)
    let polls = 0
    for (let now = 0; now < DAY_MS; polls++) {
      now = rhythm.pollAt + rhythm.hold()
      rhythm.polled(now, false)
    }
    return polls
  })
  return median(days) * template.rhythm.polls
}

// ---- all together ------------------------------------------------------------------------------------------------------

interface Cost {
  readonly up_mbps: number
  readonly down_mbps: number
  readonly exchange_us: number
  readonly message_octets: number
  readonly megabyte_up_octets: number
  readonly megabyte_down_octets: number
  readonly idle_octets_a_day: number
  readonly idle_exchanges_a_day: number
}

function costOf(template: CompiledTemplate): Cost {
  const [poll, send, bulk] = [template.shape('poll'), template.shape('send'), template.shape('bulk')]
  const token = randomBytes(TOKEN_LENGTH)
  const idle = idlePolls(template)
  return {
    up_mbps: round(
      speed(bulk.up.max, (parcel) => upwards(bulk, parcel, token)),
      0,
    ),
    down_mbps: round(
      speed(poll.down.max, (parcel) => downwards(poll, parcel)),
      0,
    ),
    exchange_us: round(exchangeTime(template), 1),
    message_octets: exchangeOctets(send, TEXT, 1),
    megabyte_up_octets: megabyteUp(bulk),
    megabyte_down_octets: megabyteDown(poll),
    idle_octets_a_day: idle * exchangeOctets(poll, 1, 1),
    idle_exchanges_a_day: idle,
  }
}

const units: readonly (readonly [keyof Cost, string, string])[] = [
  ['up_mbps', 'MB/s', 'parcels of the largest size up, encoded, found and decoded, one core'],
  ['down_mbps', 'MB/s', 'parcels of the largest size down, encoded and decoded, one core'],
  ['exchange_us', 'us CPU', 'a text message up and one down, both ends together'],
  ['message_octets', 'octets', 'a message of 200 octets and its answer, headers included'],
  ['megabyte_up_octets', 'octets', '1 MB up, headers of all exchanges included'],
  ['megabyte_down_octets', 'octets', '1 MB down, headers of all exchanges included'],
  ['idle_octets_a_day', 'octets', 'a day of nothing but polls, cover off'],
]

type Costs = Readonly<Record<string, Cost>>

export async function templates(): Promise<Report> {
  const result = (await measuredIn(import.meta.filename)) as Costs
  const rows = Object.entries(result).flatMap(([what, cost]) =>
    units.map(([key, unit, setting]): Row => ({ what, value: cost[key], unit, setting })),
  )
  return { rows, result }
}

if (import.meta.main) {
  const costs: Costs = Object.fromEntries(compileBuiltins().map((template) => [template.id, costOf(template)]))
  console.log(JSON.stringify(costs))
}
