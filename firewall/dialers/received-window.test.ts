import test from 'ava'
import { Shaper } from './h2-shape.ts'
import { loadProfile } from './profile.ts'
import { ReceivedWindow } from './received-window.ts'

test('the window is given back after half of it, or after five seconds with the next that is read', (t) => {
  const window = new ReceivedWindow(1_000, 0)
  t.is(window.read(300, 100), 0)
  t.is(window.read(200, 200), 0)
  t.is(window.read(1, 300), 501)
  t.is(window.read(10, 5_299), 0)
  t.is(window.read(0, 5_300), 10)
  t.is(window.read(0, 99_000), 0)
})

test('whatever is read is given back once, and all of it', (t) => {
  const window = new ReceivedWindow(15_728_640, 0)
  const total = Array.from({ length: 500 }, (_, i) => window.read(100_000, i * 200)).reduce(
    (sum, each) => sum + each,
    0,
  )
  t.true(total > 47_000_000 && total <= 50_000_000)
})

const frame = (kind: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = kind
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

test('what Node gives back of a connection’s window is kept to itself, what it gives of a stream’s is not', (t) => {
  const http2 = { ...loadProfile('chromium').http2, settings: [[0, 0]] as const }
  const shaper = new Shaper(http2, () => undefined, true)
  const update = (stream: number): Buffer => frame(8, stream, Buffer.from([0, 0, 1, 0]))
  const opening = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(4, 0, Buffer.alloc(6)),
    update(0),
  ])
  t.deepEqual(shaper.take(opening), [opening])
  t.deepEqual(shaper.take(update(0)), [])
  t.deepEqual(shaper.take(update(3)), [update(3)])
  const plain = new Shaper(http2, () => undefined, false)
  plain.take(opening)
  t.deepEqual(plain.take(update(0)), [update(0)])
})
