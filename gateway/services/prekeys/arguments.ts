/** What callers may say. Anything else is refused as `invalid`, without detail. */
import * as v from 'valibot'
import { octets, type Parser, parser } from '../arguments.ts'
import type { RecipientArguments } from '../mailbox/arguments.ts'
import { PrekeyLimits } from './limits.ts'

/** A one-time key; what it says is between the two people. */
export interface NumberedKey {
  /** Ascending over everything that was ever published on a shelf. */
  readonly id: number
  readonly key: Uint8Array
}

export interface PublishArguments extends RecipientArguments {
  /** What everybody gets. */
  readonly head: Uint8Array
  readonly dh: readonly NumberedKey[]
  readonly kem: readonly NumberedKey[]
  /** One-time keys that are there are thrown away first. */
  readonly clear: boolean
}

export interface FetchArguments {
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
  /** 16 octets: names the question, so that it may be repeated. */
  readonly request: Uint8Array
}

const id = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xffffffff))
const numbered = (bytes: number, most: number): v.GenericSchema<unknown, NumberedKey[]> =>
  v.pipe(
    v.array(v.strictObject({ id, key: octets(1, bytes) })),
    v.maxLength(most),
    v.check((keys) => keys.every((key, i) => i === 0 || key.id > keys[i - 1]!.id)),
  )
const recipient = { rid: octets(24), rauth: octets(32) }

export const parsePublish: Parser<PublishArguments> = parser(
  v.strictObject({
    ...recipient,
    head: octets(1, PrekeyLimits.headBytes),
    dh: numbered(PrekeyLimits.dhBytes, PrekeyLimits.dhPerShelf),
    kem: numbered(PrekeyLimits.kemBytes, PrekeyLimits.kemPerShelf),
    clear: v.boolean(),
  }),
)
export const parseStock: Parser<RecipientArguments> = parser(v.strictObject(recipient))
export const parseFetch: Parser<FetchArguments> = parser(
  v.strictObject({ sid: octets(24), sauth: octets(32), request: octets(16) }),
)
