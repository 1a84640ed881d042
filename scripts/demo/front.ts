/**
 * The web server in front of the demo's gateway: terminates TLS, passes every request on over a unix socket, and tells
 * an observer what it saw of the HTTP. It stands where a content network stands: it reads everything but the parcels.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { SottoError } from '#protocol/errors.ts'
import { passOn } from '../pass-on.ts'

/** One exchange as an observer of the HTTP sees it. */
export interface Seen {
  readonly at: number
  readonly method: string
  readonly target: string
  readonly requestHeaders: readonly string[]
  readonly requestBody: Excerpt
  readonly status: number
  readonly responseHeaders: readonly string[]
  readonly responseBody: Excerpt
  readonly ms: number
}

/** The beginning of a body, and how long it is in all. */
export interface Excerpt {
  readonly length: number
  readonly text: string
}

const EXCERPT = 160

export interface FrontInput {
  readonly port: number
  readonly certificate: string
  readonly key: string
  /** Unix socket of the gateway. */
  readonly socketPath: string
  readonly observe: (seen: Seen) => void
}

export interface Front {
  readonly port: number
  close(): void
}

/** Listens on loopback only. @throws SottoError E_PORT_TAKEN */
export async function startFront(input: FrontInput): Promise<Front> {
  const server = createServer(
    { cert: input.certificate, key: input.key, keepAliveTimeout: 75_000 },
    (request, response) => pass(input, request, response),
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE'
      const what = `another program listens on port ${input.port}`
      reject(
        taken
          ? new SottoError('E_PORT_TAKEN', what, { next: 'Stop it, or choose another: ./scripts/start --port N' })
          : cause,
      )
    })
    server.listen(input.port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

function pass({ socketPath, observe }: FrontInput, request: IncomingMessage, response: ServerResponse): void {
  const at = Date.now()
  const up = collect(request)
  const { method = '', url: target = '', headers } = request
  passOn({ socketPath }, request, response, (answer) => {
    const down = collect(answer)
    answer.once('end', () =>
      observe({
        ...{ at, method, target },
        requestHeaders: lines(request.rawHeaders),
        requestBody: up(headers['content-type']),
        status: answer.statusCode!,
        responseHeaders: lines(answer.rawHeaders),
        responseBody: down(answer.headers['content-type']),
        ms: Date.now() - at,
      }),
    )
  })
}

const lines = (raw: readonly string[]): string[] =>
  Array.from({ length: raw.length / 2 }, (_, i) => `${raw[2 * i]}: ${raw[2 * i + 1]}`)

/** Counts a body and keeps its beginning. */
function collect(message: IncomingMessage): (type: string | undefined) => Excerpt {
  let length = 0
  let head = Buffer.alloc(0)
  message.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (head.length < EXCERPT) head = Buffer.concat([head, chunk]).subarray(0, EXCERPT)
  })
  return (type) => ({ length, text: excerpt(head, type) })
}

function excerpt(head: Buffer, type: string | undefined): string {
  if (head.length === 0) return ''
  if (type !== undefined && /^(text|application\/(json|javascript|xml))/.test(type)) return head.toString('utf8')
  return [...head].map((octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '·')).join('')
}
