/** WebSockets: what the firewall lets the core ask for, and what it does with them, in one process and over the pipe. */
import { duplexPair } from 'node:stream'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import fc from 'fast-check'
import type { WebSocket } from 'ws'
import { WebSocketServer } from 'ws'
import { fromUtf8, utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { SottoError } from '#protocol/errors.ts'
import { serveBroker } from './broker.ts'
import { connectBroker } from './core-side.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import { openWebSocket } from './dialers/web-socket.ts'
import type { TestGateway } from './fixtures/gateway.ts'
import { HOST, startGateway } from './fixtures/gateway.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { openBroker } from './library.ts'
import { DialLimits, PipeLimits } from './limits.ts'
import { Line } from './line.ts'
import type { LocalBroker } from './local-broker.ts'
import type { MessageSocket, SocketMessage, SocketRequest } from './message-socket.ts'
import type { Broker, FirewallEvent, Permit } from './permit.ts'
import { decideSocket } from './socket-request.ts'

let gateway: TestGateway
const floods: WebSocket[] = []
const FLOOD = 200
test.before(async () => {
  gateway = await startGateway()
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 2 ** 20 })
  gateway.site.server.on('upgrade', (request, socket, head) => {
    if (request.url === '/refused') return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    if (request.url === '/silent') return undefined
    sockets.handleUpgrade(request, socket, head, (opened) => {
      if (request.url === '/leaves') opened.close()
      if (request.url === '/huge') opened.send(new Uint8Array(DialLimits.messageBytes + 1))
      if (request.url === '/talks') for (let i = 0; i < 300; i++) opened.send(String(i))
      if (request.url === '/floods') {
        floods.push(opened)
        for (let i = 0; i < FLOOD; i++) opened.send(new Uint8Array(100_000).fill(i))
      }
      opened.on('message', (data, isBinary) => {
        if (String(data) === 'fields') opened.send(request.rawHeaders.join('\n'))
        else opened.send(data, { binary: isBinary })
      })
    })
  })
})
test.after.always(() => gateway.close())

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )
const text = (message: SocketMessage): string => (message.text ? (fromUtf8(message.octets) ?? '') : 'octets')
const say = (words: string): SocketMessage => ({ text: true, octets: utf8(words) })

// ---- the policy ------------------------------------------------------------------------------------------------------------

const endpoint = { host: 'g.example.org', port: 443 }
const decide = (request: Partial<SocketRequest>, timeoutMs = 1000) =>
  decideSocket(endpoint, { target: '/socket.io/?EIO=4', headers: [], ...request }, { timeoutMs, family: 'node' })

test('an ordinary request for a socket passes; the handshake is the dialer’s', (t) => {
  t.is(decide({ headers: [['authorization', 'Bearer x']] }), undefined)
  for (const name of ['Connection', 'upgrade', 'Host', 'Origin', 'Sec-WebSocket-Key', 'sec-websocket-protocol', 'te'])
    t.is(decide({ headers: [[name, 'x']] }), 'bad-header', name)
  for (const target of ['', 'x', 'https://evil.example/', '/a b', '/a\r\nb', '/a#b', `/${'x'.repeat(9_000)}`])
    t.is(decide({ target }), 'bad-target', target)
  t.is(decide({ headers: [['x-a', 'b\r\nhost: evil.example']] }), 'bad-header')
  for (const timeout of [0, Number.NaN, DialLimits.timeoutMs + 1]) t.is(decide({}, timeout), 'bad-timeout')
})

test('whatever passes is one line and fields that end where they seem to', (t) => {
  const anything = fc.record({ target: fc.string(), headers: fc.array(fc.tuple(fc.string(), fc.string())) })
  fc.assert(
    fc.property(anything, (request) => {
      if (decide(request) !== undefined) return
      const all = [request.target, ...request.headers.flat()].join('')
      t.regex(all, /^[\t\x20-\x7e]*$/)
    }),
  )
  t.pass()
})

// ---- by both ways -------------------------------------------------------------------------------------------------------------

async function openLocal(t: ExecutionContext): Promise<LocalBroker> {
  const connector = tlsConnector({ resolve: async () => [] })
  const options = { folder: await temporaryFolder(t), now: Date.now, random: randomBytes }
  const broker = await openBroker({ ...options, dialers: [undiciDialer({ connector, apartMs: 0 })] })
  t.teardown(() => broker.close())
  return broker
}

