/** Visitors that leave when they like; what one shows who stays. */
import { type EventEmitter, once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import test from 'ava'
import { RECORDED_HOST, startRecorder } from './recorder.ts'

type Protocol = 'h2' | 'http/1.1'
const protocols: readonly Protocol[] = ['h2', 'http/1.1']
type Leave = 'end' | 'destroy'
const leaves: readonly Leave[] = ['end', 'destroy']
/** When a visitor leaves: having asked, or with so many pieces of the answer. */
const moments = [0, 1, 2, 3] as const

const open = (port: number, protocol: Protocol): TLSSocket =>
  connect({ port, host: '127.0.0.1', servername: RECORDED_HOST, rejectUnauthorized: false, ALPNProtocols: [protocol] })

/** Returns what emits the answer, piece by piece. */
function ask(socket: TLSSocket, protocol: Protocol, path: string): EventEmitter {
  if (protocol === 'http/1.1') {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${RECORDED_HOST}\r\nX-One: 1\r\n\r\n`)
    return socket
  }
  const session = connectHttp2(`https://${RECORDED_HOST}`, { createConnection: () => socket })
  session.on('error', () => {})
  return session.request({ ':path': path, 'x-one': '1' }).on('error', () => {})
}

async function visit(port: number, protocol: Protocol, path: string, moment: number, leave: Leave): Promise<void> {
  const socket = open(port, protocol)
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  const answer = ask(socket, protocol, path)
  for (let piece = 0; piece < moment; piece++) await once(answer, 'data')
  socket[leave]()
  await new Promise(setImmediate)
  socket.destroy()
}

test('whoever leaves whenever, in whatever way, ends nothing but the own connection', async (t) => {
  const recorder = await startRecorder((path) => ({
    ...{ type: 'text/html', body: 'x'.repeat(200_000) },
    closes: path === '/closes',
  }))
  t.teardown(() => recorder.close())
  const ways = protocols.flatMap((protocol) =>
    (['/closes', '/stays'] as const).flatMap((path) =>
      moments.flatMap((moment) => leaves.map((leave) => [protocol, path, moment, leave] as const)),
    ),
  )
  for (let round = 0; round < 5; round++) await Promise.all(ways.map((way) => visit(recorder.port, ...way)))
  t.is(recorder.seen.length, 5 * ways.length)
})

for (const protocol of protocols) {
  test(`${protocol}: greeting, records, frames and header fields are told`, async (t) => {
    const recorder = await startRecorder(() => ({ type: 'text/plain', body: 'hello' }))
    t.teardown(() => recorder.close())
    const socket = open(recorder.port, protocol)
    await once(socket, 'secureConnect')
    const asked = recorder.asked('/page?a=1')
    ask(socket, protocol, '/page?a=1')
    await asked
    socket.destroy()
    const [connection] = recorder.seen
    t.is(connection!.protocol, protocol)
    t.false(connection!.resumed)
    t.true(connection!.hello !== undefined && connection!.records.length > 0)
    t.is(connection!.frames.length > 0, protocol === 'h2')
    const [request] = connection!.requests
    t.like(request, { method: 'GET', target: '/page?a=1' })
    t.true(request!.headers.some(([name, value]) => name.toLowerCase() === 'x-one' && value === '1'))
  })
}
