/** The ways out below TLS: straight, through proxies of each kind, through a front. Real servers, real TLS on top. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import type { SottoError } from '#protocol/errors.ts'
import type { TestGateway } from '../fixtures/gateway.ts'
import { HOST, startGateway } from '../fixtures/gateway.ts'
import type { ProxyRules, TestProxy } from '../fixtures/proxies.ts'
import { startHttpProxy, startSocksProxy } from '../fixtures/proxies.ts'
import { makeCertificates } from '../fixtures/site.ts'
import type { DialTarget, ProxyReach } from './dialer.ts'
import type { RouteOptions } from './route.ts'
import { tlsConnector } from './tls-connector.ts'
import { undiciDialer } from './undici.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway()
})
test.after.always(() => gateway.close())

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )

/** One exchange with the gateway by the way that `change` describes. Nobody may ask this machine's resolver. */
async function visit(
  t: ExecutionContext,
  change: Partial<DialTarget>,
  options: RouteOptions & { readonly connectMs?: number } = {},
): Promise<{ readonly fields: string[] }> {
  const resolve = async (host: string): Promise<string[]> => {
    throw new Error(`the resolver was asked for ${host}`)
  }
  const { connectMs = 10_000, ...rest } = options
  const dialer = undiciDialer({ connector: tlsConnector({ resolve, connectMs, ...rest }) })
  t.teardown(() => dialer.close())
  const target: DialTarget = {
    ...{ id: 'e1', name: 'Test', host: HOST, port: gateway.site.port },
    ...{ addresses: [], certificate: gateway.certificates.pin, ...change },
  }
  const request = { method: 'GET', target: '/', headers: [], body: undefined } as const
  const { body } = await dialer.exchange(target, request, { family: 'node', timeoutMs: 20_000 })
  return JSON.parse(Buffer.from(body).toString())
}

const proxyAt = (proxy: TestProxy | { readonly port: number }, change: Partial<ProxyReach> = {}): ProxyReach => ({
  ...{ id: 'p1', kind: 'http', name: 'proxy', host: '127.0.0.1', port: proxy.port },
  ...{ addresses: [], certificate: undefined, ...change },
})

const credentials = { user: 'anna', password: 'p:ä ss' }
const pair = `${credentials.user}:${credentials.password}`
const places = { [HOST]: '127.0.0.1' }

interface Kind {
  readonly kind: ProxyReach['kind']
  readonly start: (rules: ProxyRules) => Promise<TestProxy>
  /** What the proxy says where it must not, and where the place is not there. */
  readonly forbidden: number
  readonly beyond: number
}

const kinds: readonly Kind[] = [
  { kind: 'http', start: (rules) => startHttpProxy(rules), forbidden: 403, beyond: 504 },
  { kind: 'socks5', start: startSocksProxy, forbidden: 2, beyond: 5 },
]

