/** The listening socket: an h3 application on node:http(s), on a TCP port or a unix socket behind a web server. */
import { chmodSync, existsSync, unlinkSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createHttp } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import { H3 } from 'h3'
import { toNodeHandler } from 'h3/node'
import { SottoError } from '#protocol/errors.ts'
import type { Listen } from './config.ts'
import type { Refusal, Upgrades } from './decoy/decoy.ts'
import { WatchedMessage } from './lead.ts'
import type { TlsPair } from './tls-files.ts'
import { readTlsFiles } from './tls-files.ts'

export type Handler = (request: WatchedMessage, response: ServerResponse) => Promise<void>

/**
 * Stands in front of the website. A request that it takes does not go through h3, which has nothing to do with it, and is spared
 * about as much as it costs to be looked at: so it takes no other time than one that nobody looks at.
 */
export type Before = (request: WatchedMessage, response: ServerResponse) => boolean

export interface RunningServer {
  /** The TCP port in use; undefined on a unix socket. */
  readonly port: number | undefined
  /** New connections get this certificate; those that are open keep theirs. Only where the server speaks TLS. */
  renew(pair: TlsPair): void
  /** Takes no new connections, lets answers under way finish for up to `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>
}

/** What an ordinary web server allows; Node's own defaults differ and are known. */
const SERVER_OPTIONS = {
  // nginx: keepalive_timeout 75 s, client_header_timeout 60 s, large_client_header_buffers 8 kB a field.
  keepAliveTimeout: 75_000,
  headersTimeout: 60_000,
  // A held exchange has sent its request long since; this bounds slow request bodies only.
  requestTimeout: 120_000,
  maxHeaderSize: 32_768,
  // Whether a request needs one is the website's to say.
  requireHostHeader: false,
} as const

/**
 * What a web server in front has accepted, Node must not refuse in its own words: nginx stops at 32 KiB of headers, Caddy
 * at 1 MiB. Who can reach this socket is that server, and it bounds what strangers may send. Caddy keeps connections for two
 * minutes: it ends them, not we, since one that we end as a request is on its way becomes a 502.
 */
const BEHIND_FRONT = { ...SERVER_OPTIONS, maxHeaderSize: 1_114_112, keepAliveTimeout: 180_000 } as const

/** Errors of connections on which nobody waits for an answer: the visitor has left or said nothing for too long. */
const silent: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_HTTP_REQUEST_TIMEOUT',
  'HPE_INVALID_EOF_STATE',
])

export interface ServerOptions {
  /** What is said to those whose request the parser refuses. */
  readonly refusal: Refusal
  /** For a site that speaks more than HTTP. */
  readonly upgrades?: Upgrades
  /** Asked first, of every request; true where it answers. */
  readonly before?: Before
  /** Plain HTTP that strangers reach themselves, without a web server in front that bounds what they may send. */
  readonly facing?: boolean
}

/** @throws SottoError E_PORT_TAKEN, E_CONFIG (certificate or key not usable, address not ours), E_STATE_UNREADABLE */
export async function startServer(listen: Listen, handle: Handler, options: ServerOptions): Promise<RunningServer> {
  const server = createServer(listen.kind === 'https' ? await readTlsFiles(listen) : undefined, handle, options)
  refuse(server, options.refusal)
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (_request, socket) => {
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
  })
  await listening(server, listen)
  const address = server.address()
  return {
    port: address !== null && typeof address === 'object' ? (address as AddressInfo).port : undefined,
    renew: (pair) => (server as SecureServer).setSecureContext(pair),
    close: (graceMs) => closeServer(server, upgraded, graceMs),
  }
}

