/** The gate on real sockets: what it lets through, what it refuses, and what ends the broker. */
import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, Socket as NetSocket, Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate as settled } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import * as fc from 'fast-check'
import type { DialTarget } from '../dialers/dialer.ts'
import { SocketPairs } from '../socket-pairs.ts'
import { systemWay } from '../way-out.ts'
import { serveGate } from './gate.ts'
import { GateList } from './gate-list.ts'
import { GateLimits } from './gate-messages.ts'

const target = (changes: Partial<DialTarget>): DialTarget => ({
  ...{ id: 'a', name: 'A', host: 'a.example', port: 443, addresses: ['192.0.2.1'], certificate: undefined },
  ...changes,
})

test('the list: addresses and ports of the endpoints, their proxy or front instead, and answers for their names', (t) => {
  const front = target({ host: 'front.example', port: 8443, addresses: [] })
  const proxy = { ...target({ host: '203.0.113.9', port: 3128, addresses: [] }), kind: 'http' as const }
  const list = new GateList([
    target({ remembered: ['192.0.2.2'] }),
    target({ host: 'b.example', addresses: ['192.0.2.3'], front }),
    target({ host: 'c.example', addresses: ['192.0.2.4'], proxy }),
  ])
  for (const address of ['192.0.2.1', '192.0.2.2']) t.true(list.mayConnect(address, 443))
  t.true(list.mayConnect('203.0.113.9', 3128))
  for (const address of ['192.0.2.3', '192.0.2.4', '198.51.100.1']) t.false(list.mayConnect(address, 443))
  t.false(list.mayConnect('192.0.2.1', 444))
  t.deepEqual(
    ['a.example', 'front.example', 'b.example', 'c.example', 'other.example'].map((name) => list.mayResolve(name)),
    [true, true, false, false, false],
  )
  t.false(list.mayConnect('1.2.3.4', 8443))
  list.learn('front.example', ['1.2.3.4'])
  t.true(list.mayConnect('1.2.3.4', 8443))
  t.false(list.mayConnect('1.2.3.4', 443))
  list.learn('other.example', ['1.2.3.5'])
  t.false(list.mayConnect('1.2.3.5', 443))
})

test('a resolver that lies leads nowhere near, but for a proxy and this machine', (t) => {
  const near = ['127.0.0.1', '192.168.1.1', '::ffff:10.0.0.1', 'fe80::1%wire']
  const proxy = { ...target({ host: 'proxy.lan', port: 3128, addresses: [] }), kind: 'http' as const }
  const list = new GateList([target({}), target({ proxy }), target({ host: 'a.localhost' })])
  for (const host of ['a.example', 'proxy.lan', 'a.localhost']) list.learn(host, near)
  for (const address of near) t.true(list.mayConnect(address, 3128), address)
  t.true(list.mayConnect('127.0.0.1', 443), 'of a.localhost')
  const other = new GateList([target({})])
  other.learn('a.example', near)
  for (const address of near) t.false(other.mayConnect(address, 443), address)
})

test('GateLimits.learned: the latest answers count', (t) => {
  const list = new GateList([target({})])
  const many = Array.from({ length: GateLimits.learned + 8 }, (_, i) => `1.2.3.${i}`)
  for (const address of many) list.learn('a.example', [address])
  t.is(many.filter((address) => list.mayConnect(address, 443)).length, GateLimits.learned)
  t.true(list.mayConnect(many.at(-1)!, 443))
})

/** The channel to a broker, without the process. */
class Channel extends EventEmitter {
  readonly connected = true
  readonly answers: { readonly answer: Record<string, unknown>; readonly socket: Socket | undefined }[] = []
  killed: string | undefined

  send(answer: Record<string, unknown>, socket?: Socket): void {
    this.answers.push({ answer, socket })
    this.emit('answered')
  }

  kill(signal: string): void {
    this.killed = signal
  }
}

interface Surroundings {
  /** Null: the server says nothing, and stays. */
  readonly said?: string | Uint8Array | null
  readonly pair?: () => Promise<never>
}

