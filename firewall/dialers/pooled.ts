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
  readonly open: (target: DialTarget, connect: OpenConnection, events: HttpClientEvents) => HttpClient
}

export function pooled(options: PooledOptions): Dialer {
  const all = new Map<string, Connections>()
  const listeners: ((event: DialEvent) => void)[] = []
  const report = (event: DialEvent): void => {
    for (const listener of listeners) listener(event)
  }
  const connectionsTo = (target: DialTarget): Connections => {
    const present = all.get(target.id)
    if (present !== undefined) return present
    const spacing = new Spacing(options.apartMs ?? DialLimits.apartMs)
    const connect = reported(options.connector(target), target.id, report)
    const made = new Connections({
      name: target.name,
      stallMs: options.stallMs ?? DialLimits.stallMs,
      answerMs: options.answerMs ?? DialLimits.answerMs,
      spacing,
      open: (unwanted, events) => options.open(target, spaced(connect, spacing, unwanted, target.name), events),
    })
    all.set(target.id, made)
    return made
  }
  return {
    describe: options.describe,
    exchange: async (target, request, exchangeOptions) => connectionsTo(target).exchange(request, exchangeOptions),
    forget: async (endpointId) => {
      const connections = all.get(endpointId)
      all.delete(endpointId)
      await connections?.close()
    },
    onDial: (listener) => {
      listeners.push(listener)
    },
    close: async () => {
      const open = [...all.values()]
      all.clear()
      await Promise.all(open.map((connections) => connections.close()))
    },
  }
}

/** For the first connection the place was taken; each later one of the same client waits for its own. */
function spaced(connect: Connect, spacing: Spacing, unwanted: AbortSignal, name: string): OpenConnection {
  let isFirst = true
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
