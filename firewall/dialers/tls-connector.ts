/** One verified TLS connection to a target: over its ways in turn, then the certificate, before a single octet of a request. */
import { isIP } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect as tlsConnect } from 'node:tls'
import { constantTimeEqual } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { DialLimits } from '../limits.ts'
import type { DialTarget } from './dialer.ts'
import { pathError, toPathError } from './path-error.ts'
import type { Route, Way } from './way.ts'

export interface ConnectorOptions {
  readonly route: Route
  /** What the ClientHello looks like; plain TLS of Node where nothing is said. */
  readonly style?: TlsStyle
  /** Protocols to offer, best first; `http/1.1` where nothing is said. Not looked at where there is a style. */
  readonly alpn?: readonly string[]
  /** False: every connection begins with a whole handshake. */
  readonly resumes?: boolean
  /** Certificate authorities instead of the system's, PEM. */
  readonly authorities?: readonly string[]
  /** Milliseconds for name and connection, over all ways. */
  readonly connectMs?: number
}

/** Makes the options of one connection: what differs from connection to connection is drawn anew. */
export type TlsStyle = (authorities: readonly string[] | undefined) => ConnectionOptions

/** Opens one more connection to the target it was made for. Rejects with SottoError E_PATH_*. */
export type Connect = () => Promise<TLSSocket>

/** Made once for each target: keeps its tickets and the way that worked. */
export type Connector = (target: DialTarget) => Connect

export function tlsConnector(options: ConnectorOptions): Connector {
  return (target) => {
    const tickets: Buffer[] = []
    const waysTo = options.route(target)
    return async () => {
      const deadline = performance.now() + (options.connectMs ?? DialLimits.connectMs)
      let failure: unknown
      try {
        for await (const way of waysTo(deadline)) {
          try {
            const socket = await secure(target, way, options, tickets)
            way.worked()
            return socket
          } catch (error) {
            failure = error
          }
        }
      } catch (error) {
        // What the last way that stood ran into says more than that there is none left.
        failure ??= error
      }
      throw toPathError(failure, target.name)
    }
  }
}

/** `tickets`: each is used once, so that an observer cannot tie two connections together by it. */
function secure(target: DialTarget, way: Way, options: ConnectorOptions, tickets: Buffer[]): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = tlsConnect(connectionOptions(target, way, options, tickets.pop()))
  const fail = (error: unknown): void => {
    clearTimeout(timer)
    socket.destroy()
    way.socket.destroy()
    reject(toPathError(error, target.name))
  }
  const late = pathError('E_PATH_TIMEOUT', target.name, 'while connecting')
  const timer = setTimeout(fail, way.deadline - performance.now(), late)
  let verified = false
  socket.on('session', (ticket) => {
    if (!verified || options.resumes === false) return
    tickets.push(ticket)
    if (tickets.length > DialLimits.tickets) tickets.shift()
  })
  // Both stay: until the HTTP client has its own, an error would have no listener.
  socket.once('error', fail)
  socket.once('close', () => fail(pathError('E_PATH_RESET', target.name, 'while connecting')))
  socket.once('secureConnect', () => {
    if (!isPinned(socket, target.certificate)) return fail(pathError('E_PATH_TLS', target.name))
    verified = true
    clearTimeout(timer)
    resolve(socket)
  })
  return promise
}

/** `rejectUnauthorized` is said outright, so that no environment variable decides. */
function connectionOptions(
  target: DialTarget,
  way: Way,
  { style, alpn, authorities }: ConnectorOptions,
  session: Buffer | undefined,
): ConnectionOptions {
  const plain = { ALPNProtocols: [...(alpn ?? ['http/1.1'])], ...(authorities && { ca: [...authorities] }) }
  return {
    ...(style === undefined ? plain : style(authorities)),
    socket: way.socket,
    // Also what OpenSSL compares the certificate with: without it, it would be the name of a socket that has none.
    host: target.host,
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    rejectUnauthorized: target.certificate === undefined,
    ...(session === undefined ? {} : { session }),
  }
}

/**
 * True where the invite pins nothing: then OpenSSL has judged. A resumed session shows no certificate: it proves the
 * one that the full handshake showed, and only tickets of connections that passed here are kept.
 */
function isPinned(socket: TLSSocket, pin: Uint8Array | undefined): boolean {
  if (pin === undefined || socket.isSessionReused()) return true
  const certificate = socket.getPeerX509Certificate()
  return certificate !== undefined && constantTimeEqual(sha256(new Uint8Array(certificate.raw)), pin)
}
