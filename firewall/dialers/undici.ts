/**
 * The default dialer: HTTP/1.1 of undici over Node's TLS. On the wire it is a Node program: its ClientHello, and `host`
 * and `connection` in front of the other header fields. So it carries templates that claim such a client, or goes where
 * something else terminates TLS. It follows no redirect, keeps no cookie, and does not look at proxy variables.
 */
import type { TLSSocket } from 'node:tls'
import type { Dispatcher } from 'undici'
import { Client } from 'undici'
import { DialLimits } from '../limits.ts'
import type { DialerDescription, ExchangeRequest } from '../permit.ts'
import { authority } from '../policy.ts'
import type { Answer } from './answer.ts'
import type { Dialer, DialTarget } from './dialer.ts'
import type { HttpClient, HttpClientEvents } from './http-client.ts'
import { toPathError } from './path-error.ts'
import type { OpenConnection } from './pooled.ts'
import { pooled } from './pooled.ts'
import type { Connector } from './tls-connector.ts'
import { heardOn } from './tls-connector.ts'

export interface UndiciDialerOptions {
  /** Offers what `h2` says. */
  readonly connector: Connector
  /** HTTP/2 where the server has it. False unless the person says so: chat bursts over it look like TLS inside TLS to nDPI. */
  readonly h2?: boolean
  /** Milliseconds between two pieces of an answer. */
  readonly stallMs?: number
  /** Milliseconds from the beginning of an answer to its end. */
  readonly answerMs?: number
  /** Milliseconds between the beginnings of two connections to one endpoint. */
  readonly apartMs?: number
  /** Makes the HTTP client of one connection. */
  readonly client?: (origin: string, options: Client.Options) => Dispatcher
}

/** Protocols that the connector of such a dialer has to offer, best first, as undici itself has them. */
export const undiciAlpn = (h2: boolean): string[] => (h2 ? ['http/1.1', 'h2'] : ['http/1.1'])

/** Streams at once on one connection; more than the tunnel ever has. */
const STREAMS = 32

export function undiciDialer(options: UndiciDialerOptions): Dialer {
  return pooled({
    describe: () => describe(options.h2 ?? false),
    connector: options.connector,
    stallMs: options.stallMs,
    answerMs: options.answerMs,
    apartMs: options.apartMs,
    // A WebSocket is HTTP/1.1's.
    sockets: !options.h2,
    open: (target, connect, events) => new UndiciClient(options, target, connect, events),
  })
}

function describe(h2: boolean): DialerDescription {
  return {
    family: 'node',
    version: process.versions.node.split('.')[0]!,
    os: process.platform,
    alpn: undiciAlpn(h2),
    knownLeaks: [
      'ClientHello: exactly Node’s own, which browsers do not send',
      ...(h2
        ? ['HTTP/2: nDPI takes chat bursts for TLS inside TLS (40 of 40 flows measured; 0 of 120 over HTTP/1.1)']
        : []),
    ],
  }
}

class UndiciClient implements HttpClient {
  /** undefined until it is known which protocol the server has chosen. */
  capacity: number | undefined
  private readonly client: Dispatcher
  private socket: TLSSocket | undefined

  constructor(options: UndiciDialerOptions, target: DialTarget, connect: OpenConnection, events: HttpClientEvents) {
    this.capacity = options.h2 ? undefined : 1
    this.client = makeClient(options, target, connect, (socket) => {
      this.socket = socket
      if (!options.h2) return
      this.capacity = socket.alpnProtocol === 'h2' ? STREAMS : 1
      events.ready()
    })
    // Both come after the requests that were under way have been told.
    this.client.on('disconnect', events.gone)
    this.client.on('connectionError', events.gone)
  }

  get heard(): number {
    return heardOn(this.socket)
  }

  dispatch(request: ExchangeRequest, answer: Answer): void {
    this.client.dispatch(toDispatch(request), new Handler(answer))
  }

  destroy(): Promise<void> {
    return this.client.destroy()
  }
}

function makeClient(
  options: UndiciDialerOptions,
  target: DialTarget,
  connect: OpenConnection,
  connected: (socket: TLSSocket) => void,
): Dispatcher {
  const make = options.client ?? ((origin, clientOptions) => new Client(origin, clientOptions))
  return make(`https://${authority(target)}`, {
    connect: (_, callback) => {
      connect().then(
        (socket) => {
          callback(null, socket)
          connected(socket)
        },
        (error: unknown) => callback(toPathError(error, target.name), null),
      )
    },
    allowH2: options.h2 ?? false,
    // Over HTTP/1.1 no more than one is given to it at a time.
    pipelining: options.h2 ? STREAMS : 1,
    keepAliveTimeout: DialLimits.idleMs,
    keepAliveMaxTimeout: DialLimits.idleMs,
    maxHeaderSize: DialLimits.responseHeaderBytes,
    // Deadlines are the answer's own.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

/** Tells an answer of what undici tells. */
class Handler implements Dispatcher.DispatchHandler {
  private readonly answer: Answer

  constructor(answer: Answer) {
    this.answer = answer
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown before the request was written, this leaves the connection as it is.
    if (this.answer.failure !== undefined) throw this.answer.failure
    this.answer.start((error) => controller.abort(error))
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.answer.head(status, rawPairs(controller.rawHeaders) ?? Object.entries(headers).flatMap(named))
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.answer.data(chunk)
  }

  onResponseEnd(): void {
    this.answer.end()
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.answer.error(error)
  }
}

/** Names and values as they came, one octet a character; undefined where undici has kept none (HTTP/2). */
function rawPairs(raw: Dispatcher.DispatchController['rawHeaders']): [string, string][] | undefined {
  if (!Array.isArray(raw)) return undefined
  const pairs: [string, string][] = []
  const text = (item: Buffer | string): string => (typeof item === 'string' ? item : item.toString('latin1'))
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([text(raw[i]!), text(raw[i + 1]!)])
  return pairs
}

function named([name, value]: [string, string | string[] | undefined]): [string, string][] {
  return value === undefined || name.startsWith(':') ? [] : [value].flat().map((each) => [name, each])
}

/** Fields that undici writes itself, from the origin and the body. */
const writtenByClient: ReadonlySet<string> = new Set(['host', 'connection', 'content-length'])

function toDispatch({ method, target, headers, body }: ExchangeRequest): Dispatcher.DispatchOptions {
  const ours = headers.filter(([name]) => !writtenByClient.has(name.toLowerCase()))
  return { method, path: target, headers: ours.flat(), body: body ?? null }
}
