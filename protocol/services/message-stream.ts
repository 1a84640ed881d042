/**
 * Messages over a stream. Spec section 8.1.
 *
 *     length varint || MessagePack value (codec.ts)
 */
import { concat, empty } from '../bytes.ts'
import { Limits } from '../constants.ts'
import type { Stream } from '../session/stream.ts'
import { Reader, varintLength, writeVarint } from '../varint.ts'
import { decodeMessage, encodeMessage } from './codec.ts'

/** @throws RangeError where the message is over `Limits.messageBytes`: a mistake of the caller */
export function writeMessage(stream: Stream, message: unknown): void {
  const body = encodeMessage(message)
  if (body.length > Limits.messageBytes) throw new RangeError(`a message of ${body.length} octets is too long`)
  const head = new Uint8Array(varintLength(body.length))
  writeVarint(head, 0, body.length)
  stream.write(concat(head, body))
}

/**
 * Calls `onMessage` for every whole message, in order, and `onGarbage` at the first one that is none. Where `onMessage`
 * returns 'raw', reading ends: what follows on the stream, already here or not, goes to the stream's own `onData`.
 */
export function readMessages(
  stream: Stream,
  onMessage: (message: unknown) => 'raw' | void,
  onGarbage: () => void,
): void {
  let held: Uint8Array = empty
  stream.onData = (bytes) => {
    held = held.length === 0 ? bytes : concat(held, bytes)
    for (;;) {
      const next = cut(held)
      if (next === 'more') return
      if (next === 'bad') return onGarbage()
      stream.consume(held.length - next.rest.length)
      held = next.rest
      if (onMessage(next.message) === 'raw') break
    }
    if (held.length > 0) stream.onData?.(held)
  }
}

function cut(held: Uint8Array): { message: unknown; rest: Uint8Array } | 'more' | 'bad' {
  const reader = new Reader(held)
  const length = reader.varint()
  if (length === undefined) return held.length < 8 ? 'more' : 'bad'
  if (length > Limits.messageBytes) return 'bad'
  const body = reader.take(length)
  if (body === undefined) return 'more'
  const message = decodeMessage(body)
  return message === undefined ? 'bad' : { message, rest: held.subarray(reader.at) }
}
