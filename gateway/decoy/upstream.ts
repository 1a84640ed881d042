/** The site's own application or server, asked on the visitor's behalf. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errors, Pool } from 'undici'
import { sendPage } from './answer.ts'
import type { Decoy, OpenDecoy } from './decoy.ts'
import { isSecure, requestHeaders, withoutHopByHop } from './hop-by-hop.ts'
import { pageRefusal } from './refusal.ts'
import { originForm } from './target.ts'
import { upstreamUpgrades } from './upstream-upgrade.ts'

/** What one gateway asks of the site at once and waits for. */
const upstreamLimits = {
  /** Connections. Attack: many slow visitors; further requests wait for one. An ordinary application's share. */
  connections: 256,
  /** An ordinary proxy's patience, both. */
  headersTimeout: 60_000,
  bodyTimeout: 60_000,
  connectTimeout: 10_000,
} as const

export function upstreamDecoy(origin: string, onFault: (error: unknown) => void): OpenDecoy {
  const pool = new Pool(origin, upstreamLimits)
  const decoy: Decoy = async (request, response, body) => {
    const path = originForm(request.url!)
    if (path === undefined) return sendPage(request, response, 400, { close: true })
    try {
      await relay(pool, path, request, response, body)
    } catch (error) {
      if (response.destroyed && (!response.headersSent || isLeaving(error))) return
      onFault(error)
      if (response.headersSent) response.destroy()
      else sendPage(request, response, isTimeout(error) ? 504 : 502)
    }
  }
  const { close, ...upgrade } = upstreamUpgrades(origin, onFault)
  const closeAll = async (): Promise<void> => {
    close()
    await pool.destroy()
  }
  return { decoy, upgrade, refusal: pageRefusal, close: closeAll }
}

async function relay(
  pool: Pool,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array | undefined,
): Promise<void> {
  const gone = new AbortController()
  const leave = (): void => gone.abort()
  response.once('close', leave)
  try {
    const answer = await pool.request({
      path,
      // Node's parser accepts the methods it knows, and no others.
      method: request.method as 'GET',
      headers: requestHeaders(request),
      body: hasBody(request) ? Readable.from(bodyOf(request, body), { objectMode: false }) : null,
      responseHeaders: 'raw',
      signal: gone.signal,
    })
    // A server in front sets the date of an answer that has none, in its own way.
    if (!isSecure(request)) response.sendDate = false
    response.writeHead(answer.statusCode, answer.statusText, responseHeaders(answer.headers, response))
    await pipeline(answer.body, response)
  } finally {
    response.off('close', leave)
  }
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/** What was read before, then what is still to come. */
async function* bodyOf(request: IncomingMessage, before: Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (before !== undefined && before.length > 0) yield before
  if (!request.readableEnded) yield* request as AsyncIterable<Buffer>
}

/** undici's raw form: octets, name and value in turn. */
function responseHeaders(raw: unknown, response: ServerResponse): string[] {
  const pairs = (raw as readonly (Buffer | string)[]).map((part) => part.toString('latin1'))
  const at = pairs.findIndex((part, index) => index % 2 === 0 && part.toLowerCase() === 'connection')
  const headers = withoutHopByHop(pairs, at < 0 ? undefined : pairs[at + 1])
  headers.push('Connection', response.shouldKeepAlive ? 'keep-alive' : 'close')
  return headers
}

const isTimeout = (error: unknown): boolean =>
  error instanceof errors.HeadersTimeoutError || error instanceof errors.ConnectTimeoutError

/** The visitor went away in the middle of an answer: nobody's fault. */
const isLeaving = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'AbortError' || ('code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'))
