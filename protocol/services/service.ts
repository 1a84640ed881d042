/** What a service is to the gateway: named handlers, unaware of streams, parcels and HTTP. Spec section 9. */

import type { Stream } from '../session/stream.ts'

export interface Caller {
  /** Opaque and stable for one credential; never a name. */
  readonly member: string
  readonly role: 'member' | 'guest'
}

/** A refusal that the caller may see: a short stable word, no detail. Everything else a handler throws becomes `internal`. */
export class ServiceFailure extends Error {
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.name = 'ServiceFailure'
    this.reason = reason
  }
}

export type UnaryHandler = (args: unknown, caller: Caller) => Promise<unknown> | unknown

/** Runs until it returns, throws or `signal` aborts; `push` resolves once there is room for the next message. */
export type SubscribeHandler = (
  args: unknown,
  caller: Caller,
  push: (message: unknown) => Promise<void>,
  signal: AbortSignal,
) => Promise<void>

/** Raw octets both ways after the question; the handler owns the stream from then on. */
export type StreamHandler = (args: unknown, caller: Caller, stream: Stream) => void

export interface Service {
  /** Keyed by full method name, for example `mailbox.put`. */
  readonly unary: Readonly<Record<string, UnaryHandler>>
  /** As `unary`, with answers that are pieces of a file: they give way to everything else. */
  readonly bulk?: Readonly<Record<string, UnaryHandler>>
  readonly subscribe: Readonly<Record<string, SubscribeHandler>>
  readonly stream?: Readonly<Record<string, StreamHandler>>
}
