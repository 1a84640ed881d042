/** From packets to requests: on real TLS over loopback, recorded on its way, and on packets made by hand. */
import { once } from 'node:events'
import { connect as connectHttp2, createSecureServer } from 'node:http2'
import { createServer as createHttp1 } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connect as tlsConnect } from 'node:tls'
import test from 'ava'
import { Agent, request as undiciRequest } from 'undici'
import { ja3Sorted, ja4 } from '#firewall/dialers/client-hello.ts'
import { makeCertificate } from '../../../scripts/bench/certificate.ts'
import { ja3, parseClientHello } from './client-hello.ts'
import { openRecords, readKeyLog } from './decrypt.ts'
import { readConversation } from './exchanges.ts'
import type { Connection, Packet } from './packets.ts'
import { flowOf, readConnections, TcpFlag } from './packets.ts'
import { recordsOf } from './records.ts'
import { helloOf } from './session.ts'

/** What passes through on one connection, as packets. */
async function recorded(port: number): Promise<{ port: number; connection: Connection; close: () => void }> {
  const connection: Connection = { clientPort: 1, serverPort: port, packets: [] }
  const next = { up: 1, down: 1 }
  const keep = (up: boolean, payload: Uint8Array): void => {
    const way = up ? 'up' : 'down'
    const seq = next[way]
    next[way] += payload.length
    const { length } = payload
    const packet: Packet = {
      ...{ at: performance.now(), up, payload, length, size: length + 40 },
      seq,
      ack: 0,
      flags: 16,
    }
    connection.packets.push(packet)
  }
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    near.on('data', (piece: Buffer) => {
      keep(true, new Uint8Array(piece))
      far.write(piece)
    })
    far.on('data', (piece: Buffer) => {
      keep(false, new Uint8Array(piece))
      near.write(piece)
    })
    near.on('error', () => {}).on('close', () => far.destroy())
    far.on('error', () => {}).on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, connection, close: () => server.close() }
}

async function look(connection: Connection, keys: readonly string[]) {
  const hello = helloOf(connection)!
  const records = openRecords(recordsOf(connection), hello, readKeyLog(keys.join('')))
  return { hello, records, conversation: await readConversation(records) }
}

