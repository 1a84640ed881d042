/**
 * The inner envelope: what a person says, with what orders it and finds repeats.
 *
 *     envelope = version 1 || id 16 || chat 16 || time 8 || counter 8 || previous 16 || check 8
 *             || type 1 || length 2 || body || zeros up to the class
 *     hash     = SHA-256(envelope without zeros)[0..16)
 *     check    = SHA-256("sotto/1/check" || envelope without check and zeros)[0..8)
 *     chat     = SHA-256("sotto/1/chat" || lower uid || higher uid)[0..16)
 *
 * `counter` and `previous` make one series of what a person sends to another: `previous` is the hash of the envelope with
 * the counter before, or zeros where a series begins. A series begins at the time it begins, so that a later one is
 * always above an earlier one. Receipts stand outside: counter 0, previous 0.
 */
import { concat, constantTimeEqual, type Millis, u16, u64, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { Reader } from './reader.ts'

export const ENVELOPE_VERSION = 1
export const MESSAGE_ID_LENGTH = 16
export const HASH_LENGTH = 16
const CHECK_LENGTH = 8
/** Of a series' first envelope, and of what stands outside. */
export const NO_HASH: Uint8Array = new Uint8Array(HASH_LENGTH)

export const MessageType = {
  text: 1,
  receipt: 2,
  hello: 3,
  resend: 4,
  said: 5,
  edit: 6,
  withdraw: 7,
  reaction: 8,
  timer: 9,
  file: 10,
  avatar: 11,
  node: 16,
  proof: 20,
} as const
export type MessageType = (typeof MessageType)[keyof typeof MessageType]

const types: ReadonlySet<number> = new Set(Object.values(MessageType))

/** True for what stands in the history as something said. */
export const isText = (type: MessageType): boolean =>
  type === MessageType.text || type === MessageType.said || type === MessageType.file

export interface Envelope {
  readonly id: Uint8Array
  readonly chat: Uint8Array
  /** The sender's clock. */
  readonly time: Millis
  readonly counter: number
  readonly previous: Uint8Array
  readonly type: MessageType
  readonly body: Uint8Array
}

/** Of two people, the same for both. */
export function chatId(a: Uint8Array, b: Uint8Array): Uint8Array {
  const [lower, higher] = Buffer.compare(a, b) < 0 ? [a, b] : [b, a]
  return sha256(utf8('sotto/1/chat'), lower, higher).slice(0, 16)
}

export function envelopeHash(encoded: Uint8Array): Uint8Array {
  return sha256(encoded).slice(0, HASH_LENGTH)
}

/** Without padding. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { id, chat, time, counter, previous, type, body } = envelope
  const before = concat(Uint8Array.of(ENVELOPE_VERSION), id, chat, u64(time), u64(counter), previous)
  const after = concat(Uint8Array.of(type), u16(body.length), body)
  return concat(before, checkOf(before, after), after)
}

function checkOf(before: Uint8Array, after: Uint8Array): Uint8Array {
  return sha256(utf8('sotto/1/check'), before, after).slice(0, CHECK_LENGTH)
}

export function pad(encoded: Uint8Array, length: number): Uint8Array {
  const padded = new Uint8Array(length)
  padded.set(encoded)
  return padded
}

/** undefined where anything is not exactly as `encodeEnvelope` and `pad` make it. */
export function decodeEnvelope(padded: Uint8Array): { envelope: Envelope; hash: Uint8Array } | undefined {
  const reader = new Reader(padded)
  const version = reader.u8()
  const [id, chat] = [reader.take(MESSAGE_ID_LENGTH), reader.take(16)]
  const [time, counter, previous] = [reader.u64(), reader.u64(), reader.take(HASH_LENGTH)]
  const check = reader.take(CHECK_LENGTH)
  const type = reader.u8() as MessageType
  const body = reader.take(reader.u16())
  if (!reader.endInZeros() || version !== ENVELOPE_VERSION || !types.has(type)) return undefined
  if (Number.isNaN(time) || Number.isNaN(counter)) return undefined
  if ((counter === 0) !== (type === MessageType.receipt)) return undefined
  const envelope = { id, chat, time, counter, previous, type, body }
  const encoded = encodeEnvelope(envelope)
  const checkAt = 1 + MESSAGE_ID_LENGTH + 16 + 8 + 8 + HASH_LENGTH
  if (!constantTimeEqual(encoded.subarray(checkAt, checkAt + CHECK_LENGTH), check)) return undefined
  return { envelope, hash: envelopeHash(encoded) }
}
