/**
 * The way to a place, below TLS: a route yields connected sockets on which nothing of ours was said yet. Whoever secures
 * the connection takes one after the other until one of them shows the right certificate.
 */
import type { Duplex } from 'node:stream'
import type { WayOut } from '../way-out.ts'
import type { DialTarget } from './dialer.ts'
import { directRoute } from './direct.ts'
import type { Resolve } from './names.ts'
import { proxyRoute } from './proxy.ts'

export interface RouteTiming {
  /** Of `performance.now`, milliseconds: until then a socket is there, or none. */
  readonly deadline: number
  /** `Arrival.by` of the connection that worked last: goes first. */
  readonly prefer: string | undefined
  /** Nobody wants the connection any more: what is under way ends with the signal's reason. */
  readonly unwanted?: AbortSignal | undefined
}

export interface Arrival {
  readonly socket: Duplex
  /** Which of the addresses (or names, through a proxy) it leads to. */
  readonly by: string
  /** How many others there are to try where this one turns out to be wrong. */
  readonly left: number
}

/**
 * Sockets to the target in the order in which they are to be tried. Asking for the next one says that the last one was no
 * good. Throws SottoError E_PATH_DNS, E_PATH_REFUSED, E_PATH_TIMEOUT, E_PATH_RESET, E_PROXY_*.
 */
export type Route = (target: DialTarget, timing: RouteTiming) => AsyncGenerator<Arrival, void, void>

export interface RouteOptions {
  /** Where connections and addresses come from; by default the system. */
  readonly way?: WayOut
  /** Instead of the way's resolver. Asked only for names without pinned addresses. */
  readonly resolve?: Resolve
  /** True: no address of IPv4 is dialed, be it a gateway's or a proxy's. */
  readonly ipv6Only?: boolean
  /** Certificate authorities instead of the system's, PEM. */
  readonly authorities?: readonly string[]
}

/** Through the target's proxy where it has one, else straight. */
export function systemRoute(options: RouteOptions = {}): Route {
  const direct = directRoute(options)
  const proxied = proxyRoute(options)
  return (target, timing) => (target.proxy === undefined ? direct : proxied)(target, timing)
}
