import test from 'ava'
import { Shaper } from './h2-shape.ts'
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
