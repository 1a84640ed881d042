/** One TCP connection out of several addresses: RFC 8305, from the ordered list on. */
import type { Socket } from 'node:net'
import { isIPv6 } from 'node:net'
import { DialLimits } from '../limits.ts'
import type { WayOut } from '../way-out.ts'
import { pathError, toPathError } from './path-error.ts'

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
  readonly way: WayOut
  /** Milliseconds for all addresses together. */
  readonly timeoutMs: number
  /** For error texts. */
  readonly name: string
  readonly unwanted?: AbortSignal | undefined
  /** RFC 8305 section 5, milliseconds. */
  readonly attemptDelayMs?: number
}

/**
 * Connects to the addresses one after the other, `attemptDelayMs` apart, or as soon as the one before has failed. The first
 * that stands wins, and the others are closed.
 * @throws SottoError E_PATH_REFUSED, E_PATH_TIMEOUT, E_PATH_RESET; the reason of `unwanted`
 */
export async function race(
  addresses: readonly string[],
  port: number,
  { way, timeoutMs, name, unwanted, attemptDelayMs = DialLimits.attemptDelayMs }: RaceOptions,
): Promise<{ readonly socket: Socket; readonly address: string }> {
  unwanted?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: Socket; address: string }>()
  const over = new AbortController()
  const waiting = [...addresses]
  let running = 0
  let next: NodeJS.Timeout | undefined
  const attempt = async (): Promise<void> => {
    clearTimeout(next)
    const address = waiting.shift()!
    running++
    if (waiting.length > 0) next = setTimeout(attempt, attemptDelayMs)
    try {
      const socket = await way.connect(address, port, over.signal)
      // Until somebody else listens, an error would have no listener.
      socket.on('error', () => {})
      if (over.signal.aborted) socket.destroy()
      else resolve({ socket, address })
    } catch (cause) {
      running--
      if (over.signal.aborted) return
      if (waiting.length > 0) void attempt()
      else if (running === 0) reject(cause)
    }
  }
  const late = setTimeout(reject, timeoutMs, pathError('E_PATH_TIMEOUT', name, 'while connecting'))
  const aborted = (): void => reject(unwanted?.reason)
  unwanted?.addEventListener('abort', aborted, { once: true })
  void attempt()
  try {
    return await promise
  } catch (cause) {
    throw toPathError(cause, name)
  } finally {
    // After the winner: those under way are closed, and none begins any more.
    over.abort()
    clearTimeout(next)
    clearTimeout(late)
    unwanted?.removeEventListener('abort', aborted)
  }
}
