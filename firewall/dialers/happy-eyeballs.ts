/** One TCP connection out of several addresses: RFC 8305, from the ordered list on. */
import type { Socket } from 'node:net'
import { isIPv6, connect as netConnect } from 'node:net'
import { DialLimits } from '../limits.ts'
import { pathError, toPathError } from './path-error.ts'

/** As undici and Node's agents do. */
const KEEP_ALIVE_MS = 60_000

/**
 * RFC 8305 section 4: families in turn, IPv6 first; inside a family the order is kept. The preferred address, which
 * worked last, goes before all.
 */
export function ordered(addresses: readonly string[], prefer: string | undefined): readonly string[] {
  const six = addresses.filter(isIPv6)
  const four = addresses.filter((address) => !isIPv6(address))
  const turns = six.length > four.length ? six : four
  const list = turns.flatMap((_, at) => [six[at], four[at]]).filter((address) => address !== undefined)
  return prefer !== undefined && list.includes(prefer)
    ? [prefer, ...list.filter((address) => address !== prefer)]
    : list
}

export interface RaceOptions {
  /** Milliseconds for all addresses together. */
  readonly timeoutMs: number
  /** For error texts. */
  readonly name: string
  /** RFC 8305 section 5, milliseconds. */
  readonly attemptDelayMs?: number
}

/**
 * Connects to the addresses one after the other, `attemptDelayMs` apart, or as soon as the one before has failed. The first
 * that stands wins, and the others are closed.
 * @throws SottoError E_PATH_REFUSED, E_PATH_TIMEOUT, E_PATH_RESET
 */
export function race(
  addresses: readonly string[],
  port: number,
  { timeoutMs, name, attemptDelayMs = DialLimits.attemptDelayMs }: RaceOptions,
): Promise<{ readonly socket: Socket; readonly address: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Socket; address: string }>()
  const waiting = [...addresses]
  const running = new Set<Socket>()
  let next: NodeJS.Timeout | undefined
  const end = (winner?: Socket): void => {
    clearTimeout(next)
    clearTimeout(late)
    for (const socket of running) if (socket !== winner) socket.destroy()
    running.clear()
  }
  const fail = (cause: unknown): void => {
    end()
    reject(toPathError(cause, name))
  }
  const late = setTimeout(fail, timeoutMs, pathError('E_PATH_TIMEOUT', name, 'while connecting'))
  const attempt = (): void => {
    clearTimeout(next)
    const address = waiting.shift()
    if (address === undefined) return
    const socket = netConnect({
      host: address,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    })
    running.add(socket)
    if (waiting.length > 0) next = setTimeout(attempt, attemptDelayMs)
    socket.once('connect', () => {
      if (!running.has(socket)) return
      end(socket)
      resolve({ socket, address })
    })
    // It stays: until somebody else listens, an error would have no listener.
    socket.on('error', (cause) => {
      if (!running.delete(socket)) return
      if (waiting.length > 0) attempt()
      else if (running.size === 0) fail(cause)
    })
  }
  attempt()
  return promise
}
