import test from 'ava'
import fc from 'fast-check'
import { hex } from '../bytes.ts'
import { Limits } from '../constants.ts'
import { PackLimits } from '../pack.ts'
import { BodyWriter, decodeBody, FrameType, PackStage } from './frames.ts'

test('what was written is read, and the rest is padding', (t) => {
  const writer = new BodyWriter(100)
  writer.acks([
    [3, 5],
    [9, 10],
  ])
  writer.numbers(FrameType.window, 4, 70_000)
  writer.numbers(FrameType.hold, 6_000)
  writer.stream(6, 1_000, 3, true, (target, at) => target.set([7, 8, 9], at))
  const { acks, frames } = decodeBody(writer.finish())!
  t.deepEqual(acks, [
    [3, 5],
    [9, 10],
  ])
  t.deepEqual(
    frames.map((frame) => (frame.kind === 'stream' ? { ...frame, data: hex(frame.data) } : frame)),
    [
      { kind: 'window', id: 4, max: 70_000 },
      { kind: 'hold', ms: 6_000 },
      { kind: 'stream', id: 6, offset: 1_000, end: true, data: '070809' },
    ],
  )
})

test('a stream frame fills exactly the room it was promised', (t) => {
  for (let length = 1; length < 200; length++) {
    const writer = new BodyWriter(length)
    writer.acks([])
    const room = writer.streamRoom(2, 100)
    if (room <= 0) continue
    writer.stream(2, 100, room, false, () => {})
    t.true(writer.room >= 0 && writer.room <= 1, `${length}: ${writer.room} left`)
    t.truthy(decodeBody(writer.finish()))
  }
})

test('any octets decode to a body or are refused, and never throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      decodeBody(bytes)
    }),
  )
  t.pass()
})

test('Limits.ackRanges', (t) => {
  const many = Array.from({ length: Limits.ackRanges + 5 }, (_, i) => [i * 2, i * 2 + 1] as const)
  const writer = new BodyWriter(1_000)
  t.is(writer.acks(many), Limits.ackRanges)
  const body = writer.finish()
  t.is(decodeBody(body)?.acks.length, Limits.ackRanges)
  body[0] = Limits.ackRanges + 1
  t.is(decodeBody(body), undefined)
})

test('unknown frames and cut frames are refused', (t) => {
  for (const bytes of [[], [0, 0x09], [0, FrameType.window, 1], [1, 0], [0, FrameType.stream, 2, 0, 5, 1, 2]]) {
    t.is(decodeBody(Uint8Array.from(bytes)), undefined)
  }
})

test('a pack pointer is read as it was written, and nothing else is one', (t) => {
  const hash = Uint8Array.from({ length: 32 }, (_, i) => i)
  const body = (write: (writer: BodyWriter) => void, length = 60): Uint8Array => {
    const writer = new BodyWriter(length)
    writer.acks([])
    write(writer)
    return writer.finish()
  }
  for (const pointer of [
    { stage: PackStage.current, ttl: 3_600, hash },
    { stage: PackStage.canary, ttl: 60, hash },
    { stage: PackStage.none, ttl: 3_600, hash: new Uint8Array(0) },
  ]) {
    const bytes = body((writer) => t.true(writer.pointer(9, pointer)))
    t.deepEqual(decodeBody(bytes)?.frames, [{ kind: 'packPointer', sequence: 9, pointer }])
  }
  const refused = [
    body((writer) => writer.numbers(FrameType.packPointer, 1, 3, 60)),
    body((writer) => writer.numbers(FrameType.packPointer, 1, 2, PackLimits.ttlSeconds[1] + 1)),
    body((writer) => writer.numbers(FrameType.packPointer, 1, 2, 60), 30),
  ]
  for (const bytes of refused) t.is(decodeBody(bytes), undefined)
  const tight = new BodyWriter(37)
  tight.acks([])
  t.false(tight.pointer(9, { stage: PackStage.current, ttl: 3_600, hash }))
  t.deepEqual(decodeBody(tight.finish())?.frames, [], 'what does not fit leaves nothing behind')
})
