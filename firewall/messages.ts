/**
 * What is said over the pipe: every call with its arguments and result, checked on both sides before use.
 *
 * The core calls; the broker answers each call with one `result` or one `failure` of the same id, and may send `event`
 * at any time. `cancel` names the call to give up in its id and has no answer of its own.
 */
import * as v from 'valibot'
import type { ErrorCode } from '#protocol/errors.ts'
import { errorCodes } from '#protocol/errors.ts'
import { PipeLimits, PolicyLimits } from './limits.ts'
import type {
  DialerReport,
  EndpointInfo,
  Family,
  FirewallEvent,
  OfferedPeer,
  PasswordInfo,
  WaysInfo,
} from './permit.ts'
import { ENDPOINT_KINDS, ENDPOINT_SOURCES, EVENT_KINDS } from './permit.ts'
import type { SocketCalls } from './socket-messages.ts'
import { socketArgs, socketResults } from './socket-messages.ts'

export interface Failure {
  readonly code: ErrorCode
  readonly what: string
  readonly kept?: string | undefined
  readonly next: string
}

/** Arguments and results as they stand in heads. Bodies and parcels are the raw octets of the frame. */
export interface Calls extends SocketCalls {
  readonly endpoints: { args: null; result: readonly EndpointInfo[] }
  readonly network: { args: null; result: Uint8Array }
  readonly ways: { args: null; result: WaysInfo }
  readonly password: { args: null; result: PasswordInfo }
  readonly dialers: { args: null; result: readonly DialerReport[] }
  readonly joined: { args: null; result: readonly EndpointInfo[] }
  readonly forget: { args: { endpoint: string }; result: null }
  readonly permit: { args: { endpoint: string }; result: EndpointInfo }
  readonly contact: {
    args: { endpoint: string; hello: Uint8Array; binding: Uint8Array; length: number; now: number }
    /** Raw: parcel. */
    result: { ticket: number; token: Uint8Array }
  }
  readonly finishContact: {
    /** Raw: parcel. */
    args: { ticket: number }
    result: { root: Uint8Array; reply: Uint8Array } | null
  }
  readonly rekey: {
    args: { endpoint: string; prologue: Uint8Array }
    /** Raw: first message. */
    result: { ticket: number }
  }
  readonly finishRekey: {
    /** Raw: reply. */
    args: { ticket: number }
    result: Uint8Array | null
  }
  /** Node refused the core something: who tried. */
  readonly tried: { args: { call: string; origin: string }; result: null }
  readonly offerList: {
    /** Raw: the list. */
    args: { endpoint: string }
    result: readonly EndpointInfo[]
  }
  readonly offerPeers: { args: readonly OfferedPeer[]; result: readonly EndpointInfo[] }
  readonly exchange: {
    /** Raw: body. */
    args: {
      endpoint: string
      method: 'GET' | 'POST'
      target: string
      /** Names and values in turn. */
      headers: readonly string[]
      timeoutMs: number
      family: Family
      /** Target and header fields of the request that comes first on a new connection. */
      first?: { target: string; headers: readonly string[] } | undefined
      connection?: string | undefined
      connections?: number | undefined
      fresh?: boolean | undefined
      /** Of answers judged since the last call: how many were authentic, how many not, octets up and down of the latter. */
      judged?: readonly number[] | undefined
      /** False: no body at all, which differs from an empty one. */
      body: boolean
    }
    /** Raw: body. */
    result: { status: number; headers: readonly string[]; waitMs?: number | undefined; bodyMs?: number | undefined }
  }
}

export type CallName = keyof Calls

/** Type octet of each frame. */
export const FrameType = {
  endpoints: 1,
  joined: 2,
  forget: 3,
  permit: 4,
  contact: 5,
  finishContact: 6,
  rekey: 7,
  finishRekey: 8,
  exchange: 9,
  network: 10,
  offerList: 11,
  dialers: 13,
  ways: 14,
  tried: 15,
  openSocket: 17,
  sendMessage: 18,
  nextMessage: 19,
  closeSocket: 20,
  offerPeers: 21,
  password: 22,
  cancel: 16,
  result: 32,
  failure: 33,
  event: 34,
} as const

type Schemas<Part extends 'args' | 'result'> = { readonly [K in CallName]: v.GenericSchema<unknown, Calls[K][Part]> }

const bytes = v.instance(Uint8Array)
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const nothing = v.null()
/** People read it on a terminal. */
const peerName = v.pipe(v.string(), v.regex(/^\P{C}{1,64}$/u))
const named = v.pipe(v.string(), v.maxLength(PipeLimits.nameLength))

const endpointInfo: v.GenericSchema<unknown, EndpointInfo> = v.strictObject({
  id: v.string(),
  kind: v.picklist(ENDPOINT_KINDS),
  name: v.string(),
  host: v.string(),
  port: count,
  template: v.string(),
  expires: count,
  source: v.picklist(ENDPOINT_SOURCES),
  flow: v.exactOptional(
    v.strictObject({
      condition: v.picklist(['throttled', 'cut']),
      reason: v.string(),
      since: v.number(),
      leftMs: v.number(),
    }),
  ),
  root: v.exactOptional(bytes),
  peer: v.exactOptional(v.strictObject({ root: bytes, version: v.number() })),
})

