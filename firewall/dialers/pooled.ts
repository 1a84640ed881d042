/** A dialer out of HTTP clients: connections of each endpoint, opened as they are needed, told of, and closed. */
import { isSottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import type { DialerDescription } from '../permit.ts'
import { Connections } from './connections.ts'
import type { DialEvent, Dialer, DialTarget } from './dialer.ts'
import type { HttpClient, HttpClientEvents } from './http-client.ts'
import type { Connect, Connector } from './tls-connector.ts'

export interface PooledOptions {
  readonly describe: () => DialerDescription
  readonly connector: Connector
  /** Milliseconds between two pieces of an answer. */
  readonly stallMs?: number | undefined
  /** Milliseconds from the beginning of an answer to its end. */
  readonly answerMs?: number | undefined
  readonly open: (target: DialTarget, connect: Connect, events: HttpClientEvents) => HttpClient
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
    const connect = reported(options.connector(target), target.id, report)
    const made = new Connections({
      name: target.name,
      stallMs: options.stallMs ?? DialLimits.stallMs,
      answerMs: options.answerMs ?? DialLimits.answerMs,
      open: (events) => options.open(target, connect, events),
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

function reported(connect: Connect, endpoint: string, report: (event: DialEvent) => void): Connect {
  return async () => {
    try {
      const socket = await connect()
      report({ endpoint })
      return socket
    } catch (error) {
      report(isSottoError(error) ? { endpoint, code: error.code } : { endpoint, code: 'E_PATH_RESET' })
      throw error
    }
  }
}
