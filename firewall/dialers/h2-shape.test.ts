import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import test from 'ava'
import { Shaper, shapedAs } from './h2-shape.ts'
import { Priorities } from './priorities.ts'
import { loadProfile } from './profile.ts'

const { http2: chromium } = loadProfile('chromium')
const { http2: firefox } = loadProfile('firefox')
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const own = frame(4, 0, 0, Buffer.alloc(24))
const window = frame(8, 0, 0, Buffer.from([0, 0xef, 0, 1]))
const headers = frame(1, 5, 1, Buffer.from('block'))
const data = frame(0, 1, 1, Buffer.from('body'))
const all = Buffer.concat([PREFACE, own, window, headers, data])

test('a connection begins with one piece, and each frame after it is one, however the octets come', (t) => {
  const priority = { dependsOn: 3, exclusive: true, weight: 219 }
  for (const step of [1, 7, all.length]) {
    const shaper = new Shaper(chromium, () => ({ priority, block: undefined }), true)
    const out: Buffer[] = []
    for (let at = 0; at < all.length; at += step) out.push(...shaper.take(all.subarray(at, at + step)))
    t.deepEqual(
      out.map((piece) => piece.length),
      [PREFACE.length + 33 + 13, headers.length + 5, data.length],
    )
    t.is(out[0]!.subarray(24 + 9, 24 + 9 + 24).toString('hex'), '000100010000000200000000000400600000000600040000')
    t.is(out[1]!.toString('hex'), frame(1, 0x25, 1, Buffer.from('80000003db626c6f636b', 'hex')).toString('hex'))
    t.deepEqual(out[2], data)
  }
})

const request = (stream: number): Buffer => frame(1, 4, stream, Buffer.from('block'))
const body = (stream: number): Buffer => frame(0, 1, stream, Buffer.from('body'))

function begun(): Shaper {
  const shaper = new Shaper(chromium, () => ({ priority: undefined, block: undefined }), true)
  shaper.take(Buffer.concat([PREFACE, own, window]))
  return shaper
}

test('HEADERS of a request with a body wait for its DATA, and nothing goes before them', (t) => {
  const shaper = begun()
  const ping = frame(6, 0, 0, Buffer.alloc(8))
  t.deepEqual(shaper.take(request(1)), [])
  t.true(shaper.keeps)
  t.deepEqual(shaper.take(ping), [])
  t.deepEqual(shaper.take(request(3)), [])
  t.deepEqual(shaper.take(body(3)), [])
  t.deepEqual(shaper.take(body(1)), [request(1), ping, request(3), body(3), body(1)])
  t.false(shaper.keeps)
  t.deepEqual(shaper.take(ping), [ping])
})

test('HEADERS do not wait for DATA that does not come', (t) => {
  const shaper = begun()
  shaper.take(request(1))
  t.deepEqual(shaper.release(), [request(1)])
  t.false(shaper.keeps)
  t.deepEqual(shaper.take(body(1)), [body(1)])
  shaper.take(request(3))
  const reset = frame(3, 0, 3, Buffer.alloc(4))
  t.deepEqual(shaper.take(reset), [request(3), reset])
})

test('what waits goes out all the same, and what comes behind it is written', async (t) => {
  const [near, far] = duplexPair()
  const stream = shapedAs(near, chromium, () => ({ priority: undefined, block: undefined }), true)
  let heard = Buffer.alloc(0)
  far.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk])
  })
  const first = Buffer.concat([PREFACE, own, window, request(1)])
  stream.write(first)
  while (heard.length < first.length) await once(far, 'data')
  stream.write(body(1))
  stream.end(request(3))
  await once(far, 'end')
  t.is(heard.subarray(-request(3).length).toString('hex'), request(3).toString('hex'), 'an end waits for nothing')
  t.true(heard.includes(Buffer.concat([request(1), body(1)])))
})

test('Firefox adds to the window of each stream, in the same piece', (t) => {
  const shaper = new Shaper(
    firefox,
    () => ({ priority: { dependsOn: 0, exclusive: false, weight: 21 }, block: undefined }),
    false,
  )
  const [, request] = shaper.take(all)
  t.is(request!.subarray(-13).toString('hex'), '0000040800000000010' + '0be0000')
  t.is(request!.subarray(9, 14).toString('hex'), '0000000015')
})

test('requests depend on the latest one under way that is as urgent or more', (t) => {
  const priorities = new Priorities('chromium')
  const add = (id: number, value?: string) => priorities.add({ id }, value === undefined ? [] : [['priority', value]])
  const endPage = add(1, 'u=0, i')
  t.deepEqual(priorities.of(1), { dependsOn: 0, exclusive: true, weight: 255 })
  add(3, 'u=0')
  const endScript = add(5)
  t.deepEqual(priorities.of(3), { dependsOn: 1, exclusive: true, weight: 255 })
  t.deepEqual(priorities.of(5), { dependsOn: 3, exclusive: true, weight: 146 })
  add(7, 'u=1, i')
  t.deepEqual(priorities.of(7), { dependsOn: 3, exclusive: true, weight: 219 }, 'not on what is less urgent')
  endPage()
  endScript()
  t.is(priorities.of(5), undefined)
  t.deepEqual(priorities.of(3), { dependsOn: 0, exclusive: true, weight: 255 })
})