const waysInfo: v.GenericSchema<unknown, WaysInfo> = v.strictObject({
  ipv6Only: v.boolean(),
  proxy: v.exactOptional(
    v.strictObject({
      kind: v.picklist(['http', 'https', 'socks5', 'tor']),
      host: v.string(),
      port: count,
      hasCredentials: v.boolean(),
    }),
  ),
  fronts: v.array(
    v.strictObject({
      endpoint: v.string(),
      host: v.string(),
      port: count,
      addresses: v.array(v.string()),
      asks: v.exactOptional(v.string()),
    }),
  ),
})

const family = v.picklist(['node', 'chromium', 'firefox'])

const dialerReport: v.GenericSchema<unknown, DialerReport> = v.strictObject({
  family,
  version: v.string(),
  os: v.string(),
  alpn: v.array(v.string()),
  knownLeaks: v.array(v.string()),
  writesAgent: v.exactOptional(v.boolean()),
  unfit: v.exactOptional(v.string()),
})

export const argsSchemas: Schemas<'args'> = Object.freeze({
  endpoints: nothing,
  network: nothing,
  dialers: nothing,
  joined: nothing,
  ways: nothing,
  password: nothing,
  forget: v.strictObject({ endpoint: v.string() }),
  permit: v.strictObject({ endpoint: v.string() }),
  contact: v.strictObject({ endpoint: v.string(), hello: bytes, binding: bytes, length: count, now: v.number() }),
  finishContact: v.strictObject({ ticket: count }),
  rekey: v.strictObject({ endpoint: v.string(), prologue: bytes }),
  finishRekey: v.strictObject({ ticket: count }),
  offerList: v.strictObject({ endpoint: v.string() }),
  offerPeers: v.pipe(v.array(v.strictObject({ name: peerName, offer: bytes })), v.maxLength(PolicyLimits.peers)),
  tried: v.strictObject({ call: named, origin: named }),
  exchange: v.strictObject({
    endpoint: v.string(),
    method: v.picklist(['GET', 'POST']),
    target: v.string(),
    headers: v.array(v.string()),
    timeoutMs: v.number(),
    family,
    first: v.optional(v.strictObject({ target: v.string(), headers: v.array(v.string()) })),
    connection: v.optional(v.string()),
    connections: v.optional(v.number()),
    fresh: v.optional(v.boolean()),
    judged: v.optional(v.strictTuple([count, count, count, count])),
    body: v.boolean(),
  }),
  ...socketArgs,
})

export const resultSchemas: Schemas<'result'> = Object.freeze({
  endpoints: v.array(endpointInfo),
  network: bytes,
  dialers: v.array(dialerReport),
  joined: v.array(endpointInfo),
  ways: waysInfo,
  password: v.strictObject({ isSet: v.boolean(), lock: v.exactOptional(bytes) }),
  forget: nothing,
  permit: endpointInfo,
  contact: v.strictObject({ ticket: count, token: bytes }),
  finishContact: v.nullable(v.strictObject({ root: bytes, reply: bytes })),
  rekey: v.strictObject({ ticket: count }),
  finishRekey: v.nullable(bytes),
  offerList: v.array(endpointInfo),
  offerPeers: v.array(endpointInfo),
  tried: nothing,
  exchange: v.strictObject({
    status: count,
    headers: v.array(v.string()),
    waitMs: v.optional(count),
    bodyMs: v.optional(count),
  }),
  ...socketResults,
})

export const failureSchema: v.GenericSchema<unknown, Failure> = v.strictObject({
  code: v.picklist(Object.keys(errorCodes) as ErrorCode[]),
  what: v.string(),
  kept: v.optional(v.string()),
  next: v.string(),
})

export const eventSchema: v.GenericSchema<unknown, FirewallEvent> = v.strictObject({
  at: v.number(),
  kind: v.picklist(EVENT_KINDS),
  endpoint: v.optional(v.string()),
  reason: v.optional(v.string()),
  call: v.optional(v.string()),
  origin: v.optional(v.string()),
  count: v.optional(v.number()),
})

/** undefined where the value has another shape. */
export function shaped<T>(schema: v.GenericSchema<unknown, T>, value: unknown): { readonly value: T } | undefined {
  const checked = v.safeParse(schema, value)
  return checked.success ? { value: checked.output } : undefined
}

/** Header fields as they stand in heads: names and values in turn. */
export function flat(headers: readonly (readonly [string, string])[]): string[] {
  return headers.flat()
}

/** Opposite of `flat`; a name without a value is left out. */
export function pairs(fields: readonly string[]): [string, string][] {
  const out: [string, string][] = []
  for (let i = 0; i + 1 < fields.length; i += 2) out.push([fields[i]!, fields[i + 1]!])
  return out
}

/** Without the fields that say nothing. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<T>
  >
}
