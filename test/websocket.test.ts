/**
 * Exchanges over the WebSocket of the notice room's own socket.io server, over real sockets: a member's, beside a stranger's
 * with a genuine client; what is no member's; cuts, silence and networks that let none through.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { Socket } from 'socket.io-client'
import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import { type Clockwork, realClockwork } from '#client/clockwork.ts'
import { Tunnel } from '#client/tunnel.ts'
import { compileTemplate } from '#engine/compile.ts'
import type { Permit } from '#firewall/permit.ts'
import { BareRoom } from '#gateway/sockets/bare-room.ts'
import { SocketLimits } from '#gateway/sockets/limits.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { Service } from '#protocol/services/service.ts'
import { loadBuiltin } from '../camouflage-templates/builtin.ts'
import { testPermit } from './helpers/pair.ts'
import type { RealGateway } from './helpers/real-gateway.ts'
import { startRealGateway } from './helpers/real-gateway.ts'
import type { SocketRelay } from './helpers/socket-relay.ts'
import { startSocketRelay } from './helpers/socket-relay.ts'

const template = compileTemplate(loadBuiltin('websocket'))

/** Counts what it is told, and says numbers in order. */
function counting(): { readonly service: Service; readonly heard: number[] } {
  const heard: number[] = []
  const service: Service = {
    unary: {
      'test.echo': (args) => args,
      'test.note': (args) => {
        heard.push(args as number)
        return args
      },
    },
    subscribe: {
      'test.numbers': async (args, _caller, push, signal) => {
        for (let i = 0; i < (args as number) && !signal.aborted; i++) {
          await push({ i, body: new Uint8Array(i % 7 === 0 ? 9_000 : 20) })
          await new Promise((resolve) => setTimeout(resolve, 4))
        }
      },
    },
  }
  return { service, heard }
}

interface World {
  readonly gateway: RealGateway
  readonly relay: SocketRelay
  readonly tunnel: Tunnel
  readonly permit: Permit
  readonly heard: readonly number[]
}

/** Four times as quick, so that a test need not wait for what comes after seconds. */
const hasty: Clockwork = {
  ...realClockwork,
  now: () => 4 * Date.now(),
  after: (ms, run) => realClockwork.after(ms / 4, run),
}

async function open(
  t: ExecutionContext,
  mode: SocketRelay['mode'] = 'pass',
  clockwork: Clockwork = realClockwork,
  limits: Partial<SocketLimits> = {},
): Promise<World> {
  const { service, heard } = counting()
  const gateway = await startRealGateway([service], { socketLimits: { ...SocketLimits, ...limits } })
  t.teardown(() => gateway.stop())
  const relay = await startSocketRelay(t, gateway.port)
  relay.mode = mode
  const { code, cohort } = await gateway.invite()
  const credential = { credentialId: randomBytes(16), credentialKey: randomBytes(32) }
  const membership = { kind: 'redeem', code, ...credential } as const
  const permit = testPermit(relay.port, { gatewayKey: gateway.state.gatewayKey, cohort, membership })
  const tunnel = new Tunnel({ permit, template, clockwork, preferredAead: 1 })
  t.teardown(() => tunnel.stop())
  return { gateway, relay, tunnel, permit, heard }
}

function until(tunnel: Tunnel, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (holds()) resolve()
    }
    tunnel.onChange(look)
    look()
  })
}

function visitor(t: ExecutionContext, port: number): Socket {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], reconnection: false, forceNew: true })
  t.teardown(() => socket.disconnect())
  return socket
}

const event = (socket: Socket, name: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    socket.once(name, resolve)
    socket.once('connect_error', reject)
  })

test('a member and a stranger, each over a WebSocket of the same server', async (t) => {
  const { gateway, tunnel, heard } = await open(t)
  await until(tunnel, () => tunnel.status.socket)
  const stranger = visitor(t, gateway.port)
  t.regex(String(((await event(stranger, 'notices')) as string[])[0]), /Open bench/)
  const body = randomBytes(60_000)
  const calls = Array.from({ length: 20 }, async (_, i) => {
    t.deepEqual(((await tunnel.call('test.echo', { body })) as { body: Uint8Array }).body, body)
    return await tunnel.call('test.note', i)
  })
  t.deepEqual(await stranger.emitWithAck('say', 'hello'), { ok: true })
  t.deepEqual((await Promise.all(calls)).length, 20)
  t.deepEqual(
    [...heard].sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i),
  )
  t.true(tunnel.status.socket)
  t.is(gateway.running.sessions.count, 1, 'strangers are no members')
  t.deepEqual(gateway.log, [])
})

