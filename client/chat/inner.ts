/**
 * What is in the box: a ratchet message, which session it belongs to, and until that session is answered how it starts.
 *
 *     inner = kind 1 || session 8 || [start] || ratchet message         kind 1: without a start, kind 2: with it
 *     inner = kind 1 || message of presence 543                         kind 3: in no session (protocol/presence)
 */
import { concat } from '#protocol/bytes.ts'
import { INNER_LENGTHS, PREFIX_LENGTH } from './sizes.ts'
import { decodeStart, type StartHeader } from './start.ts'

const PLAIN = 1
const WITH_START = 2
const PRESENCE = 3

/** Octets of a message of presence: it fills the smallest class, and no other. */
export const PRESENCE_LENGTH: number = INNER_LENGTHS[0]! - 1

export const presenceInner = (message: Uint8Array): Uint8Array => concat(Uint8Array.of(PRESENCE), message)
export const presenceOf = (inner: Uint8Array): Uint8Array => inner.subarray(1)

export function isPresence(inner: Uint8Array): boolean {
  return inner[0] === PRESENCE && inner.length === PRESENCE_LENGTH + 1
}

export interface Inner {
  readonly session: Uint8Array
  readonly start: StartHeader | undefined
  readonly message: Uint8Array
}

/** `start` as encoded; undefined once the session is answered. */
export function encodeInner(session: Uint8Array, start: Uint8Array | undefined, message: Uint8Array): Uint8Array {
  if (start === undefined) return concat(Uint8Array.of(PLAIN), session, message)
  return concat(Uint8Array.of(WITH_START), session, start, message)
}

/** undefined where it is malformed, or the documents in its start are not sound. */
export function decodeInner(inner: Uint8Array): Inner | undefined {
  const kind = inner[0]
  const session = inner.slice(1, PREFIX_LENGTH)
  const rest = inner.subarray(PREFIX_LENGTH)
  if (kind === PLAIN) return { session, start: undefined, message: rest }
  const start = kind === WITH_START ? decodeStart(rest) : undefined
  return start && { session, start: start.header, message: rest.subarray(start.length) }
}
