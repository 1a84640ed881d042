/** Names, letters and order of header fields by kind of request, and whether everything that names the client agrees. */

import { isGrease } from '#firewall/dialers/client-hello.ts'
import type { Exchange } from '../capture/exchanges.ts'
import type { SeenConnection, Session } from '../capture/session.ts'

/** Names as written, in their order. */
export const orderOf = ({ headers }: Exchange): string => headers.map(([name]) => name).join(' ')

/** Requests of ours whose order no request of a genuine client with the same method and path has. */
export function foreignOrders(
  ours: readonly Session[],
  genuine: readonly Session[],
): { readonly requests: number; readonly foreign: number; readonly example: string | undefined } {
  const key = (exchange: Exchange): string =>
    `${exchange.method} ${exchange.target.replace(/\?.*$/s, '')} ${orderOf(exchange)}`
  const known = new Set(exchangesOf(genuine).map(key))
  const all = exchangesOf(ours)
  const foreign = all.filter((exchange) => !known.has(key(exchange)))
  return {
    requests: all.length,
    foreign: foreign.length,
    example: foreign[0] && `${foreign[0].method}: ${orderOf(foreign[0])}`,
  }
}

export const exchangesOf = (sessions: readonly Session[]): Exchange[] =>
  sessions.flatMap(({ connections }) => connections.flatMap(({ exchanges }) => exchanges))

/** What does not agree with the User-Agent; empty where everything does. */
export function contradictions(connection: SeenConnection): string[] {
  const { hello, protocol, start, exchanges } = connection
  const [first] = exchanges
  if (hello === undefined || first === undefined) return []
  const of = (name: string): string | undefined => first.headers.find(([each]) => each.toLowerCase() === name)?.[1]
  const agent = of('user-agent') ?? ''
  const chrome = /Chrome\/(\d+)/.exec(agent)?.[1]
  const firefox = /Firefox\/(\d+)/.exec(agent)?.[1]
  const greases = hello.ciphers.some(isGrease)
  const found: string[] = []
  const check = (holds: boolean, what: string): void => void (holds || found.push(what))
  if (chrome !== undefined) {
    check(greases, 'Chrome without GREASE')
    check(hello.echLength !== undefined, 'Chrome without ECH')
    check(hello.alpn[0] === 'h2', 'Chrome that does not prefer HTTP/2')
    check(protocol !== 'h2' || start?.window === 15_663_105, 'Chrome with another window')
    check(of('sec-ch-ua')?.includes(`"${chrome}"`) === true, 'version of hints')
    check(systemOf(agent) === of('sec-ch-ua-platform')?.replaceAll('"', ''), 'system of hints')
  } else if (firefox !== undefined) {
    check(!greases, 'Firefox with GREASE')
    check(hello.echLength !== undefined, 'Firefox without ECH')
    check(of('sec-ch-ua') === undefined, 'Firefox with hints')
  } else {
    check(!greases, 'a program with GREASE')
    check(of('sec-ch-ua') === undefined, 'a program with hints')
  }
  return found
}

const systemOf = (agent: string): string =>
  /Windows/.test(agent) ? 'Windows' : /Mac OS X/.test(agent) ? 'macOS' : /Android/.test(agent) ? 'Android' : 'Linux'
