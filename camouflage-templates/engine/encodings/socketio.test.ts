/** Packets on a WebSocket against the parsers of socket.io and engine.io themselves, and against anything. */
import { createRequire } from 'node:module'
import test from 'ava'
import fc from 'fast-check'
import { fastEqual } from '#protocol/bytes.ts'
import { numRuns, seeded } from '../../test-support.ts'
import {
  ATTACHMENTS,
  acknowledgementText,
  eventText,
  joinAttachments,
  readPacket,
  splitAttachments,
} from './socketio.ts'

interface Decoded {
  readonly type: number
  readonly id?: number
  readonly data: readonly unknown[]
}

const fromSocketIo = createRequire(createRequire(import.meta.url).resolve('socket.io'))
const { Decoder, Encoder } = fromSocketIo('socket.io-parser') as {
  Decoder: new () => { on(name: 'decoded', on: (packet: Decoded) => void): void; add(message: string | Buffer): void }
  Encoder: new () => { encode(packet: object): (string | Buffer)[] }
}
/** As the parser hands them on, binary or not. */
const [EVENT, ACK] = [2, 3]

/** What socket.io's own parser makes of it, the engine's `4` taken off. */
function decoded(text: string, attachments: readonly Uint8Array[]): Decoded | undefined {
  let found: Decoded | undefined
  const decoder = new Decoder()
  decoder.on('decoded', (packet) => {
    found = packet
  })
  decoder.add(text.slice(1))
  for (const each of attachments) decoder.add(Buffer.from(each))
  return found
}

test('socket.io reads what is written, with one to ten attachments', (t) => {
  const random = seeded(1)
  for (let count = 1; count <= ATTACHMENTS; count++) {
    const octets = random(count * 300 - 7)
    const parts = splitAttachments(octets, 300)
    t.is(parts.length, count)
    const event = decoded(eventText('sync', count, 41), parts)
    t.like(event, { type: EVENT, id: 41 })
    t.is(event?.data[0], 'sync')
    t.true(fastEqual(joinAttachments(event!.data.slice(1) as Uint8Array[], 300)!, octets))
    const answer = decoded(acknowledgementText(count, 7), parts)
    t.like(answer, { type: ACK, id: 7 })
    t.true(fastEqual(joinAttachments(answer!.data as Uint8Array[], 300)!, octets))
  }
})

test('what socket.io writes is read', (t) => {
  const written = (type: number, data: unknown[], id?: number): string => {
    const packet = { type, nsp: '/', data, ...(id === undefined ? {} : { id }) }
    return `4${String(new Encoder().encode(packet)[0])}`
  }
  const octets = Buffer.from([1, 2])
  t.deepEqual(readPacket(written(EVENT, ['sync', octets])), { kind: 'event', name: 'sync', attachments: 1 })
  t.deepEqual(readPacket(written(ACK, [octets, octets], 12)), { kind: 'acknowledged', id: 12, attachments: 2 })
  t.is(written(ACK, [octets, octets], 12), acknowledgementText(2, 12))
  t.is(written(EVENT, ['sync', octets], 3), eventText('sync', 1, 3))
  t.deepEqual(readPacket(written(2, ['here', 3])), { kind: 'other', attachments: 0 })
  t.deepEqual(readPacket(written(EVENT, ['photo', { of: octets }])), { kind: 'other', attachments: 1 })
  t.deepEqual(readPacket(`4${String(new Encoder().encode({ type: 0, nsp: '/', data: { sid: 'x' } })[0])}`), {
    kind: 'joined',
  })
})

test('the server’s own words, and what is none of them', (t) => {
  const open = '0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
  t.deepEqual(readPacket(open), { kind: 'open', pingInterval: 25_000, pingTimeout: 20_000 })
  t.deepEqual(readPacket('2'), { kind: 'ping' })
  for (const text of [
    ...[
      '',
      '1',
      '3',
      '4',
      '41',
      '44{"message":"no"}',
      '0',
      '0{',
      '0[]',
      '0null',
      '0{"pingInterval":1,"pingTimeout":1}',
    ],
    ...['0{"pingInterval":1e9,"pingTimeout":1e9}', '450-["a"]', '4511-["a"]', '459999999999-["a"]', '2probe', '6'],
  ])
    t.is(readPacket(text), undefined, text)
})

test('no text throws, and nothing announces more attachments than there may be', (t) => {
  const near = fc.tuple(fc.constantFrom('0', '2', '40', '42', '45', '46', '451-', '461-7', '4510-'), fc.string())
  const any = fc.oneof(
    fc.string(),
    near.map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(any, (text) => {
      const packet = readPacket(text)
      t.true(packet === undefined || !('attachments' in packet) || packet.attachments <= ATTACHMENTS)
    }),
    { numRuns: 250 * numRuns, seed: 2 },
  )
})

test('attachments of other lengths than are written are none of ours', (t) => {
  const octets = (length: number): Uint8Array => new Uint8Array(length)
  t.is(joinAttachments([], 300), undefined)
  t.is(joinAttachments([octets(0)], 300), undefined)
  t.is(joinAttachments([octets(301)], 300), undefined)
  t.is(joinAttachments([octets(299), octets(300)], 300), undefined)
  t.is(
    joinAttachments(
      Array.from({ length: ATTACHMENTS + 1 }, () => octets(300)),
      300,
    ),
    undefined,
  )
  t.is(joinAttachments([octets(300), octets(1)], 300)?.length, 301)
})
