/** One verified TLS connection to a target: sockets of the route in turn, then the certificate, before a single octet of a request. */
import { isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect as tlsConnect } from 'node:tls'
import type { SottoError } from '#protocol/errors.ts'
import { isSottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import type { DialTarget, Reach } from './dialer.ts'
import { reachOf } from './dialer.ts'
import { pathError, toPathError } from './path-error.ts'
import { isPinned } from './pin.ts'
import type { Route, RouteOptions } from './route.ts'
import { systemRoute } from './route.ts'

export interface ConnectorOptions extends RouteOptions {
  /** Instead of the one that the other options describe. */
  readonly route?: Route
  /** What the ClientHello looks like; plain TLS of Node where nothing is said. */
  readonly style?: TlsStyle
  /** Protocols to offer, best first; `http/1.1` where nothing is said. Not looked at where there is a style. */
  readonly alpn?: readonly string[]
  /** False: every connection begins with a whole handshake. */
  readonly resumes?: boolean
  /** Milliseconds for name and connection, over all addresses. */
  readonly connectMs?: number
}

/** Makes the options of one connection: what differs from connection to connection is drawn anew. */
export type TlsStyle = (authorities: readonly string[] | undefined) => ConnectionOptions

/**
 * Opens one more connection to the target it was made for, unless nobody wants it any more: then it is ended in the middle,
 * with the signal's reason. Rejects with SottoError E_PATH_*, E_PROXY_*.
 */
export type Connect = (unwanted?: AbortSignal) => Promise<TLSSocket>

/** Made once for each target: keeps its tickets and the address that worked. */
export type Connector = (target: DialTarget) => Connect

/** What carries each connection, to count what has come on it. */
const carriers = new WeakMap<TLSSocket, Duplex>()

/** Octets that have come on a connection of a connector, TLS included. 0 where that is not known. */
export function heardOn(socket: TLSSocket | undefined): number {
  const raw = socket && carriers.get(socket)
  return (raw && octetsFrom(raw)) ?? 0
}

export function tlsConnector(options: ConnectorOptions = {}): Connector {
  const route = options.route ?? systemRoute(options)
  return (target) => {
    const tickets: Buffer[] = []
    let lastGood: string | undefined
    return async (unwanted) => {
      const deadline = performance.now() + (options.connectMs ?? DialLimits.connectMs)
      let failure: unknown
      try {
        for await (const { socket, by, left } of route(target, { deadline, prefer: lastGood, unwanted })) {
          // Half of what is left at the least: on a slow path a handshake takes seconds.
          const timeoutMs = Math.max(1, (deadline - performance.now()) / Math.min(2, left + 1))
          const attempt = { timeoutMs, tickets, options, unwanted }
          try {
            const secured = await secure(socket, reachOf(target), attempt)
            lastGood = by
            return secured
          } catch (error) {
            failure ??= isAstray(target, by, error) ? astray(target, error) : error
            if (unwanted?.aborted) break
          }
        }
      } catch (error) {
        failure ??= error
      }
      throw toPathError(failure, target.name)
    }
  }
}

/** Somebody else is where the network's resolver has led us: it may have lied. Pinned addresses, and those that led there, cannot. */
function isAstray(target: DialTarget, by: string, error: unknown): boolean {
  const { host, addresses, remembered = [] } = reachOf(target)
  const isNamed = target.proxy === undefined && addresses.length === 0 && isIP(host) === 0
  return isNamed && !remembered.includes(by) && isSottoError(error, 'E_PATH_TLS')
}

function astray({ name }: DialTarget, cause: unknown): SottoError {
  return pathError('E_PATH_TLS', name, 'the name server led there, and may lie', cause)
}

interface Attempt {
  readonly timeoutMs: number
  /** Each is used once, so that an observer cannot tie two connections together by it. */
  readonly tickets: Buffer[]
  readonly options: ConnectorOptions
  readonly unwanted: AbortSignal | undefined
}

async function secure(raw: Duplex, reach: Reach, attempt: Attempt): Promise<TLSSocket> {
  const late = new AbortController()
  const error = pathError('E_PATH_TIMEOUT', reach.name, 'while connecting')
  const timer = setTimeout(() => late.abort(error), attempt.timeoutMs)
  const { unwanted } = attempt
  const signal = unwanted === undefined ? late.signal : AbortSignal.any([late.signal, unwanted])
  try {
    return await secured(raw, reach, attempt, signal)
  } catch (error) {
    throw toPathError(error, reach.name)
  } finally {
    clearTimeout(timer)
  }
}

function secured(raw: Duplex, reach: Reach, attempt: Attempt, late: AbortSignal): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const heard = octetsFrom(raw)
  const socket = tlsConnect({ ...connectionOptions(reach, attempt), socket: raw })
  /** Whoever cuts here has read the ClientHello, and nobody has answered it. */
  const cut = (cause?: Error): SottoError => {
    const error =
      cause === undefined ? pathError('E_PATH_RESET', reach.name, 'while connecting') : toPathError(cause, reach.name)
    const isHello = error.code === 'E_PATH_RESET' && heard !== undefined && octetsFrom(raw) === heard
    return isHello ? pathError('E_PATH_HELLO', reach.name, undefined, cause) : error
  }
  const fail = (error: unknown): void => {
    socket.destroy()
    reject(error)
  }
  late.addEventListener('abort', () => fail(late.reason), { once: true })
  if (late.aborted) fail(late.reason)
  let verified = false
  socket.on('session', (ticket) => {
    if (!verified || attempt.options.resumes === false) return
    attempt.tickets.push(ticket)
    if (attempt.tickets.length > DialLimits.tickets) attempt.tickets.shift()
  })
  // Both stay: until the HTTP client has its own, an error would have no listener.
  socket.once('error', (error) => fail(cut(error)))
  socket.once('close', () => fail(cut()))
  socket.once('secureConnect', () => {
    if (!isPinned(socket, reach.certificate)) return fail(pathError('E_PATH_TLS', reach.name))
    verified = true
    carriers.set(socket, raw)
    // Behind the end of the handshake, which would otherwise wait for all that is done with the connection.
    setImmediate(() => resolve(socket))
  })
  return promise
}

/** Octets that have come on a connection; undefined where that is not known. */
function octetsFrom(raw: Duplex): number | undefined {
  return raw instanceof Socket ? raw.bytesRead : undefined
}

/** `rejectUnauthorized` is said outright, so that no environment variable decides. */
function connectionOptions(reach: Reach, attempt: Attempt): ConnectionOptions {
  const session = attempt.tickets.pop()
  const { style, alpn, authorities } = attempt.options
  const plain = { ALPNProtocols: [...(alpn ?? ['http/1.1'])], ...(authorities && { ca: [...authorities] }) }
  return {
    ...(style === undefined ? plain : style(authorities)),
    // Not for connecting: the name that a certificate is judged by where there is no server name.
    host: reach.host,
    ...(isIP(reach.host) === 0 ? { servername: reach.host } : {}),
    rejectUnauthorized: reach.certificate === undefined,
    ...(session === undefined ? {} : { session }),
  }
}