interface Piped extends Broker {
  end(): void
}

function overPipe(t: ExecutionContext, local: LocalBroker): Piped {
  const [near, far] = duplexPair()
  const server = serveBroker(local, far, () => {})
  t.teardown(() => server.close())
  const remote = connectBroker(near, () => {})
  return Object.assign(remote, { end: () => remote.close() })
}

const ways = { 'in one process': (_: ExecutionContext, local: LocalBroker): Broker => local, 'over the pipe': overPipe }

for (const [way, reach] of Object.entries(ways)) {
  const open = async (t: ExecutionContext): Promise<{ local: LocalBroker; broker: Broker; permit: Permit }> => {
    const local = await openLocal(t)
    const [info] = await local.admitInvite(gateway.link)
    const broker = reach(t, local)
    return { local, broker, permit: await broker.permit(info!.id) }
  }
  const ask = (permit: Permit, target = '/', timeoutMs = 20_000): Promise<MessageSocket> =>
    permit.openSocket!({ target, headers: [['authorization', 'Bearer x']] }, { timeoutMs, family: 'node' })

  test(`${way}: messages go both ways, in order, as text and as octets`, async (t) => {
    const { permit } = await open(t)
    const socket = await ask(permit)
    const large = randomBytes(300_000)
    const all = [say('a'), { text: false, octets: large }, say(''), say('ü')]
    await Promise.all(all.map((message) => socket.send(message)))
    for (const { text: isText, octets } of all) {
      const heard = await socket.receive()
      t.is(heard.text, isText)
      t.deepEqual(new Uint8Array(heard.octets), new Uint8Array(octets))
    }
    socket.close()
    t.is(await codeOf(socket.send(say('late'))), 'E_PATH_CLOSED')
  })

  test(`${way}: on the wire it is what socket.io’s client writes`, async (t) => {
    const { permit } = await open(t)
    const socket = await ask(permit)
    await socket.send(say('fields'))
    const fields = text(await socket.receive()).split('\n')
    t.deepEqual(
      fields.filter((_, i) => i % 2 === 0),
      [
        ...['authorization', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key', 'Connection', 'Upgrade'],
        ...['Sec-WebSocket-Extensions', 'Host'],
      ],
    )
    t.is(fields.at(-1), `${HOST}:${gateway.site.port}`)
    socket.close()
  })

  test(`${way}: no socket, none in time, one that ends, a message beyond the limit`, async (t) => {
    const { permit } = await open(t)
    t.is(await codeOf(ask(permit, '/refused')), 'E_PATH_ANSWER')
    t.is(await codeOf(ask(permit, '/silent', 200)), 'E_PATH_TIMEOUT')
    const leaving = await ask(permit, '/leaves')
    t.is(await codeOf(leaving.receive()), 'E_PATH_RESET')
    const huge = await ask(permit, '/huge')
    t.regex(await codeOf(huge.receive()), /^E_PATH_/)
    t.is(await codeOf(ask(permit, '/a#b')), 'E_FIREWALL_REFUSED')
  })

  test(`${way}: given up while it is being opened`, async (t) => {
    const { permit } = await open(t)
    const giveUp = new AbortController()
    const asked = permit.openSocket!(
      { target: '/silent', headers: [] },
      { timeoutMs: 20_000, family: 'node', signal: giveUp.signal },
    )
    giveUp.abort()
    t.is(await codeOf(asked), 'E_PATH_CLOSED')
  })

  test(`${way}: DialLimits.sockets: so many at once`, async (t) => {
    const { local, permit } = await open(t)
    const refused: (string | undefined)[] = []
    local.onEvent((event: FirewallEvent) => event.kind === 'refused' && refused.push(event.reason))
    const all = await Promise.all(Array.from({ length: DialLimits.sockets }, () => ask(permit, '/talks')))
    t.is(await codeOf(ask(permit)), 'E_FIREWALL_REFUSED')
    t.deepEqual(refused, ['too-many-sockets'])
    for (let i = 0; i < 300; i++) t.is(text(await all[0]!.receive()), String(i))
    for (const socket of all) socket.close()
    // Over the pipe, closing is on its way.
    for (let tries = 0; ; tries++) {
      const code = await codeOf(ask(permit).then((socket) => socket.close()))
      if (code === 'fine') break
      t.true(tries < 100)
    }
  })

  test.serial(`${way}: DialLimits.unreadMessages: what nobody asks for stays with who sends it`, async (t) => {
    const { permit } = await open(t)
    const flooded = await ask(permit, '/floods')
    const other = await ask(permit)
    // As much as the flood, and begun after it.
    for (let i = 0; i < FLOOD / 5; i++) {
      await other.send({ text: false, octets: new Uint8Array(500_000) })
      await other.receive()
    }
    t.true(floods.at(-1)!.bufferedAmount > 0)
    for (let i = 0; i < FLOOD; i++) t.is((await flooded.receive()).octets[0], i)
    flooded.close()
  })

  test(`${way}: forgetting the endpoint ends its sockets`, async (t) => {
    const { broker, permit } = await open(t)
    const socket = await ask(permit)
    const waiting = codeOf(socket.receive())
    await broker.forget(permit.endpoint.id)
    t.is(await waiting, 'E_PATH_CLOSED')
    t.is(await codeOf(ask(permit)), 'E_FIREWALL_REFUSED')
  })
}

test('DialLimits.socketIdleMs: a socket on which nothing is said any more is given up', async (t) => {
  const local = await openLocal(t)
  await local.admitInvite(gateway.link)
  const { certificates, site } = gateway
  const target = {
    ...{ id: 'e', name: 'Test', host: HOST, port: site.port, addresses: ['127.0.0.1'] },
    certificate: certificates.pin,
  }
  const connect = tlsConnector({ resolve: async () => [] })(target)
  const over = Promise.withResolvers<void>()
  const request = { target: '/', headers: [] }
  const socket = await openWebSocket({ target, connect, request, timeoutMs: 20_000, idleMs: 50, over: over.resolve })
  t.is(await codeOf(socket.receive()), 'E_PATH_TIMEOUT')
  await over.promise
})

test('a core that ends leaves no socket, and one that has too many gets no more (PipeLimits.sockets)', async (t) => {
  const local = await openLocal(t)
  const closed: number[] = []
  let opened = 0
  const dumb = (): MessageSocket => {
    const number = opened++
    return { send: async () => {}, receive: () => new Promise(() => {}), close: () => closed.push(number) }
  }
  const [info] = await local.admitInvite(gateway.link)
  const permit: Permit = { ...(await local.permit(info!.id)), openSocket: async () => dumb() }
  const broker: LocalBroker = Object.create(local, { permit: { value: async () => permit } })
  const remote = overPipe(t, broker)
  const own = await remote.permit(info!.id)
  const ask = (): Promise<MessageSocket> =>
    own.openSocket!({ target: '/', headers: [] }, { timeoutMs: 1000, family: 'node' })
  const sockets = await Promise.all(Array.from({ length: PipeLimits.sockets }, ask))
  t.is(await codeOf(ask()), 'E_FIREWALL_REFUSED')
  t.is(
    await codeOf(sockets[0]!.send({ text: false, octets: new Uint8Array(DialLimits.messageBytes + 1) })),
    'E_FIREWALL_REFUSED',
  )
  sockets[0]!.close()
  t.is(await codeOf(ask().then(() => undefined)), 'fine')
  remote.end()
  while (closed.length < PipeLimits.sockets + 1) await new Promise(setImmediate)
  t.is(closed.length, opened)
})

test('a core that names sockets it was not given', async (t) => {
  const local = await openLocal(t)
  const [near, far] = duplexPair()
  const server = serveBroker(local, far, () => {})
  t.teardown(() => server.close())
  const line = new Line(near, () => {})
  t.teardown(() => line.close())
  t.is(await codeOf(line.call('sendMessage', { socket: 7, text: true }, utf8('x'))), 'E_PATH_CLOSED')
  t.is(await codeOf(line.call('nextMessage', { socket: 7 })), 'E_PATH_CLOSED')
  t.is(await codeOf(line.call('closeSocket', { socket: 7 })), 'fine')
  t.is(await codeOf(line.call('nextMessage', { socket: -1 })), 'E_FIREWALL_REFUSED')
  t.is(
    await codeOf(line.call('openSocket', { endpoint: 'x', target: '/', headers: [], timeoutMs: 1, family: 'node' })),
    'E_FIREWALL_REFUSED',
  )
})
