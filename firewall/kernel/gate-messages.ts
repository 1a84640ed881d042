/** What the bound broker asks the gate, and what the gate answers, over Node's channel between parent and child. */
import * as v from 'valibot'

const id = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
/** Longer than any name of the DNS (RFC 1035 section 2.3.4) and any address. */
const name = v.pipe(v.string(), v.maxLength(255))

export type Question =
  | { readonly id: number; readonly ask: 'begin' }
  | { readonly id: number; readonly ask: 'facts' }
  | { readonly id: number; readonly ask: 'resolve'; readonly host: string }
  | { readonly id: number; readonly ask: 'connect'; readonly address: string; readonly port: number }

export const questionSchema: v.GenericSchema<unknown, Question> = v.variant('ask', [
  v.strictObject({ id, ask: v.literal('begin') }),
  v.strictObject({ id, ask: v.literal('facts') }),
  v.strictObject({ id, ask: v.literal('resolve'), host: name }),
  v.strictObject({
    ...{ id, ask: v.literal('connect'), address: name },
    port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
  }),
])
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never
export type Ask = WithoutId<Question>

/** What a broker gets to begin with: the invite of a `join`, and what the password of the folder opened, if the gate has read them. */
export interface Beginning {
  readonly link?: string
  /** `Unlocked`, the secret as base64url. */
  readonly unlocked?: { readonly secret: string; readonly isSet: boolean }
}

/** `code`: the system's, where it failed. A `connect` that went well comes with the socket. */
export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly code: string }

export const GateLimits = {
  /** Questions not yet answered, by count. Attack: memory and sockets. As many as exchanges can be under way. */
  questions: 128,
  /** Connections through the gate at a time, by count. Attack: descriptors. Eight to each of sixteen machines. */
  connections: 128,
  /** Addresses that the resolver has given for one name, by count; the oldest go. Attack: a resolver that names others for ever. */
  learned: 32,
  /** Time to connect, milliseconds; dialers give up earlier. Attack: parked attempts. */
  connectMs: 30_000,
} as const