for (const { kind, start, forbidden, beyond } of kinds) {
  const through = async (t: ExecutionContext, rules: ProxyRules): Promise<TestProxy> => {
    const proxy = await start(rules)
    t.teardown(() => proxy.close())
    return proxy
  }

  test(`${kind}: the proxy is asked for the name, and nobody else is`, async (t) => {
    const proxy = await through(t, { places })
    await visit(t, { proxy: proxyAt(proxy, { kind }) })
    t.deepEqual(proxy.asked, [`${HOST}:${gateway.site.port}`])
    t.deepEqual(proxy.offered, [])
  })

  test(`${kind}: pinned addresses, where the proxy does not find the name`, async (t) => {
    const proxy = await through(t, { places: { '127.0.0.1': '127.0.0.1' } })
    await visit(t, { addresses: ['127.0.0.9', '127.0.0.1'], proxy: proxyAt(proxy, { kind }) })
    t.deepEqual(
      proxy.asked.map((place) => place.split(':')[0]),
      [HOST, '127.0.0.9', '127.0.0.1'],
    )
  })

  test(`${kind}: credentials, right, missing and wrong`, async (t) => {
    const proxy = await through(t, { places, credentials: pair })
    await visit(t, { proxy: proxyAt(proxy, { kind, credentials }) })
    t.deepEqual(proxy.offered, [pair])
    t.is(await codeOf(visit(t, { proxy: proxyAt(proxy, { kind }) })), 'E_PROXY_AUTH')
    const wrong = { user: 'anna', password: 'guess-hunter2' }
    const before = proxy.asked.length + proxy.offered.length
    const to = { addresses: ['127.0.0.1'], proxy: proxyAt(proxy, { kind, credentials: wrong }) }
    const error = (await t.throwsAsync(visit(t, to))) as SottoError
    t.true(
      proxy.asked.length + proxy.offered.length - before <= 2,
      'a wrong password is not offered again for an address',
    )
    t.is(error.code, 'E_PROXY_AUTH')
    // Neither in the text nor anywhere in what it drags along.
    t.false(inspect(error, { depth: 20, showHidden: true }).includes('hunter2'))
  })

  test(`${kind}: it forbids, or does not get there`, async (t) => {
    const never = await through(t, { places, refusal: forbidden })
    t.is(await codeOf(visit(t, { proxy: proxyAt(never, { kind }) })), 'E_PROXY_REFUSED')
    const cannot = await through(t, { places, refusal: beyond })
    t.is(await codeOf(visit(t, { proxy: proxyAt(cannot, { kind }) })), 'E_PATH_REFUSED')
  })

  test.serial(`${kind}: it is not there, says nothing, hangs up, or is no proxy; nothing goes around it`, async (t) => {
    const before = gateway.site.connections()
    const closed = await start({ places })
    await closed.close()
    const odd = async (answer: string | undefined): Promise<{ port: number }> => {
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => (answer === undefined ? undefined : socket.end(answer)))
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.teardown(() => void server.close())
      return { port: (server.address() as AddressInfo).port }
    }
    const direct = { addresses: ['127.0.0.1'] }
    const by = async (proxy: { port: number }): Promise<string> =>
      codeOf(visit(t, { ...direct, proxy: proxyAt(proxy, { kind }) }, { connectMs: 400 }))
    t.is(await by(closed), 'E_PROXY_UNREACHABLE')
    t.is(await by(await odd(undefined)), 'E_PROXY_UNREACHABLE')
    t.is(await by(await odd('')), 'E_PROXY_UNREACHABLE')
    t.is(await by(await odd('SSH-2.0-OpenSSH_9.9\r\n')), 'E_PROXY_REFUSED')
    t.is(gateway.site.connections(), before)
  })
}

test('http: a proxy that says 401 means the same', async (t) => {
  const proxy = await startHttpProxy({ places, refusal: 401 })
  t.teardown(() => proxy.close())
  t.is(await codeOf(visit(t, { proxy: proxyAt(proxy, { credentials }) })), 'E_PROXY_AUTH')
})

test('http: what it wants instead of Basic is said', async (t) => {
  const proxy = await startHttpProxy({ places, credentials: pair, challenge: 'NTLM' })
  t.teardown(() => proxy.close())
  const error = await t.throwsAsync(visit(t, { proxy: proxyAt(proxy) }), { code: 'E_PROXY_AUTH' })
  t.regex(error!.message, /NTLM/)
})

test('DialLimits.proxyHeadBytes: a proxy that talks without end', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.write(`HTTP/1.1 200 ok\r\nX: ${'a'.repeat(100_000)}`))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  const proxy = proxyAt({ port: (server.address() as AddressInfo).port })
  t.is(await codeOf(visit(t, { proxy })), 'E_PROXY_REFUSED')
})

