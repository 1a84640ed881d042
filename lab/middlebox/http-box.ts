/** A box that terminates TLS and speaks HTTP: an edge, an inspecting proxy, a captive portal. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, request as ask, createServer } from 'node:https'
import { sha256 } from '#protocol/crypto/hash.ts'
import { makeCertificate } from '../../scripts/bench/certificate.ts'
import type { HttpRules } from './scenario.ts'
import type { Place } from './tcp-box.ts'

type Fields = readonly (readonly [string, string])[]

interface Reply {
  readonly status: number
  readonly fields: Fields
  /** Whole, or to be passed on as it comes. */
  readonly body: Uint8Array | IncomingMessage
}

export interface HttpBox {
  rules: HttpRules
  /** SHA-256 of its certificate: what the invite pins where the box is the edge of the site. */
  readonly pin: Uint8Array
  close(): Promise<void>
}

export async function startHttpBox(place: Place, origin: Place, rules: HttpRules): Promise<HttpBox> {
  const own = await makeCertificate()
  const other = rules.interceptMs === undefined ? own : await makeCertificate()
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false })
  /** The first connection: until then time does not count. */
  let began: number | undefined
  const cache = new Map<string, { until: number; reply: Reply }>()
  let turns = 0
  const server = createServer(
    { cert: other.certificate, key: other.key, maxHeaderSize: 65_536, keepAliveTimeout: 60_000 },
    (request, response) => {
      serve(
        { rules: box.rules, origin, agent, cache, age: performance.now() - began!, turn: ++turns },
        request,
        response,
      ).catch(() => response.destroy())
    },
  )
  const box = { rules, pin: sha256(new Uint8Array(new X509Certificate(own.certificate).raw)) }
  let timer: NodeJS.Timeout | undefined
  server.once('connection', () => {
    began = performance.now()
    timer = setTimeout(() => server.setSecureContext({ cert: own.certificate, key: own.key }), rules.interceptMs ?? 0)
  })
  server.listen(place.port, place.host)
  await once(server, 'listening')
  return Object.assign(box, {
    close: async () => {
      clearTimeout(timer)
      agent.destroy()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  })
}

interface Ground {
  readonly rules: HttpRules
  readonly origin: Place
  readonly agent: Agent
  readonly cache: Map<string, { until: number; reply: Reply }>
  /** Milliseconds since the box began. */
  readonly age: number
  /** Number of the request, from 1. */
  readonly turn: number
}

async function serve(ground: Ground, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { rules } = ground
  const refusal = refuse(ground, request)
  // A body is read before it is refused, so that the refusal is seen.
  const body = rules.buffer || rules.copies || rules.retries || refusal ? await collect(request) : request
  const tooLarge = rules.requestBodyMax !== undefined && length(request, body) > rules.requestBodyMax
  if (tooLarge && body === request) await collect(request)
  const reply = refusal ?? (tooLarge ? plain(413) : await fromOrigin(ground, request, body))
  if (rules.lagMs) await new Promise((resolve) => setTimeout(resolve, rules.lagMs))
  await write(rules, reply, response)
}

function length(request: IncomingMessage, body: Uint8Array | IncomingMessage): number {
  return body instanceof Uint8Array ? body.length : Number(request.headers['content-length'] ?? 0)
}

const plain = (status: number, fields: Fields = []): Reply => ({
  status,
  fields: [['content-type', 'text/html'], ...fields],
  body: Buffer.from(`<html><body>${status}</body></html>`),
})

/** What this box answers by itself. */
function refuse({ rules, cache, age, turn }: Ground, request: IncomingMessage): Reply | undefined {
  if (rules.portalMs !== undefined && age < rules.portalMs)
    return plain(302, [['location', 'http://login.hotel.example/?from=portal']])
  const known = cache.get(`${request.method} ${request.url}`)
  if (known !== undefined && known.until > performance.now()) return known.reply
  if (rules.refuseMethods?.includes(request.method ?? '')) return plain(405, [['allow', 'GET, HEAD']])
  if (rules.targetMax !== undefined && (request.url ?? '').length > rules.targetMax) return plain(414)
  if (rules.headersMax !== undefined && request.rawHeaders.join('').length > rules.headersMax) return plain(431)
  // One in so many, and not by chance: a talk of few requests might meet none.
  const { failShare = 0 } = rules
  if (Math.floor(turn * failShare) === Math.floor((turn - 1) * failShare)) return undefined
  return remember(rules, cache, request, plain(rules.status ?? 503))
}