test('requests and answers of HTTP/1.1 are read from records, one body in pieces', async (t) => {
  const made = await makeCertificate()
  const server = createHttp1({ cert: made.certificate, key: made.key }, (request, response) => {
    request.resume().on('end', () => {
      if (request.method === 'POST') {
        response.write('in ')
        response.end('pieces')
      } else response.setHeader('Content-Length', 5).end('whole')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const way = await recorded((server.address() as AddressInfo).port)
  const keys: string[] = []
  const connector = (_options: unknown, done: (error: null, socket: TLSSocket) => void): void => {
    const socket = tlsConnect({ port: way.port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false })
    socket.on('keylog', (line: Buffer) => keys.push(line.toString()))
    socket.once('secureConnect', () => done(null, socket))
  }
  const dispatcher = new Agent({ connect: connector as never, connections: 1, pipelining: 1, allowH2: false })
  for (const [method, path, body] of [
    ['GET', '/a?x=1', null],
    ['POST', '/b', 'hello'],
  ] as const) {
    const { body: answer } = await undiciRequest(`https://localhost${path}`, { method, body, dispatcher })
    await answer.text()
  }
  const { hello, records, conversation } = await look(way.connection, keys)
  await dispatcher.close()
  way.close()
  server.close()
  t.is(hello.serverName, 'localhost')
  t.true(records.every(({ type, inner }) => type !== 23 || inner !== undefined))
  t.is(conversation.protocol, 'h1')
  const [first, second] = conversation.exchanges
  t.like(first, { method: 'GET', target: '/a?x=1', answer: 5 })
  t.like(second, { method: 'POST', target: '/b', answer: 9 })
  t.is(Buffer.from(second!.body).toString(), 'hello')
  t.true(first!.answeredAt >= first!.saidAt && first!.up.length === 1)
})

test('requests of HTTP/2 are read with the start of the connection, names in the table too', async (t) => {
  const made = await makeCertificate()
  const server = createSecureServer({ cert: made.certificate, key: made.key }, (request, response) => {
    request.resume().on('end', () => response.end(Buffer.alloc(700)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const way = await recorded((server.address() as AddressInfo).port)
  const keys: string[] = []
  const socket = tlsConnect({
    ...{ port: way.port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['h2'] },
  })
  socket.on('keylog', (line: Buffer) => keys.push(line.toString()))
  await once(socket, 'secureConnect')
  const session = connectHttp2('https://localhost', {
    createConnection: () => socket,
    settings: { initialWindowSize: 6_291_456 },
  })
  for (const path of ['/a', '/b']) {
    const stream = session.request({ ':method': 'POST', ':path': path, 'x-long': 'the same each time' })
    stream.end('twelve chars')
    stream.resume()
    await once(stream, 'end')
  }
  const { conversation } = await look(way.connection, keys)
  session.destroy()
  way.close()
  server.close()
  t.is(conversation.protocol, 'h2')
  t.deepEqual(
    conversation.exchanges.map(({ method, target, answer, body }) => [method, target, answer, body.length]),
    [
      ['POST', '/a', 700, 12],
      ['POST', '/b', 700, 12],
    ],
  )
  t.deepEqual(conversation.exchanges[1]!.headers.at(-1), ['x-long', 'the same each time'])
  t.true(conversation.start!.settings.some(([id, value]) => id === 4 && value === 6_291_456))
  t.true(conversation.start!.records.length > 0)
})

test('without the keys nothing opens', async (t) => {
  const made = await makeCertificate()
  const server = createHttp1({ cert: made.certificate, key: made.key }, (_, response) => response.end()).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const way = await recorded((server.address() as AddressInfo).port)
  const socket = tlsConnect({ port: way.port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await once(socket, 'data')
  const { records, conversation } = await look(way.connection, [])
  socket.destroy()
  way.close()
  server.close()
  t.true(records.some(({ type }) => type === 23))
  t.true(records.every(({ inner }) => inner === undefined))
  t.is(conversation.protocol, 'unknown')
})

// ---- packets ------------------------------------------------------------------------------------------------------------

function packet(from: number, to: number, seq: number, flags: number, payload = ''): Buffer {
  const bytes = Buffer.alloc(40 + payload.length)
  bytes[0] = 0x45
  bytes.writeUInt16BE(bytes.length, 2)
  bytes[9] = 6
  bytes.writeUInt16BE(from, 20)
  bytes.writeUInt16BE(to, 22)
  bytes.writeUInt32BE(seq >>> 0, 24)
  bytes[32] = 0x50
  bytes[33] = flags
  bytes.write(payload, 40, 'latin1')
  return bytes
}

/** `times`: milliseconds of each; one after the other where nothing is said. */
function tape(packets: readonly Buffer[], times: readonly number[] = packets.map((_, i) => i)): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(0xa1b23c4d, 0)
  head.writeUInt32LE(101, 20)
  const parts = packets.map((bytes, i) => {
    const front = Buffer.alloc(16)
    front.writeUInt32LE(100, 0)
    front.writeUInt32LE(times[i]! * 1_000_000, 4)
    front.writeUInt32LE(bytes.length, 8)
    return Buffer.concat([front, bytes])
  })
  return Buffer.concat([head, ...parts])
}

test('connections are put together, in order, across the end of the numbers, without what came twice', (t) => {
  const start = 0xffff_fffe
  const [found, ...others] = readConnections(
    tape([
      packet(5000, 443, start - 1, TcpFlag.syn),
      packet(443, 5000, 9, TcpFlag.syn | TcpFlag.ack),
      packet(5000, 443, start + 3, TcpFlag.ack, 'def'),
      packet(5000, 443, start, TcpFlag.ack, 'abc'),
      packet(5000, 443, start, TcpFlag.ack, 'abc'),
      packet(443, 5000, 10, TcpFlag.ack, 'answer'),
      packet(6000, 443, 1, TcpFlag.ack, 'whose beginning was not kept'),
    ]),
  )
  t.is(others.length, 0)
  const [up, down] = [flowOf(found!, true), flowOf(found!, false)]
  t.is(Buffer.from(up.octets).toString(), 'abcdef')
  t.is(Buffer.from(down.octets).toString(), 'answer')
  t.is(up.arrived(0) - found!.packets[0]!.at, 3)
  // What came early is there once what was before it has come.
  t.is(up.arrived(5) - found!.packets[0]!.at, 3)
})

test('packets are in the order of their times: those of one direction may be on the tape before earlier ones of the other', (t) => {
  const packets = [
    packet(5000, 443, 0, TcpFlag.syn),
    packet(5000, 443, 1, TcpFlag.ack, 'abc'),
    packet(443, 5000, 9, TcpFlag.ack, 'before'),
  ]
  const [found] = readConnections(tape(packets, [0, 5, 3]))
  t.deepEqual(
    found!.packets.map(({ up }) => up),
    [true, false, true],
  )
})

test('what is missing in the middle ends what is read', (t) => {
  const [found] = readConnections(
    tape([
      packet(5000, 443, 0, TcpFlag.syn),
      packet(5000, 443, 1, TcpFlag.ack, 'abc'),
      packet(5000, 443, 9, TcpFlag.ack, 'later'),
    ]),
  )
  t.is(Buffer.from(flowOf(found!, true).octets).toString(), 'abc')
  t.throws(() => readConnections(Buffer.from('no tape at all, but long enough for one')), { instanceOf: RangeError })
})

// ---- greetings ----------------------------------------------------------------------------------------------------------

const u16 = (value: number): number[] => [value >> 8, value & 255]
const with16 = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes]
const extension = (type: number, bytes: readonly number[]): number[] => [...u16(type), ...with16(bytes)]

function greeting(ciphers: readonly number[], extensions: readonly (readonly number[])[]): Uint8Array {
  const body = [
    ...[3, 3, ...Array.from({ length: 32 }, () => 7), 0, ...with16(ciphers.flatMap(u16)), 1, 0],
    ...with16(extensions.flat()),
  ]
  return Uint8Array.from([1, 0, ...u16(body.length), ...body])
}

/** Example of the specification of JA4: cipher suites, extensions and signatures of its own walk-through. */
const example = greeting(
  [
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
    0x0035,
  ],
  [
    extension(0x001b, [2, 0, 2]),
    extension(0x0000, [0, 4, 0, 0, 1, 0x61]),
    extension(0x0033, []),
    extension(0x0010, with16([2, 0x68, 0x32])),
    ...[0x4469, 0x0017].map((type) => extension(type, [])),
    extension(0x002d, []),
    extension(0x000d, with16([0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601].flatMap(u16))),
    extension(0x0005, []),
    extension(0x0023, []),
    extension(0x0012, []),
    extension(0x002b, [2, 3, 4]),
    extension(0xff01, []),
    extension(0x000b, [1, 0]),
    extension(0x000a, with16([0, 29])),
    extension(0x0015, []),
  ],
)

test('JA4 is that of its specification’s example', (t) => {
  t.is(ja4(parseClientHello(example)!), 't13d1516h2_8daaf6152771_e5627efa2ab1')
})

test('GREASE changes neither JA3 nor JA4', (t) => {
  const signatures = (...values: readonly number[]): number[] => extension(0x000d, with16(values.flatMap(u16)))
  const plain = parseClientHello(greeting([0x1301], [signatures(0x0403)]))!
  const greased = parseClientHello(greeting([0x2a2a, 0x1301], [extension(0x3a3a, []), signatures(0x4a4a, 0x0403)]))!
  t.is(ja4(greased), ja4(plain))
  t.is(ja3(greased), ja3(plain))
})

test('another order of extensions is another JA3, the same sorted one, and the same JA4', (t) => {
  const [one, other] = [
    [5, 23],
    [23, 5],
  ].map(
    (types) =>
      parseClientHello(
        greeting(
          [0x1301],
          types.map((type) => extension(type, [])),
        ),
      )!,
  )
  t.not(ja3(one!), ja3(other!))
  t.is(ja3Sorted(one!), ja3Sorted(other!))
  t.is(ja4(one!), ja4(other!))
})

test('a greeting that is cut short is none', (t) => {
  for (const end of [0, 10, 50, example.length - 1]) t.is(parseClientHello(example.subarray(0, end)), undefined)
})
