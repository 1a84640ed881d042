/**
 * Ways to a target, below TLS: each is a socket that stands and on which nothing was said yet. Who wants to get out
 * otherwise (through a proxy, say) makes another `Route`; TLS and HTTP above stay the same.
 */
import type { Socket } from 'node:net'
import { connect, isIP } from 'node:net'
import { DialLimits } from '../limits.ts'
import type { DialTarget } from './dialer.ts'
import { pathError, toPathError } from './path-error.ts'

export interface Way {
  readonly socket: Socket
  /** Until when TLS must stand on it, on the clock of `performance.now`. */
  readonly deadline: number
  /** TLS stands: this way goes first the next time. */
  readonly worked: () => void
}

/**
 * Made once for each target. Yields ways, best first, as long as it is asked for another; throws where there is none left,
 * with the reason (SottoError E_PATH_*). `deadline` as in `Way`, for all of them together.
 */
export type Route = (target: DialTarget) => (deadline: number) => AsyncGenerator<Way, never>

export interface DirectOptions {
  /** Asked only for endpoints whose invite pins no addresses. */
  readonly resolve: (host: string) => Promise<readonly string[]>
}

/** As undici and Node's agents do. */
const KEEP_ALIVE_MS = 60_000

/** TCP to the target's addresses, one after another, each with its share of the time. */
export function directRoute(options: DirectOptions): Route {
  return (target) => {
    let lastGood: string | undefined
    return async function* (deadline) {
      const addresses = startWith(await addressesOf(target, options.resolve, deadline - performance.now()), lastGood)
      let failure: unknown
      for (const [index, address] of addresses.entries()) {
        const now = performance.now()
        const until = now + (deadline - now) / (addresses.length - index)
        let socket: Socket
        try {
          socket = await openTcp(target, address, until - now)
        } catch (error) {
          failure = error
          continue
        }
        yield {
          socket,
          deadline: until,
          worked: () => {
            lastGood = address
          },
        }
      }
      throw toPathError(failure, target.name)
    }
  }
}

/** Rejects with SottoError E_PATH_*. */
export function openTcp(target: DialTarget, address: string, timeoutMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect({ host: address, port: target.port })
  const fail = (error: unknown): void => {
    clearTimeout(timer)
    socket.destroy()
    reject(toPathError(error, target.name))
  }
  const timer = setTimeout(fail, timeoutMs, pathError('E_PATH_TIMEOUT', target.name, 'while connecting'))
  socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
  socket.once('error', fail)
  socket.once('connect', () => {
    clearTimeout(timer)
    socket.off('error', fail)
    resolve(socket)
  })
  return promise
}

/** Those of the invite, or what the resolver says. Rejects with SottoError E_PATH_DNS. */
export async function addressesOf(
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
