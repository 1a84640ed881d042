/**
 * The one way out of the client. Whoever dials is handed a `WayOut` and uses nothing else: so the lockdown can close every
 * other road, and under confinement the same interface leads through the gate, a process outside.
 */
import { lookup } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { networkFacts } from './network.ts'

export interface WayOut {
  /**
   * A connected TCP socket to an IP address. Rejects with the system's error (`ECONNREFUSED` and the like), or with the
   * signal's reason. What may be dialed was decided before.
   */
  connect(address: string, port: number, signal: AbortSignal): Promise<Socket>
  /** IP addresses of a name, as the system's resolver gives them. Rejects with the system's error. */
  resolve(host: string): Promise<string[]>
  /** What tells this network from others, as text (network.ts). */
  facts(): string | Promise<string>
}

/** As undici and Node's agents do, milliseconds. */
const KEEP_ALIVE_MS = 60_000

/** The system's own network, for a process that nothing locks. */
export const systemWay: WayOut = Object.freeze({
  connect: (address: string, port: number, signal: AbortSignal) =>
    connected(() => connect({ host: address, port }), signal),
  resolve: async (host: string) => (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address),
  facts: () => networkFacts(),
})

/** Waits for what `open` began. */
export function connected(open: () => Socket, signal: AbortSignal): Promise<Socket> {
  if (signal.aborted) return Promise.reject(signal.reason)
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = open().setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
  const fail = (error: unknown): void => {
    signal.removeEventListener('abort', aborted)
    socket.destroy()
    reject(error)
  }
  const aborted = (): void => fail(signal.reason)
  signal.addEventListener('abort', aborted, { once: true })
  socket.once('error', fail)
  socket.once('connect', () => {
    signal.removeEventListener('abort', aborted)
    socket.off('error', fail)
    resolve(socket)
  })
  return promise
}