function createServer(tls: TlsPair | undefined, handle: Handler, options: ServerOptions): Server {
  const { upgrades, facing, before } = options
  const website = application(handle)
  const listener: typeof website =
    before === undefined
      ? website
      : (request, response) => void (before(request, response) || website(request, response))
  // What nobody wants to be an upgrade is a request like any other.
  const limits = tls === undefined && facing !== true ? BEHIND_FRONT : SERVER_OPTIONS
  const settings = {
    ...limits,
    IncomingMessage: WatchedMessage,
    shouldUpgradeCallback: upgrades?.wanted ?? (() => false),
  }
  try {
    const server =
      tls === undefined
        ? createHttp(settings, listener)
        : createHttps({ ...settings, ...tls, ALPNProtocols: ['http/1.1'] }, listener)
    // Beyond 2,000 fields Node would drop the others, without a word; what bounds them is their length.
    server.maxHeadersCount = 0
    if (upgrades !== undefined) server.on('upgrade', upgrades.handle)
    return server
  } catch (cause) {
    throw new SottoError('E_CONFIG', 'the certificate and its key cannot be used for TLS', { cause })
  }
}

/** Nothing that Node would say by itself: not to what it cannot parse, to `CONNECT`, or to an `Expect` it does not know. */
function refuse(server: Server, refusal: Refusal): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || isAnswering(socket) || silent.has(error.code ?? '')) socket.destroy()
    else socket.end(refusal(error.code ?? ''))
  })
  server.on('connect', (_request, socket) => {
    socket.on('error', () => {})
    socket.end(refusal('METHOD'))
  })
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
}

/** Whether part of an earlier request's answer has left already: nothing may come into it. */
function isAnswering(socket: Duplex): boolean {
  return (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage?.headersSent === true
}

/**
 * h3 sees every request that it can read; the handler works on Node's own request and response, since an answer may be held for long.
 * h3 gets a promise that settles only where the handler fails: the answer is written already, and nobody who waits for
 * a promise that cannot settle keeps it in memory. While an exchange is held, nothing of h3 is there (3 KB an exchange).
 */
export function application<Request extends IncomingMessage>(
  handle: (request: Request, response: ServerResponse) => Promise<void>,
): (request: Request, response: ServerResponse) => void {
  const app = new H3()
  app.all('/**', ({ runtime }) => {
    const { req, res } = runtime!.node!
    return new Promise<never>((_, reject) => {
      handle(req as Request, res as ServerResponse).catch(reject)
    })
  })
  const listener = toNodeHandler(app) as (request: Request, response: ServerResponse) => void
  return (request, response) => {
    if (isOrdinary(request.url!)) listener(request, response)
    else handle(request, response).catch(() => response.destroy())
  }
}

/** A path that h3 can decode. To others it would answer by itself, in words that no website uses. */
function isOrdinary(target: string): boolean {
  if (!target.startsWith('/') || target.startsWith('//')) return false
  if (!target.includes('%')) return true
  try {
    decodeURI(target)
    return true
  } catch {
    return false
  }
}

async function listening(server: Server, listen: Listen): Promise<void> {
  if (listen.kind === 'unix') await removeStale(listen.path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(cause, listen)))
    server.once('listening', resolve)
    if (listen.kind === 'unix') server.listen(listen.path)
    else server.listen(listen.port, listen.host)
  })
  // The web server in front runs as another user of the same group.
  if (listen.kind === 'unix') chmodSync(listen.path, 0o660)
}

/** A socket file that nobody answers on was left by a process that was killed. */
async function removeStale(path: string): Promise<void> {
  if (!existsSync(path)) return
  const alive = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
  if (alive) throw new SottoError('E_PORT_TAKEN', `another program listens on ${path}`)
  unlinkSync(path)
}

function listenError(cause: NodeJS.ErrnoException, listen: Listen): SottoError {
  const where = listen.kind === 'unix' ? listen.path : `${listen.host}:${listen.port}`
  if (cause.code === 'EADDRINUSE')
    return new SottoError('E_PORT_TAKEN', `another program listens on ${where}`, { cause })
  return new SottoError('E_CONFIG', `cannot listen on ${where} (${cause.code})`, { cause })
}

/** What has become something else than HTTP has no answer to finish, and the server would wait for it for ever. */
function closeServer(server: Server, upgraded: ReadonlySet<Duplex>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    for (const socket of upgraded) socket.destroy()
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
