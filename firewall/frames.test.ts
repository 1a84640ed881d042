import test from 'ava'
import fc from 'fast-check'
import { concat, u32 } from '#protocol/bytes.ts'
import type { Frame } from './frames.ts'
import { encodeFrame, FrameDecoder } from './frames.ts'
import { PipeLimits } from './limits.ts'

const plain = ({ type, id, head, raw }: Frame) => ({ type, id, head: [...head], raw: [...raw] })
const encode = ({ type, id, head, raw }: Frame) => concat(encodeFrame(type, id, head, raw.length), raw)

function decode(chunks: readonly Uint8Array[]): { frames: Frame[]; ok: boolean; atBoundary: boolean } {
  const frames: Frame[] = []
  const decoder = new FrameDecoder((frame) => frames.push(frame))
  const ok = chunks.every((chunk) => decoder.push(chunk))
  return { frames, ok, atBoundary: decoder.atBoundary }
}

const frame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  id: fc.integer({ min: 0, max: 0xffffffff }),
  head: fc.uint8Array({ maxLength: 40 }),
  raw: fc.uint8Array({ maxLength: 400 }),
})

const cuts = fc.array(fc.nat({ max: 2_000 }), { maxLength: 12 })

test('frames survive any way of cutting the stream', (t) => {
  const runs = fc.property(fc.array(frame, { maxLength: 8 }), cuts, (frames, at) => {
    const stream = concat(...frames.map(encode))
    const edges = [0, ...at.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length]
    const chunks = edges.slice(1).map((end, i) => stream.subarray(edges[i], end))
    const bytewise = [...stream].map((byte) => Uint8Array.of(byte))
    for (const pieces of [chunks, bytewise, [stream]]) {
      const result = decode(pieces)
      t.true(result.ok && result.atBoundary)
      t.deepEqual(result.frames.map(plain), frames.map(plain))
    }
  })
  fc.assert(runs, { numRuns: process.env.SOTTO_LONG ? 5_000 : 150 })
})

test('a frame that lies in one chunk is a view of it', (t) => {
  const stream = encode({ type: 1, id: 2, head: Uint8Array.of(3), raw: Uint8Array.of(4, 5) })
  t.is(decode([stream]).frames[0]!.raw.buffer, stream.buffer)
})

test('octets come out as Uint8Array, never as Buffer', (t) => {
  const stream = Buffer.from(encode({ type: 1, id: 2, head: Uint8Array.of(3), raw: Uint8Array.of(4, 5) }))
  for (const chunks of [[stream], [stream.subarray(0, 9), stream.subarray(9)]]) {
    t.false(decode(chunks).frames[0]!.raw instanceof Buffer)
  }
})

test('a cut frame is not at the boundary', (t) => {
  const stream = encode({ type: 1, id: 2, head: Uint8Array.of(3), raw: Uint8Array.of(4, 5) })
  for (let end = 1; end < stream.length; end++) t.false(decode([stream.subarray(0, end)]).atBoundary, `cut at ${end}`)
})

const rest = (headLength: number): Uint8Array => concat(Uint8Array.of(1), u32(7), u32(headLength))

const refused: Record<string, Uint8Array> = {
  'shorter than its fixed part': u32(8),
  'longer than PipeLimits.frameBytes, judged by the length alone': u32(PipeLimits.frameBytes + 1),
  'the longest length there is': u32(0xffffffff),
  'a head longer than the frame': concat(u32(10), rest(2), Uint8Array.of(0)),
  'a head longer than PipeLimits.headBytes': concat(
    u32(9 + PipeLimits.headBytes + 1),
    rest(PipeLimits.headBytes + 1),
    new Uint8Array(PipeLimits.headBytes + 1),
  ),
}
for (const [name, stream] of Object.entries(refused)) {
  test(`refused: ${name}`, (t) => {
    t.false(decode([stream]).ok)
    t.deepEqual(decode([...stream].map((byte) => Uint8Array.of(byte))).frames, [])
  })
}

test('PipeLimits.frameBytes: the largest frame passes, one octet more is not even written', (t) => {
  const raw = new Uint8Array(PipeLimits.frameBytes - 9)
  const stream = concat(encodeFrame(1, 1, new Uint8Array(0), raw.length), raw)
  const { ok, frames } = decode([stream.subarray(0, 100_000), stream.subarray(100_000)])
  t.true(ok)
  t.is(frames[0]!.raw.length, raw.length)
  t.throws(() => encodeFrame(1, 1, new Uint8Array(0), raw.length + 1), { instanceOf: RangeError })
})

test('PipeLimits.headBytes holds for what we write', (t) => {
  t.notThrows(() => encodeFrame(1, 1, new Uint8Array(PipeLimits.headBytes), 0))
  t.throws(() => encodeFrame(1, 1, new Uint8Array(PipeLimits.headBytes + 1), 0), { instanceOf: RangeError })
})
