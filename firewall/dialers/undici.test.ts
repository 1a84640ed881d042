import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import test from 'ava'
import type { Dispatcher } from 'undici'
import type { SottoError } from '#protocol/errors.ts'
import type { TestGateway } from '../fixtures/gateway.ts'
import { HOST, LARGE, startGateway } from '../fixtures/gateway.ts'
import { startSite } from '../fixtures/site.ts'
import { DialLimits } from '../limits.ts'
import type { ExchangeOptions, ExchangeRequest } from '../permit.ts'
import type { DialEvent, Dialer, DialTarget } from './dialer.ts'
import type { ConnectorOptions } from './tls-connector.ts'
import { tlsConnector } from './tls-connector.ts'
import type { UndiciDialerOptions } from './undici.ts'
import { undiciDialer } from './undici.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway()
})
test.after.always(() => gateway.close())

const noResolver = async (): Promise<never> => {
  throw new Error('the resolver was asked')
}

/** A name that may have an address of this machine. */
const here = { host: 'gateway.localhost', addresses: [] }

interface Setup {
  readonly connector?: Partial<ConnectorOptions>
  readonly dialer?: Partial<UndiciDialerOptions>
  readonly target?: Partial<DialTarget>
}

interface Rig {
  readonly dialer: Dialer
  readonly dials: DialEvent[]
  get(target: string, options?: Partial<ExchangeOptions>): ReturnType<Dialer['exchange']>
  send(request: Partial<ExchangeRequest>, options?: Partial<ExchangeOptions>): ReturnType<Dialer['exchange']>
}

function rig(t: { teardown(fn: () => Promise<void>): void }, setup: Setup = {}): Rig {
  const connector = tlsConnector({ resolve: noResolver, ...setup.connector })
  const dialer = undiciDialer({ connector, apartMs: 0, ...setup.dialer })
  const dials: DialEvent[] = []
  dialer.onDial((event) => dials.push(event))
  t.teardown(() => dialer.close())
  const target: DialTarget = {
    ...{ id: 'e1', name: 'Test', host: HOST, port: gateway.site.port },
    ...{ addresses: ['127.0.0.1'], certificate: gateway.certificates.pin, ...setup.target },
  }
  const send: Rig['send'] = (request, options) =>
    dialer.exchange(
      target,
      { method: 'GET', target: '/', headers: [], body: undefined, ...request },
      { family: 'node', timeoutMs: 20_000, connections: DialLimits.connections, ...options },
    )
  return { dialer, dials, send, get: (path, options) => send({ target: path }, options) }
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )
const json = ({ body }: { body: Uint8Array }) => JSON.parse(Buffer.from(body).toString())

test('the request stands on the wire as it was given', async (t) => {
  const { send } = rig(t)
  const headers: [string, string][] = [
    ['X-Zulu', '1'],
    ['Accept', '*/*'],
    ['Host', `${HOST}:${gateway.site.port}`],
    ['x-alpha', 'two words'],
    ['Connection', 'keep-alive'],
    ['X-Zulu', '2'],
    ['Content-Length', '5'],
  ]
  const answer = await send({ method: 'POST', target: '/a?b=%20', headers, body: Buffer.from('hello') })
  t.deepEqual(json(answer), {
    method: 'POST',
    target: '/a?b=%20',
    fields: [
      ...['host', `${HOST}:${gateway.site.port}`, 'connection', 'keep-alive'],
      ...['X-Zulu', '1', 'Accept', '*/*', 'x-alpha', 'two words', 'X-Zulu', '2', 'content-length', '5'],
    ],
    octets: 5,
  })
  t.is(answer.status, 200)
  t.deepEqual(
    answer.headers.find(([name]) => name === 'X-Mixed'),
    ['X-Mixed', 'Case'],
  )
})

