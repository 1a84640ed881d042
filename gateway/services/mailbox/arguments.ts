/** What callers may say. Anything else is refused as `invalid`, without detail. */
import * as v from 'valibot'
import { octets, type Parser, parser } from '../arguments.ts'
import { MailboxLimits } from './limits.ts'

/** Where messages of a queue wait: nowhere, in memory, on disk. */
export type Policy = 'none' | 'ram' | 'disk'
/** In ascending order of what the gateway keeps. */
export const policies: readonly Policy[] = ['none', 'ram', 'disk']

/** A queue as its recipient names it. */
export interface RecipientArguments {
  /** 24 octets. */
  readonly rid: Uint8Array
  /** 32 octets. */
  readonly rauth: Uint8Array
}

export interface CreateArguments extends RecipientArguments {
  /** 24 octets, for the sender. */
  readonly sid: Uint8Array
  /** 32 octets. */
  readonly sauth: Uint8Array
  /** 32 octets: key of what the recipient gets. */
  readonly seal: Uint8Array
  /** Missing: what the gateway gives by itself. */
  readonly policy?: Policy | undefined
  /** Seconds. */
  readonly ttl: number
  /** Who writes is not told whether anybody reads. */
  readonly quiet: boolean
}

export interface PutArguments {
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
  /** 16 octets. */
  readonly id: Uint8Array
  readonly body: Uint8Array
  readonly noStore: boolean
}

export interface SubscribeArguments {
  readonly queues: readonly RecipientArguments[]
}

export interface AckArguments extends RecipientArguments {
  readonly ids: readonly Uint8Array[]
}

const body = octets(1, MailboxLimits.bodyBytes)
const ttl = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MailboxLimits.ttlSeconds))
const recipient = { rid: octets(24), rauth: octets(32) }
const sender = { sid: octets(24), sauth: octets(32) }

export const parseCreate: Parser<CreateArguments> = parser(
  v.strictObject({
    ...{ ...recipient, ...sender, seal: octets(32) },
    ...{ policy: v.optional(v.picklist(policies)), ttl, quiet: v.optional(v.boolean(), false) },
  }),
)

export const parsePut: Parser<PutArguments> = parser(
  v.strictObject({ ...sender, id: octets(16), body, noStore: v.optional(v.boolean(), false) }),
)

export const parseSubscribe: Parser<SubscribeArguments> = parser(
  v.strictObject({
    queues: v.pipe(
      v.array(v.strictObject(recipient)),
      v.minLength(1),
      v.maxLength(MailboxLimits.queuesPerSubscription),
    ),
  }),
)

export const parseAck: Parser<AckArguments> = parser(
  v.strictObject({
    ...recipient,
    ids: v.pipe(v.array(octets(16)), v.minLength(1), v.maxLength(MailboxLimits.idsPerAck)),
  }),
)

export const parseDelete: Parser<RecipientArguments> = parser(v.strictObject(recipient))
