/**
 * The endpoint of the site's notice room: a stranger with a genuine socket.io client gets the genuine service, polling and
 * WebSocket, while members' exchanges go over the same endpoint. Everything over real sockets.
 */
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { Socket } from 'socket.io-client'
import { Fetch, io } from 'socket.io-client'
import { realClockwork } from '#client/clockwork.ts'
import { Tunnel } from '#client/tunnel.ts'
import { compileTemplate } from '#engine/compile.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Service } from '#protocol/services/service.ts'
import { loadBuiltin } from '../camouflage-templates/builtin.ts'
import { testPermit } from './helpers/pair.ts'
import type { RealGateway } from './helpers/real-gateway.ts'
import { startRealGateway } from './helpers/real-gateway.ts'

const echo: Service = { unary: { 'test.echo': (args) => args }, subscribe: {} }
const template = compileTemplate(loadBuiltin('socketio'))

async function start(t: ExecutionContext): Promise<RealGateway> {
  const gateway = await startRealGateway([echo])
  t.teardown(() => gateway.stop())
  return gateway
}

async function member(t: ExecutionContext, gateway: RealGateway): Promise<Tunnel> {
  const { code, cohort } = await gateway.invite()
  const credential = { credentialId: randomBytes(16), credentialKey: randomBytes(32) }
  const membership = { kind: 'redeem', code, ...credential } as const
  const permit = testPermit(gateway.port, { gatewayKey: gateway.state.gatewayKey, cohort, membership })
  const tunnel = new Tunnel({ permit, template, clockwork: realClockwork, preferredAead: 1 })
  t.teardown(() => tunnel.stop())
  return tunnel
}

function visitor(
  t: ExecutionContext,
  { port }: RealGateway,
  transports: ('polling' | 'websocket' | typeof Fetch)[],
): Socket {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports: transports as never,
    reconnection: false,
    forceNew: true,
  })
  t.teardown(() => socket.disconnect())
  return socket
}

const event = (socket: Socket, name: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    socket.once(name, resolve)
    socket.once('connect_error', reject)
  })

test('a stranger and a member use one endpoint at a time, each gets what is theirs', async (t) => {
  const gateway = await start(t)
  const tunnel = await member(t, gateway)
  const polling = visitor(t, gateway, [Fetch])
  const upgrading = visitor(t, gateway, ['polling', 'websocket'])
  const seen = Promise.all([event(polling, 'notices'), event(upgrading, 'notices')])
  const upgraded = new Promise((resolve) => upgrading.io.engine.once('upgrade', resolve))
  const body = randomBytes(50_000)
  const [notices, answer] = await Promise.all([seen, tunnel.call('test.echo', { body }), upgraded])
  t.deepEqual((answer as { body: Uint8Array }).body, body, 'the member')
  t.regex(String((notices[0] as string[])[0]), /Open bench/, 'the strangers')
  t.deepEqual(notices[0], notices[1])
  t.is(polling.io.engine.transport.name, 'polling')
  t.is(upgrading.io.engine.transport.name, 'websocket')

  const heard = event(polling, 'said')
  t.deepEqual(await upgrading.emitWithAck('say', '  hello\u0007 there '), { ok: true })
  t.like(await heard, { text: 'hello  there' })
  t.deepEqual(await polling.emitWithAck('say', 'over polling'), { ok: true })
  t.deepEqual(await tunnel.call('test.echo', 'still here'), 'still here')
  t.is(gateway.running.sessions.count, 1, 'strangers are no members')
  t.deepEqual(gateway.log, [])
})

test('what looks like a member’s exchange and is none is answered by the real server', async (t) => {
  const gateway = await start(t)
  const shape = template.shape('poll')
  const drawn = { token: randomBytes(16), parcel: randomBytes(96), host: 'localhost', random: randomBytes }
  const { target, headers } = shape.encodeRequest(drawn)
  const answer = await fetch(`http://127.0.0.1:${gateway.port}${target}`, { headers: Object.fromEntries(headers) })
  t.is(answer.status, 400)
  t.deepEqual(await answer.json(), { code: 1, message: 'Session ID unknown' })
  t.is(answer.headers.get('server'), 'nginx')
  const opened = await fetch(`http://127.0.0.1:${gateway.port}/socket.io/?EIO=4&transport=polling`)
  t.regex(
    await opened.text(),
    /^0\{"sid":"[\w-]{20}","upgrades":\["websocket"\],"pingInterval":25000,"pingTimeout":20000,/,
  )
  t.is(opened.headers.get('content-type'), 'text/plain; charset=UTF-8')
  const script = await fetch(`http://127.0.0.1:${gateway.port}/socket.io/socket.io.min.js`)
  t.true(script.ok && (await script.text()).length > 10_000)
})

test('an upgrade to anything else is a request like any other', async (t) => {
  const gateway = await start(t)
  const ask = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(gateway.port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => (text += chunk.toString('latin1')))
      socket.on('end', () => resolve(text))
      socket.on('error', reject)
      const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n${key}\r\n`)
    })
  t.regex(await ask('/help.html'), /^HTTP\/1.1 200 OK\r\nServer: nginx\r\n/)
  t.regex(await ask('/socket.io/?EIO=4&transport=nothing'), /^HTTP\/1.1 400 Bad Request\r\n/)
})