async function opened(t: ExecutionContext, { said = 'from outside', pair }: Surroundings = {}) {
  const gone = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.on('error', () => {}).on('close', () => gone.resolve())
    if (said !== null) socket.end(said)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => void server.close())
  const { port } = server.address() as AddressInfo
  const channel = new Channel()
  const refused: string[] = []
  const pairs = new SocketPairs(NetSocket.prototype.connect as never, Server.prototype.listen as never)
  serveGate(channel as unknown as ChildProcess, {
    list: new GateList([target({ host: 'localhost', port, addresses: ['127.0.0.1'] })]),
    leave: { way: systemWay, pair: pair ?? (() => pairs.make()) } as never,
    beginning: { link: 'an invite' },
    refused: (what) => void refused.push(what),
  })
  const ask = async (question: object) => {
    const answered = once(channel, 'answered')
    channel.emit('message', question)
    await answered
    return channel.answers.at(-1)!
  }
  return { channel, refused, ask, port, gone: gone.promise }
}

test('a broker gets what is on the list, and the other end of a local socket', async (t) => {
  const { ask, port, refused } = await opened(t)
  t.deepEqual((await ask({ id: 1, ask: 'begin' })).answer, { id: 1, value: { link: 'an invite' } })
  t.is(typeof (await ask({ id: 2, ask: 'facts' })).answer.value, 'string')
  t.true(((await ask({ id: 3, ask: 'resolve', host: 'localhost' })).answer.value as string[]).length > 0)
  const { answer, socket } = await ask({ id: 4, ask: 'connect', address: '127.0.0.1', port })
  t.deepEqual(answer, { id: 4, value: null })
  t.is(socket!.remoteAddress, undefined, 'no socket of the network')
  t.is(await text(socket!), 'from outside')
  socket!.destroy()
  t.deepEqual(refused, [])
})

test('without a socket to hand over the connection is given up', async (t) => {
  const pair = () => Promise.reject(Object.assign(new Error('none'), { code: 'EMFILE' }))
  const { ask, port, gone } = await opened(t, { pair, said: new Uint8Array(40_000_000) })
  t.deepEqual((await ask({ id: 1, ask: 'connect', address: '127.0.0.1', port })).answer, { id: 1, code: 'EMFILE' })
  await gone
  t.pass()
})

test('GateLimits.connections: as many, and no more until some are over', async (t) => {
  const { ask, port, channel } = await opened(t, { said: null })
  const connect = { ask: 'connect', address: '127.0.0.1', port }
  for (let id = 1; id <= GateLimits.connections; id++) await ask({ ...connect, id })
  t.deepEqual((await ask({ ...connect, id: 1_000 })).answer, { id: 1_000, code: 'EMFILE' })
  const sockets = channel.answers.flatMap(({ socket }) => socket ?? [])
  t.is(sockets.length, GateLimits.connections)
  for (const socket of sockets) socket.destroy()
  let last = await ask({ ...connect, id: 2_000 })
  for (let id = 2_001; last.answer.code === 'EMFILE'; id++) {
    await settled()
    last = await ask({ ...connect, id })
  }
  t.is(last.answer.value, null)
  last.socket!.destroy()
})

test('everything else is refused, and told', async (t) => {
  const { ask, port, refused } = await opened(t)
  const denied = [
    { id: 1, ask: 'connect', address: '127.0.0.1', port: port === 1 ? 2 : 1 },
    { id: 2, ask: 'connect', address: '198.51.100.7', port },
    { id: 3, ask: 'resolve', host: 'leak.example.org' },
  ]
  for (const question of denied) t.deepEqual((await ask(question)).answer, { id: question.id, code: 'EACCES' })
  t.deepEqual(refused, ['connect', 'connect', 'resolve'])
})

test('what is no question ends the broker', async (t) => {
  const { channel, refused } = await opened(t)
  const property = fc.property(fc.oneof(fc.anything(), fc.record({ id: fc.nat(), ask: fc.string() })), (message) => {
    const { ask } = (message ?? {}) as { ask?: unknown }
    fc.pre(!['begin', 'facts', 'resolve', 'connect'].includes(ask as string))
    channel.killed = undefined
    channel.emit('message', message)
    return channel.killed === 'SIGKILL'
  })
  fc.assert(property, { numRuns: 300 })
  t.true(refused.length >= 300 && refused.every((what) => what === 'malformed'))
})