test('https: the proxy shows a certificate that an authority vouches for, or the pinned one', async (t) => {
  const certificates = await makeCertificates('proxy.test')
  const proxy = await startHttpProxy({ places, credentials: pair }, certificates)
  t.teardown(() => proxy.close())
  const https = (change: Partial<ProxyReach>): ProxyReach =>
    proxyAt(proxy, { kind: 'https', host: 'proxy.test', addresses: ['127.0.0.1'], credentials, ...change })
  const authorities = [certificates.authority]
  await visit(t, { proxy: https({}) }, { authorities })
  await visit(t, { proxy: https({ certificate: certificates.pin }) })
  t.is(await codeOf(visit(t, { proxy: https({}) })), 'E_PROXY_UNREACHABLE')
  t.is(await codeOf(visit(t, { proxy: https({ host: 'other.test' }) }, { authorities })), 'E_PROXY_UNREACHABLE')
  const other = certificates.pin.map((octet) => octet ^ 1)
  t.is(await codeOf(visit(t, { proxy: https({ certificate: other }) }, { authorities })), 'E_PROXY_UNREACHABLE')
  t.deepEqual(proxy.offered, [pair, pair], 'no password before the certificate is known')
})

test('a proxy in this network is found by its name, wherever that leads', async (t) => {
  const proxy = await startHttpProxy({ places })
  t.teardown(() => proxy.close())
  const asked: string[] = []
  const resolve = async (host: string): Promise<string[]> => {
    asked.push(host)
    return ['127.0.0.1']
  }
  await visit(t, { proxy: proxyAt(proxy, { host: 'proxy.corp.example' }) }, { resolve })
  t.deepEqual(asked, ['proxy.corp.example'])
})

test('tor: each gateway has credentials of its own, so circuits of its own', async (t) => {
  const proxy = await startSocksProxy({ places })
  t.teardown(() => proxy.close())
  const tor = proxyAt(proxy, { kind: 'tor' })
  for (const id of ['e1', 'e2', 'e1']) await visit(t, { id, proxy: tor })
  t.is(proxy.offered[0], proxy.offered[2])
  t.not(proxy.offered[0], proxy.offered[1])
})

test('a front: TLS names it, the request names the gateway, and its own certificate counts', async (t) => {
  const front = { name: 'Test', host: HOST, port: gateway.site.port, addresses: ['127.0.0.1'] }
  const hidden = { host: 'hidden.test', port: 443, certificate: new Uint8Array(32) }
  const names: (string | false | null)[] = []
  const note = (socket: { servername: string | false | null }): void => void names.push(socket.servername)
  gateway.site.server.on('secureConnection', note)
  const { fields } = await visit(t, { ...hidden, front: { ...front, certificate: gateway.certificates.pin } })
  gateway.site.server.off('secureConnection', note)
  t.deepEqual(fields.slice(0, 2), ['host', 'hidden.test'])
  t.true(names.includes(HOST))
  t.is(await codeOf(visit(t, { ...hidden, front: { ...front, certificate: undefined } })), 'E_PATH_TLS')
})

test('a front behind a proxy: the proxy hears the front’s name alone', async (t) => {
  const proxy = await startSocksProxy({ places })
  t.teardown(() => proxy.close())
  const front = {
    name: 'Test',
    host: HOST,
    port: gateway.site.port,
    addresses: [],
    certificate: gateway.certificates.pin,
  }
  await visit(t, { host: 'hidden.test', port: 443, front, proxy: proxyAt(proxy, { kind: 'socks5' }) })
  t.deepEqual(proxy.asked, [`${HOST}:${gateway.site.port}`])
})

test('where TLS fails at one address, the next one is tried', async (t) => {
  const server = createServer((socket) => socket.once('data', () => socket.destroy()))
  server.listen(gateway.site.port, '127.0.0.5')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  await visit(t, { addresses: ['127.0.0.5', '127.0.0.1'] })
  t.is(await codeOf(visit(t, { addresses: ['127.0.0.5'] })), 'E_PATH_HELLO')
})

test('IPv6 only: nothing else is dialed, and that there is nothing else is said', async (t) => {
  const only = { ipv6Only: true }
  const error = await t.throwsAsync(visit(t, { addresses: ['127.0.0.1'] }, only), { code: 'E_PATH_DNS' })
  t.regex(error!.message, /IPv6/)
  const proxy = await startHttpProxy({ places })
  t.teardown(() => proxy.close())
  t.is(await codeOf(visit(t, { proxy: proxyAt(proxy) }, only)), 'E_PROXY_UNREACHABLE')
  t.deepEqual(proxy.asked, [])
})
