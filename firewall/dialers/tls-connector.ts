/** One verified TLS connection to a target: addresses in turn, then the certificate, before a single octet of a request. */
import { isIP, type Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect as tlsConnect } from 'node:tls'
import { constantTimeEqual } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { DialLimits } from '../limits.ts'
import type { WayOut } from '../way-out.ts'
import { systemWay } from '../way-out.ts'
import type { DialTarget } from './dialer.ts'
import { pathError, toPathError } from './path-error.ts'

export interface ConnectorOptions {
  /** Where connections and addresses come from; by default the system. */
  readonly way?: WayOut
  /** Instead of the way's resolver. Asked only for endpoints whose invite pins no addresses. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
  /** Certificate authorities instead of the system's, PEM. */
  readonly authorities?: readonly string[]
  /** Milliseconds for name and connection, over all addresses. */
  readonly connectMs?: number
}

/**
 * Opens one more connection to the target it was made for, unless nobody wants it any more: then it is ended in the middle,
 * with the signal's reason. Rejects with SottoError E_PATH_*.
 */
export type Connect = (unwanted?: AbortSignal) => Promise<TLSSocket>

/** Made once for each target: keeps its tickets and the address that worked. */
export type Connector = (target: DialTarget) => Connect

/** Plain TLS of Node. */
export function tlsConnector(options: ConnectorOptions): Connector {
  const way = options.way ?? systemWay
  const resolve = options.resolve ?? way.resolve
  return (target) => {
    const tickets: Buffer[] = []
    let lastGood: string | undefined
    return async (unwanted) => {
      const connectMs = options.connectMs ?? DialLimits.connectMs
      const deadline = performance.now() + connectMs
      const addresses = startWith(await addressesOf(target, resolve, connectMs), lastGood)
      let failure: unknown
      for (const [index, address] of addresses.entries()) {
        const timeoutMs = (deadline - performance.now()) / (addresses.length - index)
        try {
          const attempt = { way, timeoutMs, tickets, authorities: options.authorities, unwanted }
          const socket = await connectOnce(target, address, attempt)
          lastGood = address
          return socket
        } catch (error) {
          failure = error
          if (unwanted?.aborted) break
        }
      }
      throw toPathError(failure, target.name)
    }
  }
}

async function addressesOf(
  target: DialTarget,
  resolve: (host: string) => Promise<readonly string[]>,
  timeoutMs: number,
): Promise<readonly string[]> {
  if (target.addresses.length > 0) return target.addresses
  if (isIP(target.host) !== 0) return [target.host]
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(reject, timeoutMs, new Error('the resolver takes too long'))
  try {
    const found = (await Promise.race([resolve(target.host), late])).filter((address) => isIP(address) !== 0)
    if (found.length > 0) return found.slice(0, DialLimits.addresses)
  } catch (cause) {
    throw pathError('E_PATH_DNS', target.name, undefined, cause)
  } finally {
    clearTimeout(timer)
  }
  throw pathError('E_PATH_DNS', target.name)
}

/** The address that worked last time goes first. */
function startWith(addresses: readonly string[], first: string | undefined): readonly string[] {
  if (first === undefined || !addresses.includes(first)) return addresses
  return [first, ...addresses.filter((address) => address !== first)]
}

interface Attempt {
  readonly way: WayOut
  readonly timeoutMs: number
  /** Each is used once, so that an observer cannot tie two connections together by it. */
  readonly tickets: Buffer[]
  readonly authorities: readonly string[] | undefined
  readonly unwanted: AbortSignal | undefined
}

async function connectOnce(target: DialTarget, address: string, attempt: Attempt): Promise<TLSSocket> {
  const late = new AbortController()
  const timer = setTimeout(
    () => late.abort(pathError('E_PATH_TIMEOUT', target.name, 'while connecting')),
    attempt.timeoutMs,
  )
  const { unwanted } = attempt
  const signal = unwanted === undefined ? late.signal : AbortSignal.any([late.signal, unwanted])
  try {
    signal.throwIfAborted()
    const below = await attempt.way.connect(address, target.port, signal)
    return await secured(target, below, attempt, signal)
  } catch (error) {
    throw toPathError(error, target.name)
  } finally {
    clearTimeout(timer)
  }
}

function secured(target: DialTarget, below: Socket, attempt: Attempt, late: AbortSignal): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = tlsConnect({ ...connectionOptions(target, attempt), socket: below })
  const fail = (error: unknown): void => {
    socket.destroy()
    reject(error)
  }
  late.addEventListener('abort', () => fail(late.reason), { once: true })
  let verified = false
  socket.on('session', (ticket) => {
    if (!verified) return
    attempt.tickets.push(ticket)
    if (attempt.tickets.length > DialLimits.tickets) attempt.tickets.shift()
  })
  // Both stay: until the HTTP client has its own, an error would have no listener.
  socket.once('error', fail)
  socket.once('close', () => fail(pathError('E_PATH_RESET', target.name, 'while connecting')))
  socket.once('secureConnect', () => {
    if (!isPinned(socket, target.certificate)) return fail(pathError('E_PATH_TLS', target.name))
    verified = true
    resolve(socket)
  })
  return promise
}

/** `rejectUnauthorized` is said outright, so that no environment variable decides. */
function connectionOptions(target: DialTarget, attempt: Attempt): ConnectionOptions {
  const session = attempt.tickets.pop()
  return {
    // Not for connecting: the name that a certificate is judged by where there is no server name.
    host: target.host,
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: target.certificate === undefined,
    ...(attempt.authorities === undefined ? {} : { ca: [...attempt.authorities] }),
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