test('what a member asks for is what socket.io’s own client asks for', async (t) => {
  const { relay, tunnel } = await open(t)
  await until(tunnel, () => tunnel.status.socket)
  const ours = relay.request
  const authorization = /^authorization: (.*)\r$/m.exec(ours)![1]!
  const device = /device=([0-9a-f]{32})&/.exec(ours)![1]!
  const extraHeaders = { authorization }
  const options = { transports: ['websocket'], reconnection: false, forceNew: true, query: { device }, extraHeaders }
  const genuine = io(`http://127.0.0.1:${relay.port}`, options)
  t.teardown(() => genuine.disconnect())
  await event(genuine, 'notices')
  const withoutKey = (text: string): string => text.replace(/Sec-WebSocket-Key: .*\r\n/, '')
  t.is(withoutKey(relay.request), withoutKey(ours))
})

test('what asks for a socket like a member and is none gets the site’s own socket.io server', async (t) => {
  const { relay, tunnel, gateway } = await open(t)
  await until(tunnel, () => tunnel.status.socket)
  const [line = '', ...rest] = relay.request.split('\r\n')
  const path = line.split(' ')[1]!
  const authorization = rest.find((each) => each.startsWith('authorization: '))!.slice('authorization: '.length)
  const asks = {
    replayed: { path, authorization },
    'another token': { path: path.replace(/device=.{4}/, 'device=beef'), authorization },
    'octets flipped': { path, authorization: flipped(authorization) },
    'nothing of it': { path: '/socket.io/?EIO=4&transport=websocket', authorization: '' },
  }
  for (const [what, ask] of Object.entries(asks)) {
    t.deepEqual(await askRaw(gateway.port, ask), ['open', 'joined', 'notices', 'nothing'], what)
  }
  t.is(gateway.running.sessions.count, 1)
  t.is(await tunnel.call('test.note', 1), 1)
  t.deepEqual(gateway.log, [])
})

const flipped = (text: string): string => {
  const at = text.length - 30
  return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
}

/** What the server says, in its own packets; last, what it says to an event that asks for an answer as members' do. */
async function askRaw(
  port: number,
  { path, authorization }: { path: string; authorization: string },
): Promise<string[]> {
  const heard: string[] = []
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, {
    headers: authorization === '' ? {} : { authorization },
  })
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('message', (data) => {
      const text = String(data)
      if (text.startsWith('0{"sid":"')) {
        heard.push('open')
        socket.send('40')
      } else if (text.startsWith('40{"sid":"')) heard.push('joined')
      else if (text.startsWith('42["notices",[')) heard.push('notices')
      else if (text.startsWith('46') || text.startsWith('45')) heard.push('a member’s answer')
      if (text.startsWith('42["notices",[')) {
        socket.send('451-0["sync",{"_placeholder":true,"num":0}]')
        socket.send(randomBytes(112))
        // Answered after the event before it, if at all.
        socket.send('421["say",""]')
      }
      if (text.startsWith('431[')) {
        heard.push('nothing')
        resolve()
      }
    })
  })
  socket.close()
  return heard
}

test('cut again and again while much goes both ways: nothing is lost or doubled, in one session', async (t) => {
  const { gateway, relay, tunnel, heard } = await open(t, 'pass', hasty)
  const numbers: number[] = []
  const told = tunnel.subscribe(
    'test.numbers',
    () => 400,
    (message) => numbers.push((message as { i: number }).i),
  )
  let notes = 0
  for (let cuts = 0; cuts < 3; cuts++) {
    await until(tunnel, () => tunnel.status.socket)
    const calls = Array.from({ length: 20 }, async (_, i) => {
      await tunnel.call('test.echo', { body: new Uint8Array(i % 5 === 0 ? 30_000 : 10) })
      return await tunnel.call('test.note', notes++)
    })
    relay.cut()
    await Promise.all(calls)
  }
  await told.ended
  t.deepEqual(
    numbers,
    Array.from({ length: 400 }, (_, i) => i),
  )
  t.deepEqual(
    [...heard].sort((a, b) => a - b),
    Array.from({ length: notes }, (_, i) => i),
  )
  t.true(relay.asked >= 3)
  t.is(tunnel.status.sessions, 1)
  t.is(gateway.running.sessions.count, 1)
  t.deepEqual(gateway.log, [])
})

test('cut: polls carry on by themselves, and a socket comes again', async (t) => {
  const { relay, tunnel } = await open(t, 'pass', hasty)
  await until(tunnel, () => tunnel.status.socket)
  relay.mode = 'refuse'
  relay.cut()
  await until(tunnel, () => !tunnel.status.socket)
  t.is(await tunnel.call('test.note', 1), 1)
  t.is(tunnel.status.state.kind, 'ready', 'a cut is no failure of the path')
  relay.mode = 'pass'
  const calls = setInterval(() => void tunnel.call('test.echo', 'is it there?').catch(() => {}), 100)
  t.teardown(() => clearInterval(calls))
  await until(tunnel, () => tunnel.status.socket)
  t.is(tunnel.status.sessions, 1)
})