test('bodies: none, empty, large both ways, of unknown length', async (t) => {
  const { send, get } = rig(t)
  t.is(json(await send({ method: 'POST' })).octets, 0)
  t.is(json(await send({ method: 'POST', body: new Uint8Array(0) })).octets, 0)
  t.is(json(await send({ method: 'POST', body: LARGE })).octets, LARGE.length)
  const view = new Uint8Array(LARGE.length + 20).subarray(10, 15)
  t.is(json(await send({ method: 'POST', body: view })).octets, 5)
  for (const path of ['/large', '/chunked']) {
    const { body } = await get(path)
    t.deepEqual(Buffer.compare(body, LARGE), 0)
    t.false(body instanceof Buffer)
  }
})

test('a redirect is an answer like any other', async (t) => {
  const { get } = rig(t)
  const { status, headers } = await get('/redirect')
  t.is(status, 302)
  t.true(headers.some(([name, value]) => name === 'location' && value === 'https://elsewhere.test/'))
})

test('one connection is used again and again', async (t) => {
  const { get, dials } = rig(t)
  for (let i = 0; i < 5; i++) await get('/')
  t.deepEqual(dials, [{ endpoint: 'e1', address: '127.0.0.1' }])
})

test('exchanges of one name are in line on one connection; names do not block each other', async (t) => {
  const { get, dials } = rig(t)
  const done: string[] = []
  const controller = new AbortController()
  const parked = codeOf(get('/silent', { connection: 'poll', signal: controller.signal }))
  const behind = get('/', { connection: 'poll' }).then(() => done.push('behind'))
  await get('/', { connection: 'send' })
  await get('/', { connection: 'send' })
  t.is(dials.length, 2)
  t.deepEqual(done, [])
  controller.abort()
  t.is(await parked, 'E_PATH_CLOSED')
  await behind
  t.is(dials.length, 3, 'what was begun makes its connection useless')
})

test('DialLimits.connections, with more names, and while they fail', async (t) => {
  const open = new Set<object>()
  let most = 0
  const site = await startSite(gateway.certificates, (request, response) => {
    const { socket } = request
    if (!open.has(socket)) socket.once('close', () => open.delete(socket))
    open.add(socket)
    most = Math.max(most, open.size)
    setTimeout(() => (Number(request.url?.slice(1)) % 3 === 0 ? socket.destroy() : response.end('ok')), 5)
  })
  t.teardown(() => site.close())
  const { get } = rig(t, { target: { port: site.port } })
  const codes = await Promise.all(
    Array.from({ length: 120 }, (_, i) => codeOf(get(`/${i}`, i % 2 === 0 ? { connection: `n${i % 20}` } : {}))),
  )
  t.is(codes.filter((code) => code === 'fine').length, 80)
  t.is(codes.filter((code) => code === 'E_PATH_RESET').length, 40)
  t.true(most > 1 && most <= DialLimits.connections, `${most} connections at once`)
})

test('given up before it began, in line, and on the way', async (t) => {
  const { get, dials } = rig(t)
  t.is(await codeOf(get('/', { signal: AbortSignal.abort() })), 'E_PATH_CLOSED')
  t.is(dials.length, 0)
  const [first, second] = [new AbortController(), new AbortController()]
  const parked = codeOf(get('/silent', { connection: 'a', signal: first.signal }))
  const inLine = codeOf(get('/', { connection: 'a', signal: second.signal }))
  second.abort(new Error('changed my mind'))
  t.is(await inLine, 'E_PATH_CLOSED')
  first.abort()
  t.is(await parked, 'E_PATH_CLOSED')
  t.is((await get('/', { connection: 'a' })).status, 200)
})

test('given up while connecting, the connection stays for the next one', async (t) => {
  const { get, dials } = rig(t)
  const controller = new AbortController()
  const early = codeOf(get('/early', { connection: 'a', signal: controller.signal }))
  controller.abort()
  t.is(await early, 'E_PATH_CLOSED')
  await get('/', { connection: 'a' })
  t.is(dials.length, 1)
  t.false(gateway.requests.some(({ line }) => line.includes('/early')))
})

