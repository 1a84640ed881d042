/**
 * The default dialer: HTTP/1.1 of undici over Node's TLS. On the wire it is a Node program: its ClientHello, and `host`
 * and `connection` in front of the other header fields. So it carries templates that claim such a client, or goes where
 * something else terminates TLS. It follows no redirect, keeps no cookie, and does not look at proxy variables.
 */

import { setTimeout } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import type { Dispatcher } from 'undici'
import { Client } from 'undici'
import { isSottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import { authority } from '../policy.ts'
import { Connections } from './connections.ts'
import type { DialEvent, Dialer, DialTarget } from './dialer.ts'
import { pathError, toPathError } from './path-error.ts'
import { Spacing } from './spacing.ts'
import type { Connect, Connector } from './tls-connector.ts'

export interface UndiciDialerOptions {
  readonly connector: Connector
  /** Milliseconds between two pieces of an answer. */
  readonly stallMs?: number
  /** Milliseconds from the beginning of an answer to its end. */
  readonly answerMs?: number
  /** Milliseconds between the beginnings of two connections to one endpoint. */
  readonly apartMs?: number
  /** Makes the HTTP client of one connection. */
  readonly client?: (origin: string, options: Client.Options) => Dispatcher
}

export function undiciDialer(options: UndiciDialerOptions): Dialer {
  const open = new Map<string, Connections>()
  const listeners: ((event: DialEvent) => void)[] = []
  const report = (event: DialEvent): void => {
    for (const listener of listeners) listener(event)
  }
  const connectionsTo = (target: DialTarget): Connections => {
    const present = open.get(target.id)
    if (present !== undefined) return present
    const spacing = new Spacing(options.apartMs ?? DialLimits.apartMs)
    const connect = reported(options.connector(target), target.id, report)
    const made = new Connections({
      name: target.name,
      answerMs: options.answerMs ?? DialLimits.answerMs,
      spacing,
      open: (unwanted) => makeClient(options, target, spaced(connect, spacing, unwanted, target.name)),
    })
    open.set(target.id, made)
    return made
  }
  return {
    exchange: async (target, request, exchangeOptions) => connectionsTo(target).exchange(request, exchangeOptions),
    forget: async (endpointId) => {
      const connections = open.get(endpointId)
      open.delete(endpointId)
      await connections?.close()
    },
    onDial: (listener) => {
      listeners.push(listener)
    },
    close: async () => {
      const all = [...open.values()]
      open.clear()
      await Promise.all(all.map((connections) => connections.close()))
    },
  }
}

function makeClient(options: UndiciDialerOptions, target: DialTarget, connect: () => Promise<TLSSocket>): Dispatcher {
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

/** For the first connection the place was taken; each later one of the same client waits for its own. */
function spaced(connect: Connect, spacing: Spacing, unwanted: AbortSignal, name: string): () => Promise<TLSSocket> {
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