for (const mode of ['cut', 'refuse', 'swallow'] as const) {
  test(`a network that lets no socket through (${mode}): polls carry, and people are told`, async (t) => {
    const { relay, tunnel } = await open(t, mode)
    const calls = Array.from({ length: 10 }, (_, i) => tunnel.call('test.note', i))
    t.is((await Promise.all(calls)).length, 10)
    await until(tunnel, () => tunnel.status.findings.some(({ code }) => code === 'E_NET_SOCKET'))
    t.false(tunnel.status.socket)
    t.is(relay.asked, 1, 'it is not asked for again at once')
    t.is(await tunnel.call('test.note', 11), 11)
    t.is(tunnel.status.sessions, 1)
  })
}

test('a socket that falls silent: what was under way arrives by polls', async (t) => {
  const { relay, tunnel, heard } = await open(t)
  await until(tunnel, () => tunnel.status.socket)
  relay.freeze()
  relay.mode = 'refuse'
  t.deepEqual(await Promise.all([1, 2, 3].map((i) => tunnel.call('test.note', i))), [1, 2, 3])
  t.deepEqual([...heard].sort(), [1, 2, 3])
  t.false(tunnel.status.socket)
})

test('a gateway that starts anew: the socket ends, and so does the session; both come again', async (t) => {
  const { gateway, tunnel } = await open(t)
  await until(tunnel, () => tunnel.status.socket)
  gateway.running.sessions.end()
  await until(tunnel, () => tunnel.status.sessions === 2)
  t.is(await tunnel.call('test.note', 1), 1)
  await until(tunnel, () => tunnel.status.socket)
})

test('another look: the socket is left for it', async (t) => {
  const { tunnel } = await open(t)
  await until(tunnel, () => tunnel.status.socket)
  tunnel.use(compileTemplate(loadBuiltin('feed-sync')))
  t.false(tunnel.status.socket)
  t.is(await tunnel.call('test.note', 1), 1)
  t.is(tunnel.status.sessions, 1)
})

test('SocketLimits.members: beyond it a request for a socket gets the site’s, and polls carry', async (t) => {
  const { relay, tunnel } = await open(t, 'pass', hasty, { members: 0 })
  await until(tunnel, () => tunnel.status.findings.some(({ code }) => code === 'E_NET_SOCKET'))
  t.is(relay.asked, 1)
  t.false(tunnel.status.socket)
  t.is(await tunnel.call('test.note', 1), 1)
})

test('SocketLimits.perMember: one member does not take the sockets of the others', async (t) => {
  const { gateway, tunnel, permit } = await open(t, 'pass', hasty, { perMember: 1 })
  await until(tunnel, () => tunnel.status.socket)
  const second = new Tunnel({ permit, template, clockwork: hasty, preferredAead: 1 })
  t.teardown(() => second.stop())
  await until(second, () => second.status.findings.some(({ code }) => code === 'E_NET_SOCKET'))
  t.false(second.status.socket)
  t.is(await second.call('test.note', 1), 1)
  const other = await gateway.invite()
  const credential = { credentialId: randomBytes(16), credentialKey: randomBytes(32) }
  const membership = { kind: 'redeem', code: other.code, ...credential } as const
  const keys = { gatewayKey: gateway.state.gatewayKey, cohort: other.cohort, membership }
  const third = new Tunnel({ permit: testPermit(gateway.port, keys), template, clockwork: hasty, preferredAead: 1 })
  t.teardown(() => third.stop())
  await until(third, () => third.status.socket)
  // Whose socket is over may have another.
  await tunnel.stop()
  await until(second, () => second.status.socket)
})

test('SocketLimits.unsentBytes: who does not take what it asked for is left, and gets it by polls', async (t) => {
  const { gateway, tunnel } = await open(t, 'pass', realClockwork, { unsentBytes: 20_000 })
  await until(tunnel, () => tunnel.status.socket)
  const body = randomBytes(60_000)
  t.deepEqual(((await tunnel.call('test.echo', { body })) as { body: Uint8Array }).body, body)
  t.false(tunnel.status.socket)
  t.is(tunnel.status.sessions, 1)
  t.deepEqual(gateway.log, [])
})

test('SocketLimits.messageBytes: a longer message ends the socket', async (t) => {
  const room = new BareRoom()
  const server = createServer()
  server.on('upgrade', (request, socket, head) => room.enter(request, socket, head, () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.close()
    await room.close()
  })
  const { port } = server.address() as AddressInfo
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`)
  socket.once('message', () => socket.send(`4${'x'.repeat(SocketLimits.messageBytes)}`))
  t.is(await new Promise((resolve) => socket.once('close', resolve)), 1009)
})
