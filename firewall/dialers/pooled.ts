/** A dialer out of HTTP clients: connections of each endpoint, opened as they are needed, told of, and closed. */
import { setTimeout } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { isSottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import type { DialerDescription } from '../permit.ts'
import { Connections } from './connections.ts'
import type { DialEvent, Dialer, DialTarget } from './dialer.ts'
import type { HttpClient, HttpClientEvents } from './http-client.ts'
import { pathError } from './path-error.ts'
import { Sockets } from './sockets.ts'
import { Spacing } from './spacing.ts'
import type { Connect, Connector } from './tls-connector.ts'

/** Opens the connection of one client. Rejects with SottoError E_PATH_*, E_PROXY_*. */
export type OpenConnection = () => Promise<TLSSocket>

export interface PooledOptions {
  readonly describe: () => DialerDescription
  readonly connector: Connector
  /** Milliseconds between two pieces of an answer. */
  readonly stallMs?: number | undefined
  /** Milliseconds from the beginning of an answer to its end. */
  readonly answerMs?: number | undefined
  /** Milliseconds between the beginnings of two connections to one endpoint. */
  readonly apartMs?: number | undefined
  /** Offers WebSockets, by the `ws` library. */
  readonly sockets?: boolean
  readonly open: (target: DialTarget, connect: OpenConnection, events: HttpClientEvents) => HttpClient
}

/** What leads to one endpoint. */
interface Lines {
  readonly connections: Connections
  /** One more connection, for something else. */
  readonly open: OpenConnection
}

const never = new AbortController().signal

export function pooled(options: PooledOptions): Dialer {
  const all = new Map<string, Lines>()
  const sockets = new Sockets()
  const listeners: ((event: DialEvent) => void)[] = []
  const report = (event: DialEvent): void => {
    for (const listener of listeners) listener(event)
  }
  const linesTo = (target: DialTarget): Lines => {
    const present = all.get(target.id)
    if (present !== undefined) return present
    const spacing = new Spacing(options.apartMs ?? DialLimits.apartMs)
    const connect = reported(options.connector(target), target.id, report)
    const connections = new Connections({
      name: target.name,
      stallMs: options.stallMs ?? DialLimits.stallMs,
      answerMs: options.answerMs ?? DialLimits.answerMs,
      spacing,
      open: (unwanted, events) => options.open(target, spaced(connect, spacing, unwanted, target.name), events),
    })
    const made = { connections, open: spaced(connect, spacing, never, target.name, false) }
    all.set(target.id, made)
    return made
  }
  return {
    describe: options.describe,
    exchange: async (target, request, exchangeOptions) =>
      linesTo(target).connections.exchange(request, exchangeOptions),
    ...(options.sockets && {
      openSocket: async (target, request, how) => sockets.openSocket(target, linesTo(target).open, request, how),
    }),
    forget: async (endpointId) => {
      const lines = all.get(endpointId)
      all.delete(endpointId)
      sockets.forget(endpointId)
      await lines?.connections.close()
    },
    onDial: (listener) => {
      listeners.push(listener)
    },
    close: async () => {
      const open = [...all.values()]
      all.clear()
      sockets.close()
      await Promise.all(open.map(({ connections }) => connections.close()))
    },
  }
}

/** For the first connection the place was taken; each later one of the same client waits for its own. */
function spaced(
  connect: Connect,
  spacing: Spacing,
  unwanted: AbortSignal,
  name: string,
  isTaken = true,
): OpenConnection {
  let isFirst = isTaken
  return async () => {
    const wait = isFirst ? 0 : spacing.take()
    isFirst = false
    if (wait > 0) await setTimeout(wait)
    if (unwanted.aborted) throw pathError('E_PATH_CLOSED', name)
    return await connect(unwanted)
  }
}

function reported(connect: Connect, endpoint: string, report: (event: DialEvent) => void): Connect {
  return async (unwanted) => {
    try {
      const socket = await connect(unwanted)
      const address = socket.remoteAddress
      report({ endpoint, ...(address !== undefined && { address }) })
      return socket
    } catch (error) {
      report(isSottoError(error) ? { endpoint, code: error.code } : { endpoint, code: 'E_PATH_RESET' })
      throw error
    }
  }
}
