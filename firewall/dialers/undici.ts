/**
 * The default dialer: HTTP/1.1 of undici over Node's TLS. On the wire it is a Node program: its ClientHello, and `host`
 * and `connection` in front of the other header fields. So it carries templates that claim such a client, or goes where
 * something else terminates TLS. It follows no redirect, keeps no cookie, and does not look at proxy variables.
 */

import type { Dispatcher } from 'undici'
import { Client } from 'undici'
import { isSottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import { authority } from '../policy.ts'
import { Connections } from './connections.ts'
import type { DialEvent, Dialer, DialTarget } from './dialer.ts'
import { toPathError } from './path-error.ts'
import { Sockets } from './sockets.ts'
import type { Connect, Connector } from './tls-connector.ts'

export interface UndiciDialerOptions {
  readonly connector: Connector
  /** Milliseconds between two pieces of an answer. */
  readonly stallMs?: number
  /** Milliseconds from the beginning of an answer to its end. */
  readonly answerMs?: number
  /** Makes the HTTP client of one connection. */
  readonly client?: (origin: string, options: Client.Options) => Dispatcher
}

export function undiciDialer(options: UndiciDialerOptions): Dialer {
  const open = new Map<string, { readonly connections: Connections; readonly connect: Connect }>()
  const sockets = new Sockets()
  const listeners: ((event: DialEvent) => void)[] = []
  const report = (event: DialEvent): void => {
    for (const listener of listeners) listener(event)
  }
  const linesTo = (target: DialTarget): { readonly connections: Connections; readonly connect: Connect } => {
    const present = open.get(target.id)
    if (present !== undefined) return present
    const connect = reported(options.connector(target), target.id, report)
    const connections = new Connections(target.name, options.answerMs ?? DialLimits.answerMs, () =>
      makeClient(options, target, connect),
    )
    const made = { connections, connect }
    open.set(target.id, made)
    return made
  }
  return {
    exchange: async (target, request, how) => linesTo(target).connections.exchange(request, how),
    openSocket: async (target, request, how) => sockets.openSocket(target, linesTo(target).connect, request, how),
    forget: async (endpointId) => {
      const lines = open.get(endpointId)
      open.delete(endpointId)
      sockets.forget(endpointId)
      await lines?.connections.close()
    },
    onDial: (listener) => {
      listeners.push(listener)
    },
    close: async () => {
      const all = [...open.values()]
      open.clear()
      sockets.close()
      await Promise.all(all.map(({ connections }) => connections.close()))
    },
  }
}

function makeClient(options: UndiciDialerOptions, target: DialTarget, connect: Connect): Dispatcher {
  const make = options.client ?? ((origin, clientOptions) => new Client(origin, clientOptions))
  return make(`https://${authority(target)}`, {
    connect: (_, callback) => {
      connect().then(
        (socket) => callback(null, socket),
        (error: unknown) => callback(toPathError(error, target.name), null),
      )
    },
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: DialLimits.idleMs,
    keepAliveMaxTimeout: DialLimits.idleMs,
    maxHeaderSize: DialLimits.responseHeaderBytes,
    // The beginning and the end of an answer have deadlines of their own; a stall in the middle shows earlier.
    headersTimeout: 0,
    bodyTimeout: options.stallMs ?? DialLimits.stallMs,
  })
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