const ends: Record<string, string> = {
  '/reset': 'E_PATH_RESET',
  '/reset-in-body': 'E_PATH_RESET',
  '/truncated': 'E_PATH_RESET',
  '/not-http': 'E_PATH_ANSWER',
  '/big-head': 'E_PATH_ANSWER',
  '/huge': 'E_PATH_ANSWER',
  '/huge-chunked': 'E_PATH_ANSWER',
}
for (const [path, code] of Object.entries(ends)) {
  test(`${path} is ${code}, and the next exchange works`, async (t) => {
    const { get } = rig(t)
    const error = await t.throwsAsync(get(path), { code })
    t.regex(error!.message, /^Test /, 'names the endpoint as people know it')
    t.is((await get('/')).status, 200)
  })
}

test('time runs out before the answer, and not in line behind another', async (t) => {
  const { get } = rig(t)
  const late = async (path: string, where: RegExp): Promise<void> => {
    await get('/')
    const error = await t.throwsAsync(get(path, { timeoutMs: 500 }), { code: 'E_PATH_TIMEOUT' })
    t.regex(error!.message, where)
  }
  await late('/silent', /waiting for the answer/)
  const parked = codeOf(get('/silent', { connection: 'b', timeoutMs: 4_000 }))
  const inLine = get('/', { connection: 'b', timeoutMs: 3_000 })
  t.is(await parked, 'E_PATH_TIMEOUT')
  t.is((await inLine).status, 200, 'what others take says nothing of it')
})

test('an answer that has begun may take its time on a slow link, as long as something comes', async (t) => {
  const { get } = rig(t)
  await get('/')
  t.is((await get('/slow', { timeoutMs: 4_000 })).body.length, 12)
})

test('an answer that stalls is given up long before the whole time is over', async (t) => {
  const { get } = rig(t, { dialer: { stallMs: 200 } })
  const error = await t.throwsAsync(get('/stall', { family: 'node', timeoutMs: 60_000 }), { code: 'E_PATH_TIMEOUT' })
  t.regex(error!.message, /middle of the answer/)
})

test('DialLimits.answerMs: an answer that drips for ever', async (t) => {
  const { get } = rig(t, { dialer: { answerMs: 400 } })
  const error = await t.throwsAsync(get('/drip'), { code: 'E_PATH_TIMEOUT' })
  t.regex(error!.message, /middle of the answer/)
})

