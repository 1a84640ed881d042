/** One verified TLS connection to a target: sockets of the route in turn, then the certificate, before a single octet of a request. */
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect as tlsConnect } from 'node:tls'
import { DialLimits } from '../limits.ts'
import type { DialTarget, Reach } from './dialer.ts'
import { reachOf } from './dialer.ts'
import { pathError, toPathError } from './path-error.ts'
import { isPinned } from './pin.ts'
import type { Route } from './route.ts'

export interface ConnectorOptions {
  readonly route: Route
  /** Certificate authorities instead of the system's, PEM. */
  readonly authorities?: readonly string[]
  /** Milliseconds for name and connection, over all addresses. */
  readonly connectMs?: number
}

/** Opens one more connection to the target it was made for. Rejects with SottoError E_PATH_*. */
export type Connect = () => Promise<TLSSocket>

/** Made once for each target: keeps its tickets and the address that worked. */
export type Connector = (target: DialTarget) => Connect

/** Plain TLS of Node. */
export function tlsConnector(options: ConnectorOptions): Connector {
  return (target) => {
    const tickets: Buffer[] = []
    let lastGood: string | undefined
    return async () => {
      const deadline = performance.now() + (options.connectMs ?? DialLimits.connectMs)
      let failure: unknown
      try {
        for await (const { socket, by, left } of options.route(target, { deadline, prefer: lastGood })) {
          const timeoutMs = Math.max(1, (deadline - performance.now()) / (left + 1))
          const attempt = { timeoutMs, tickets, authorities: options.authorities }
          try {
            const secured = await secure(socket, reachOf(target), attempt)
            lastGood = by
            return secured
          } catch (error) {
            failure ??= error
          }
        }
      } catch (error) {
        failure ??= error
      }
      throw toPathError(failure ?? pathError('E_PATH_REFUSED', target.name), target.name)
    }
  }
}

interface Attempt {
  readonly timeoutMs: number
  /** Each is used once, so that an observer cannot tie two connections together by it. */
  readonly tickets: Buffer[]
  readonly authorities: readonly string[] | undefined
}

function secure(raw: Duplex, reach: Reach, attempt: Attempt): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = tlsConnect(connectionOptions(raw, reach, attempt))
  const fail = (error: unknown): void => {
    clearTimeout(timer)
    socket.destroy()
    reject(toPathError(error, reach.name))
  }
  const timer = setTimeout(fail, attempt.timeoutMs, pathError('E_PATH_TIMEOUT', reach.name, 'while connecting'))
  let verified = false
  socket.on('session', (ticket) => {
    if (!verified) return
    attempt.tickets.push(ticket)
    if (attempt.tickets.length > DialLimits.tickets) attempt.tickets.shift()
  })
  // Both stay: until the HTTP client has its own, an error would have no listener.
  socket.once('error', fail)
  socket.once('close', () => fail(pathError('E_PATH_RESET', reach.name, 'while connecting')))
  socket.once('secureConnect', () => {
    if (!isPinned(socket, reach.certificate)) return fail(pathError('E_PATH_TLS', reach.name))
    verified = true
    clearTimeout(timer)
    resolve(socket)
  })
  return promise
}

/** `rejectUnauthorized` is said outright, so that no environment variable decides. */
function connectionOptions(raw: Duplex, reach: Reach, attempt: Attempt): ConnectionOptions {
  const session = attempt.tickets.pop()
  return {
    socket: raw,
    // Also where no name is shown: it is what the certificate is compared with.
    host: reach.host,
    ...(isIP(reach.host) === 0 ? { servername: reach.host } : {}),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: reach.certificate === undefined,
    ...(attempt.authorities === undefined ? {} : { ca: [...attempt.authorities] }),
    ...(session === undefined ? {} : { session }),
  }
}
