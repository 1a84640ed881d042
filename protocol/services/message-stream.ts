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

/** @throws as `frameMessage` */
export function writeMessage(stream: Stream, message: unknown): void {
  stream.write(frameMessage(message))
}

/** @throws RangeError where the message is over `Limits.messageBytes`: a mistake of the caller */
export function frameMessage(message: unknown): Uint8Array {
  const body = encodeMessage(message)
  if (body.length > Limits.messageBytes) throw new RangeError(`a message of ${body.length} octets is too long`)
  const head = new Uint8Array(varintLength(body.length))
  writeVarint(head, 0, body.length)
  return concat(head, body)
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
  const held = new Held()
  stream.onData = (bytes) => {
    let rest = held.with(bytes)
    while (rest.length >= held.need) {
      const next = cut(rest)
      if (next === 'bad') return onGarbage()
      if (typeof next === 'number') {
        held.need = next
        break
      }
      held.need = 1
      stream.consume(rest.length - next.rest.length)
      rest = next.rest
      if (onMessage(next.message) === 'raw') {
        if (rest.length > 0) stream.onData?.(rest.slice())
        return
      }
    }
    held.keep(rest)
  }
}

/**
 * The beginning of a message. Copied, so that it keeps no parcel in memory; in a buffer that doubles, so that a message
 * that comes octet by octet costs no more than its length.
 */
class Held {
  /** Octets that make it worth looking again. */
  need = 1
  private buffer: Uint8Array = empty
  private length = 0

  /** What is held, and `bytes` behind it. */
  with(bytes: Uint8Array): Uint8Array {
    if (this.length === 0) return bytes
    const length = this.length + bytes.length
    if (length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.buffer.length))
      larger.set(this.buffer.subarray(0, this.length))
      this.buffer = larger
    }
    this.buffer.set(bytes, this.length)
    this.length = length
    return this.buffer.subarray(0, length)
  }

  keep(rest: Uint8Array): void {
    if (this.length > 0 && rest.length === this.length) return
    this.buffer = rest.length === 0 ? empty : rest.slice()
    this.length = rest.length
  }
}

/** The first message; or how many octets it takes to go on. */
function cut(held: Uint8Array): { message: unknown; rest: Uint8Array } | number | 'bad' {
  const reader = new Reader(held)
  const length = reader.varint()
  if (length === undefined) return held.length < 8 ? held.length + 1 : 'bad'
  if (length > Limits.messageBytes) return 'bad'
  const body = reader.take(length)
  if (body === undefined) return reader.at + length
  const message = decodeMessage(body)
  return message === undefined ? 'bad' : { message, rest: held.subarray(reader.at) }
}