/** A port where nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('nothing listens', async (t) => {
  const { get, dials } = rig(t, { target: { port: await freePort() } })
  t.is(await codeOf(get('/')), 'E_PATH_REFUSED')
  t.deepEqual(dials, [{ endpoint: 'e1', code: 'E_PATH_REFUSED' }])
})

test('nothing listens, and others are in line on the same connection', async (t) => {
  const { get } = rig(t, { target: { port: await freePort() } })
  const three = [1, 2, 3].map(() => codeOf(get('/', { connection: 'a' })))
  t.deepEqual(await Promise.all(three), ['E_PATH_REFUSED', 'E_PATH_REFUSED', 'E_PATH_REFUSED'])
})

test('it listens and says nothing: connecting has its own end', async (t) => {
  const server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => void server.close())
  const { port } = server.address() as AddressInfo
  const { get } = rig(t, { target: { port }, connector: { connectMs: 100 } })
  const error = await t.throwsAsync(get('/'), { code: 'E_PATH_TIMEOUT' })
  t.regex(error!.message, /while connecting/)
})

test('it hangs up in the TLS handshake, or speaks no TLS', async (t) => {
  const server = createServer((socket) => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1')
  const plain = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
  await Promise.all([once(server, 'listening'), once(plain, 'listening')])
  t.teardown(async () => {
    server.close()
    plain.close()
  })
  const portOf = (which: typeof server) => (which.address() as AddressInfo).port
  t.is(await codeOf(rig(t, { target: { port: portOf(server) } }).get('/')), 'E_PATH_HELLO')
  t.is(await codeOf(rig(t, { target: { port: portOf(plain) } }).get('/')), 'E_PATH_TLS')
})

test('addresses are tried in turn, and the one that works goes first the next time', async (t) => {
  // Each is given a part of the time, which on a busy machine must be enough for TLS.
  const connector = { connectMs: 120_000 }
  const { get, dialer } = rig(t, { target: { addresses: ['127.0.0.2', '127.0.0.3', '127.0.0.1'] }, connector })
  t.is((await get('/')).status, 200)
  await dialer.forget('e1')
  const all = rig(t, { target: { addresses: ['127.0.0.2', '127.0.0.3'] } })
  t.is(await codeOf(all.get('/')), 'E_PATH_REFUSED')
})

test('a pinned certificate is the only one taken, whatever authorities say', async (t) => {
  const { authority, pin } = gateway.certificates
  const other = new Uint8Array(pin)
  other[31]! ^= 1
  t.is((await rig(t).get('/')).status, 200, 'no authority needed')
  const wrong = rig(t, { target: { certificate: other }, connector: { authorities: [authority] } })
  t.is(await codeOf(wrong.get('/')), 'E_PATH_TLS')
  t.is((await rig(t, { target: { host: 'other-name.test' } }).get('/')).status, 200, 'the name is not asked')
})

test('a wrong certificate where the name server led is told as that; where the invite led, it is not', async (t) => {
  const other = new Uint8Array(32)
  const resolve = async () => ['127.0.0.1']
  const said = async (target: Partial<DialTarget>): Promise<string> => {
    const known = { certificate: other, host: 'localhost', ...target }
    return (await t.throwsAsync(rig(t, { target: known, connector: { resolve } }).get('/'), { code: 'E_PATH_TLS' }))!
      .message
  }
  t.regex(await said({ addresses: [] }), /the name server led there, and may lie/)
  t.notRegex(await said({ addresses: ['127.0.0.1'] }), /name server/)
  t.notRegex(await said({ addresses: [], remembered: ['127.0.0.1'] }), /name server/)
})

test('without a pin: an authority must vouch, and for this very name', async (t) => {
  const authorities = [gateway.certificates.authority]
  const unpinned = { certificate: undefined }
  t.is((await rig(t, { target: unpinned, connector: { authorities } }).get('/')).status, 200)
  t.is(await codeOf(rig(t, { target: unpinned }).get('/')), 'E_PATH_TLS')
  const elsewhere = rig(t, { target: { ...unpinned, host: 'other-name.test' }, connector: { authorities } })
  t.is(await codeOf(elsewhere.get('/')), 'E_PATH_TLS')
  const byAddress = rig(t, { target: { ...unpinned, host: '127.0.0.1', addresses: [] }, connector: { authorities } })
  t.is((await byAddress.get('/')).status, 200)
})

test.serial('environment variables change neither verification nor way', async (t) => {
  const names = ['NODE_TLS_REJECT_UNAUTHORIZED', 'HTTPS_PROXY', 'https_proxy', 'NODE_USE_ENV_PROXY', 'ALL_PROXY']
  for (const name of names)
    process.env[name] = name.startsWith('NODE') ? (name.endsWith('PROXY') ? '1' : '0') : 'http://127.0.0.1:9'
  try {
    t.is(await codeOf(rig(t, { target: { certificate: undefined } }).get('/')), 'E_PATH_TLS')
    t.is((await rig(t).get('/')).status, 200)
  } finally {
    for (const name of names) delete process.env[name]
  }
})

test('the resolver is asked only where the invite pins no address', async (t) => {
  const asked: string[] = []
  const resolve = async (host: string): Promise<string[]> => {
    asked.push(host)
    return ['not an address', '127.0.0.1']
  }
  await rig(t, { connector: { resolve } }).get('/')
  t.deepEqual(asked, [])
  await rig(t, { connector: { resolve }, target: here }).get('/')
  t.deepEqual(asked, [here.host])
})

test('a name without an address', async (t) => {
  for (const resolve of [noResolver, async () => [], async () => ['evil.example']]) {
    t.is(await codeOf(rig(t, { connector: { resolve }, target: here }).get('/')), 'E_PATH_DNS')
  }
})

test('DialLimits.addresses: a resolver that names thousands', async (t) => {
  const resolve = async (): Promise<string[]> => [...Array(DialLimits.addresses).fill('127.0.0.2'), '127.0.0.1']
  const { get } = rig(t, { connector: { resolve }, target: here })
  t.is(await codeOf(get('/')), 'E_PATH_REFUSED')
})

test('a resolver that never answers', async (t) => {
  const connector = { resolve: () => new Promise<never>(() => {}), connectMs: 50 }
  t.is(await codeOf(rig(t, { connector, target: here }).get('/')), 'E_PATH_DNS')
})

test('a second connection resumes the session of the first', async (t) => {
  const reused: boolean[] = []
  const site = await startSite(gateway.certificates, (_, response) => response.end('ok'))
  site.server.on('secureConnection', (socket) => reused.push(socket.isSessionReused()))
  t.teardown(() => site.close())
  for (const certificate of [gateway.certificates.pin, undefined]) {
    reused.length = 0
    const authorities = [gateway.certificates.authority]
    const { get } = rig(t, { target: { port: site.port, certificate }, connector: { authorities } })
    for (const connection of ['a', 'b', 'c']) t.is((await get('/', { connection })).status, 200)
    t.deepEqual(reused, [false, true, true])
  }
})

test('forgetting an endpoint ends what is under way and closes its connections', async (t) => {
  const { get, dialer, dials } = rig(t)
  await Promise.all([get('/', { connection: 'a' }), get('/', { connection: 'b' })])
  const [parked, inLine] = [codeOf(get('/silent', { connection: 'b' })), codeOf(get('/', { connection: 'b' }))]
  await dialer.forget('e1')
  t.is(await parked, 'E_PATH_CLOSED')
  t.is(await inLine, 'E_PATH_CLOSED')
  t.is(dials.length, 2)
  await get('/', { connection: 'a' })
  t.is(dials.length, 3)
})

test('what was given up in line is never handed to the HTTP client', async (t) => {
  const handlers: Dispatcher.DispatchHandler[] = []
  const controller = { rawHeaders: [], abort: () => {} } as unknown as Dispatcher.DispatchController
  const client = (): Dispatcher =>
    ({
      dispatch: (_: unknown, handler: Dispatcher.DispatchHandler) => handlers.push(handler),
      on: () => {},
      destroy: async () => {},
    }) as unknown as Dispatcher
  const { get } = rig(t, { dialer: { client } })
  const signals = Array.from({ length: 20 }, () => new AbortController())
  const first = codeOf(get('/', { connection: 'a' }))
  const inLine = signals.map(({ signal }) => codeOf(get('/', { connection: 'a', signal })))
  for (const signal of signals) signal.abort()
  t.deepEqual(new Set(await Promise.all(inLine)), new Set(['E_PATH_CLOSED']))
  handlers[0]!.onRequestStart?.(controller, undefined)
  handlers[0]!.onResponseStart?.(controller, 204, {})
  handlers[0]!.onResponseEnd?.(controller, {})
  t.is(await first, 'fine')
  t.is(handlers.length, 1)
})

test('the HTTP client may be another', async (t) => {
  const sent: Dispatcher.DispatchOptions[] = []
  const client = (origin: string): Dispatcher => {
    t.is(origin, `https://${HOST}:${gateway.site.port}`)
    const dispatch: Dispatcher['dispatch'] = (options, handler) => {
      sent.push(options)
      const controller = { rawHeaders: ['A', 'b'] } as unknown as Dispatcher.DispatchController
      handler.onRequestStart?.(controller, undefined)
      handler.onResponseStart?.(controller, 204, {})
      handler.onResponseEnd?.(controller, {})
      return true
    }
    return { dispatch, on: () => {}, destroy: async () => {} } as unknown as Dispatcher
  }
  const answer = await rig(t, { dialer: { client } }).get('/x')
  t.like(answer, { status: 204, headers: [['A', 'b']], body: new Uint8Array(0) })
  t.like(sent[0], { path: '/x', method: 'GET' })
})
