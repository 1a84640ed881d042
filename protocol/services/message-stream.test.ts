import test from 'ava'
import { CloseCode } from '../session/frames.ts'
import { Multiplexer } from '../session/multiplexer.ts'
import type { Stream } from '../session/stream.ts'
import { Priority } from '../session/stream.ts'
import { encodeMessage } from './codec.ts'
import { readMessages, writeMessage } from './message-stream.ts'

interface Pair {
  readonly sender: Multiplexer
  readonly receiver: Multiplexer
  /** Carries what is due, in parcels of `length` octets. */
  carry(length: number): void
}

function pair(onStream: (stream: Stream) => void): Pair {
  const sender = new Multiplexer('client', {})
  const receiver = new Multiplexer('gateway', { stream: onStream })
  sender.ready = true
  receiver.ready = true
  let number = 0
  const carry = (length: number): void => {
    while (sender.pending(1) > 0) {
      receiver.accept(++number, sender.build(number, length, true), true)
      sender.acknowledge(number)
      sender.accept(number, receiver.build(number, 4_096, true), true)
      receiver.acknowledge(number)
    }
  }
  return { sender, receiver, carry }
}

/** A message of `length` octets, as it stands on a stream. */
function framed(length: number): Uint8Array {
  const pieces: Uint8Array[] = []
  writeMessage({ write: (bytes: Uint8Array) => pieces.push(bytes) } as unknown as Stream, new Uint8Array(length))
  return pieces[0]!
}

test('messages come out whole, however they are cut', (t) => {
  const messages = [1, 'two', { three: [3] }, new Uint8Array(300), 'x'.repeat(20_000)]
  for (const length of [24, 96, 768, 40_000]) {
    const read: unknown[] = []
    const { sender, carry } = pair((stream) => readMessages(stream, (message) => void read.push(message), t.fail))
    const stream = sender.open(Priority.normal)
    for (const message of messages) writeMessage(stream, message)
    carry(length)
    t.deepEqual(read.map(encodeMessage), messages.map(encodeMessage))
  }
})

test('a message that comes octet by octet is not copied again for each', (t) => {
  const stream = { consume: () => {}, onData: undefined as ((bytes: Uint8Array) => void) | undefined }
  let read = 0
  readMessages(stream as unknown as Stream, () => void read++, t.fail)
  const bytes = framed(60_000)
  const { set } = Uint8Array.prototype
  let copied = 0
  Uint8Array.prototype.set = function (source, at) {
    copied += source.length
    set.call(this, source, at)
  }
  try {
    for (let at = 0; at < bytes.length; at++) stream.onData?.(bytes.subarray(at, at + 1))
  } finally {
    Uint8Array.prototype.set = set
  }
  t.is(read, 1)
  t.true(copied < 4 * bytes.length, `${copied} octets copied for ${bytes.length}`)
})

test('the beginning of a message does not keep its parcel in memory', (t) => {
  const stream = { consume: () => {}, onData: undefined as ((bytes: Uint8Array) => void) | undefined }
  readMessages(stream as unknown as Stream, () => t.fail(), t.fail)
  const parcel = new Uint8Array(262_144)
  parcel.set(framed(60_000).subarray(0, 5), 100)
  const slice = Uint8Array.prototype.slice
  let kept = 0
  Uint8Array.prototype.slice = function (...range) {
    kept++
    return slice.apply(this, range)
  }
  try {
    stream.onData?.(parcel.subarray(100, 105))
  } finally {
    Uint8Array.prototype.slice = slice
  }
  t.is(kept, 1)
})

test('streams cut in the middle of a message give back the credit of what was never consumed', (t) => {
  let read = 0
  const { sender, receiver, carry } = pair((stream) => readMessages(stream, () => void read++, t.fail))
  const begun = framed(60_000).subarray(0, 50_000)
  for (let i = 0; i < 200; i++) {
    const stream = sender.open(Priority.normal)
    stream.write(begun)
    carry(200_000)
    stream.reset(CloseCode.cancelled)
    carry(200_000)
  }
  writeMessage(sender.open(Priority.normal), 'still')
  carry(200_000)
  t.is(read, 1)
  t.is(receiver.streamCount, 2)
})
