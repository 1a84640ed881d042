/**
 * Through a proxy that the person has named: a connection to it, then its own way of passing on. Names are resolved over
 * there, so that this network's resolver hears of none of them. Never around the proxy, whatever it says.
 */
import { isIP, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as tlsConnect } from 'node:tls'
import { isSottoError } from '#protocol/errors.ts'
import type { DialTarget, ProxyReach } from './dialer.ts'
import { reachOf } from './dialer.ts'
import { directRoute } from './direct.ts'
import { connectThrough } from './http-proxy.ts'
import { isPinned } from './pin.ts'
import { proxyError } from './proxy-error.ts'
import type { Route, RouteOptions, RouteTiming } from './route.ts'
import { socksThrough } from './socks-proxy.ts'

/** What a proxy is asked for. */
export interface PassOn {
  readonly proxy: ProxyReach
  /** Name or IP address, and port, of the machine behind it. */
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
}

export function proxyRoute(options: RouteOptions): Route {
  const direct = directRoute(options)
  return async function* (target, timing) {
    const { host, port, addresses } = reachOf(target)
    const proxy = proxyFor(target)
    // The name first, as browsers do and filters expect; an address where the proxy cannot find the name, or finds a wrong one.
    const all = [...new Set([host, ...addresses])].filter((to) => !options.ipv6Only || isIP(to) === 0 || isIPv6(to))
    const places = all.includes(timing.prefer ?? '')
      ? [timing.prefer!, ...all.filter((to) => to !== timing.prefer)]
      : all
    let failure: unknown
    for (const [index, to] of places.entries()) {
      const left = places.length - 1 - index
      const deadline = performance.now() + (timing.deadline - performance.now()) / (left + 1)
      try {
        const socket = await passOn(direct, proxy, { host: to, port, deadline, unwanted: timing.unwanted }, options)
        yield { socket, by: to, left }
      } catch (error) {
        timing.unwanted?.throwIfAborted()
        failure = error
        // It is the proxy itself that fails: other names and addresses would fare no better.
        if (isSottoError(error, 'E_PROXY_UNREACHABLE') || isSottoError(error, 'E_PROXY_AUTH')) throw error
      }
    }
    if (failure !== undefined) throw failure
  }
}

interface Place {
  readonly host: string
  readonly port: number
  readonly deadline: number
  readonly unwanted: AbortSignal | undefined
}

async function passOn(
  direct: Route,
  proxy: ProxyReach,
  { host, port, deadline, unwanted }: Place,
  { authorities }: RouteOptions,
): Promise<Duplex> {
  const left = (): number => Math.max(1, deadline - performance.now())
  const raw = await toProxy(direct, proxy, { deadline, prefer: undefined, unwanted })
  // Whatever is under way on it then fails.
  unwanted?.addEventListener('abort', () => raw.destroy(), { once: true })
  const request = (): PassOn => ({ proxy, host, port, timeoutMs: left() })
  if (proxy.kind === 'http') return connectThrough(raw, request())
  if (proxy.kind !== 'https') return socksThrough(raw, request())
  return connectThrough(await secured(raw, proxy, left(), authorities), request())
}

/** @throws SottoError E_PROXY_UNREACHABLE */
async function toProxy(direct: Route, proxy: ProxyReach, timing: RouteTiming): Promise<Duplex> {
  try {
    for await (const { socket } of direct({ ...proxy, isNear: true }, timing)) return socket
  } catch (cause) {
    throw proxyError('E_PROXY_UNREACHABLE', proxy, undefined, cause)
  }
  throw proxyError('E_PROXY_UNREACHABLE', proxy)
}

/** TLS to the proxy itself. @throws SottoError E_PROXY_UNREACHABLE */
function secured(
  raw: Duplex,
  proxy: ProxyReach,
  timeoutMs: number,
  authorities: readonly string[] | undefined,
): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const socket = tlsConnect({
    socket: raw,
    ...(isIP(proxy.host) === 0 ? { servername: proxy.host } : { host: proxy.host }),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: proxy.certificate === undefined,
    ...(authorities === undefined ? {} : { ca: [...authorities] }),
  })
  const fail = (detail: string, cause?: unknown): void => {
    clearTimeout(timer)
    socket.destroy()
    reject(proxyError('E_PROXY_UNREACHABLE', proxy, detail, cause))
  }
  const timer = setTimeout(fail, timeoutMs, 'it does not answer')
  socket.on('error', (cause) => fail('it offers no TLS that can be trusted', cause))
  socket.once('close', () => fail('it has cut the connection'))
  socket.once('secureConnect', () => {
    if (!isPinned(socket, proxy.certificate)) return fail('it shows a certificate that is not the right one')
    clearTimeout(timer)
    resolve(socket)
  })
  return promise
}

/** Tor keeps connections of different credentials apart, and takes any (`IsolateSOCKSAuth`, its default). */
function proxyFor({ id, proxy }: DialTarget): ProxyReach {
  return proxy!.kind === 'tor' ? { ...proxy!, credentials: { user: id, password: 'sotto' } } : proxy!
}