function remember(rules: HttpRules, cache: Ground['cache'], request: IncomingMessage, reply: Reply): Reply {
  if (rules.cacheFailuresMs !== undefined && reply.status >= 500)
    cache.set(`${request.method} ${request.url}`, { until: performance.now() + rules.cacheFailuresMs, reply })
  return reply
}

async function fromOrigin(
  ground: Ground,
  request: IncomingMessage,
  body: Uint8Array | IncomingMessage,
): Promise<Reply> {
  const { rules, cache } = ground
  const tries = (rules.copies ?? 1) + (rules.retries ?? 0)
  const apart = rules.copies === undefined ? (rules.retryMs ?? 0) : 0
  const abort = new AbortController()
  const all = Array.from({ length: tries }, (_, i) => askOnce(ground, request, body, i * apart, abort.signal))
  const late = deadline(rules.answerMs)
  try {
    const reply = await Promise.race([Promise.any(all), late.reached])
    if (rules.responseBodyMax === undefined && !rules.buffer) return reply
    const whole = reply.body instanceof Uint8Array ? reply.body : await collect(reply.body)
    if (whole.length > (rules.responseBodyMax ?? Number.POSITIVE_INFINITY)) return plain(502)
    return { ...reply, body: whole }
  } catch {
    return remember(rules, cache, request, plain(502))
  } finally {
    late.cancel()
    // Those that are still under way have been overtaken.
    if (rules.copies === undefined) abort.abort()
  }
}

function deadline(ms: number | undefined): { reached: Promise<Reply>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined
  const reached = new Promise<Reply>((resolve) => {
    if (ms !== undefined) timer = setTimeout(() => resolve(plain(504)), ms)
  })
  return { reached, cancel: () => clearTimeout(timer) }
}

async function askOnce(
  { rules, origin, agent }: Ground,
  request: IncomingMessage,
  body: Uint8Array | IncomingMessage,
  afterMs: number,
  signal: AbortSignal,
): Promise<Reply> {
  if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs))
  signal.throwIfAborted()
  const headers = altered(pairs(request.rawHeaders), rules, rules.stripRequest, rules.addRequest).flat()
  const outgoing = ask({ ...origin, agent, method: request.method, path: request.url, headers })
  request.once('close', () => {
    if (!request.complete) outgoing.destroy()
  })
  if (body instanceof Uint8Array) outgoing.end(body)
  else body.pipe(outgoing)
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  const fields = altered(pairs(answer.rawHeaders), rules, rules.stripResponse, rules.addResponse)
  return { status: answer.statusCode ?? 502, fields, body: answer }
}

/** Fields that belong to one connection. */
const ofConnection: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding'])

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  const found = Array.from({ length: raw.length / 2 }, (_, i): readonly [string, string] => [
    raw[2 * i]!,
    raw[2 * i + 1]!,
  ])
  return found.filter(([name]) => !ofConnection.has(name.toLowerCase()))
}

function altered(
  fields: readonly (readonly [string, string])[],
  { reorder, letters }: HttpRules,
  strip: readonly string[] = [],
  add: Fields = [],
): (readonly [string, string])[] {
  const kept = [...fields.filter(([name]) => !strip.includes(name.toLowerCase())), ...add]
  if (reorder) kept.reverse()
  if (letters === undefined) return kept
  return kept.map(([name, value]) => [letters === 'lower' ? name.toLowerCase() : name.toUpperCase(), value])
}

async function write(rules: HttpRules, { status, fields, body }: Reply, response: ServerResponse): Promise<void> {
  const sized = rules.chunked ? fields.filter(([name]) => name.toLowerCase() !== 'content-length') : fields
  const more: Fields = rules.closeAfterEach ? [['connection', 'close']] : []
  const hasLength = sized.some(([name]) => name.toLowerCase() === 'content-length')
  const length: Fields =
    body instanceof Uint8Array && !hasLength && !rules.chunked ? [['content-length', String(body.length)]] : []
  response.writeHead(status, [...sized, ...length, ...more].flat())
  if (rules.resetBodyShare !== undefined && Math.random() < rules.resetBodyShare) {
    const whole = body instanceof Uint8Array ? body : await collect(body)
    response.write(whole.subarray(0, whole.length >> 1), () => response.socket?.destroy())
  } else if (body instanceof Uint8Array) response.end(body)
  else {
    // Whoever waits for the answer learns at once that the origin has broken off.
    body.once('error', () => response.destroy())
    response.once('close', () => body.destroy())
    body.pipe(response)
  }
}

async function collect(from: IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of from) pieces.push(piece as Uint8Array)
  return Buffer.concat(pieces)
}
