/** Ways out of the person's choice, in the firewall: kept, sealed, used, and not the core's to change. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { serveBroker } from './broker.ts'
import { connectBroker } from './core-side.ts'
import type { Resolve } from './dialers/names.ts'
import { tlsConnector } from './dialers/tls-connector.ts'
import { undiciDialer } from './dialers/undici.ts'
import type { TestGateway } from './fixtures/gateway.ts'
import { HOST, startGateway } from './fixtures/gateway.ts'
import { startSocksProxy } from './fixtures/proxies.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { openBroker } from './library.ts'
import type { LocalBroker } from './local-broker.ts'
import type { Broker } from './permit.ts'
import type { WayChange } from './ways.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway()
})
test.after.always(() => gateway.close())

const PASSWORD = 'correct horse'

const nobody: Resolve = async () => {
  throw new Error('ENOTFOUND')
}

async function open(t: ExecutionContext, folder: string, resolve: Resolve = nobody): Promise<LocalBroker> {
  const dialer = undiciDialer({ connector: tlsConnector({ resolve }) })
  const broker = await openBroker({ folder, dialers: [dialer], now: Date.now, random: randomBytes })
  t.teardown(() => broker.close())
  return broker
}

async function visit(broker: Broker, id: string): Promise<{ fields: string[] }> {
  const permit = await broker.permit(id)
  const headers = [['Host', `${permit.endpoint.host}:${permit.endpoint.port}`]] as const
  const request = { method: 'GET', target: '/', headers, body: undefined } as const
  return JSON.parse(
    Buffer.from((await permit.exchange(request, { family: 'node', timeoutMs: 20_000 })).body).toString(),
  )
}

async function socks(t: ExecutionContext) {
  const proxy = await startSocksProxy({ places: { [HOST]: '127.0.0.1' }, credentials: `anna:${PASSWORD}` })
  t.teardown(() => proxy.close())
  const change: WayChange = {
    kind: 'proxy',
    proxy: {
      ...{ kind: 'socks5', name: 'the proxy', host: '127.0.0.1', port: proxy.port, addresses: [] },
      ...{ certificate: undefined, credentials: { user: 'anna', password: PASSWORD } },
    },
  }
  return { proxy, change }
}

test('a proxy holds for what stands, and for the next run; clearing it leads straight again', async (t) => {
  const folder = await temporaryFolder(t)
  const { proxy, change } = await socks(t)
  const first = await open(t, folder)
  const [endpoint] = await first.admitInvite(gateway.link)
  await visit(first, endpoint!.id)
  t.is(proxy.asked.length, 0)
  await first.changeWays(Promise.resolve(change))
  await visit(first, endpoint!.id)
  t.is(proxy.asked.length, 1, 'the connection that stood is not used again')
  await first.close()

  const second = await open(t, folder)
  const shown = { kind: 'socks5', host: '127.0.0.1', port: proxy.port, hasCredentials: true } as const
  t.deepEqual(await second.ways(), { ipv6Only: false, proxy: shown, fronts: [] })
  await visit(second, endpoint!.id)
  t.is(proxy.asked.length, 2)
  await second.changeWays(Promise.resolve({ kind: 'proxy', proxy: undefined }))
  await visit(second, endpoint!.id)
  t.is(proxy.asked.length, 2)
  t.deepEqual(await second.ways(), { ipv6Only: false, fronts: [] })
})

test('the password is in no file in the clear, and neither it nor the proxy’s name is in the log', async (t) => {
  const folder = await temporaryFolder(t)
  const { change } = await socks(t)
  const broker = await open(t, folder)
  const [endpoint] = await broker.admitInvite(gateway.link)
  await broker.changeWays(Promise.resolve(change))
  await visit(broker, endpoint!.id)
  await broker.close()
  const files = await readdir(folder)
  t.true(files.includes('ways'))
  for (const file of files) t.false((await readFile(join(folder, file), 'latin1')).includes(PASSWORD), file)
  const log = await readFile(join(folder, 'audit.log'), 'utf8')
  t.false(log.includes('127.0.0.1'))
  t.regex(log, /"kind":"admitted","endpoint":"[0-9a-f]{16}"}\n.*"kind":"admitted"/s)
})

test('a file that was changed is left as it is, and told', async (t) => {
  const folder = await temporaryFolder(t)
  const { change } = await socks(t)
  const broker = await open(t, folder)
  await broker.changeWays(Promise.resolve(change))
  await broker.close()
  const path = join(folder, 'ways')
  const content = await readFile(path)
  content[40]! ^= 1
  await writeFile(path, content)
  await t.throwsAsync(open(t, folder), { code: 'E_STATE_UNREADABLE' })
  t.deepEqual(await readFile(path), content)
})

test('a front: TLS names it, requests name what it asks for, and it goes with its gateway', async (t) => {
  const folder = await temporaryFolder(t)
  const broker = await open(t, folder)
  const [hidden] = await broker.admitInvite(
    encodeInvite({
      name: 'Hidden',
      gateways: [{ host: 'hidden.test', port: 443, addresses: [], key: gateway.key, cohort: gateway.cohort }],
      ...{ code: randomBytes(16), template: 'plain', expires: 4_000_000_000, root: randomBytes(32) },
    }),
  )
  const reach = { host: HOST, port: gateway.site.port, addresses: ['127.0.0.1'], certificate: gateway.certificates.pin }
  const set = (asks: string | undefined, name = 'Hidden'): Promise<void> =>
    broker.changeWays(Promise.resolve({ kind: 'front', gateway: name, front: { reach, asks } }))
  await set(undefined)
  const permit = await broker.permit(hidden!.id)
  const asked = async (): Promise<string> => {
    const request = { method: 'GET', target: '/', headers: [['Host', 'hidden.test']], body: undefined } as const
    const { body } = await permit.exchange(request, { family: 'node', timeoutMs: 20_000 })
    return JSON.parse(Buffer.from(body).toString()).fields[1]
  }
  t.is(await asked(), 'hidden.test')
  await set('d111.cdn.example')
  t.is(await asked(), 'd111.cdn.example')
  await t.throwsAsync(set(undefined, 'Nowhere'), { code: 'E_USAGE' })
  await t.throwsAsync(broker.ways(), { code: 'E_USAGE' })
  await broker.forget(hidden!.id)
  await broker.changeWays(Promise.resolve({ kind: 'proxy', proxy: undefined }))
  t.deepEqual((await broker.ways()).fronts, [])
})

test('an address that led there is remembered for the day on which the resolver lies', async (t) => {
  const folder = await temporaryFolder(t)
  const link = encodeInvite({
    name: 'Here',
    gateways: [
      {
        ...{ host: 'gateway.localhost', port: gateway.site.port, addresses: [] },
        ...{ key: gateway.key, cohort: gateway.cohort, tls: gateway.certificates.pin },
      },
    ],
    ...{ code: randomBytes(16), template: 'plain', expires: 4_000_000_000, root: randomBytes(32) },
  })
  const first = await open(t, folder, async () => ['127.0.0.1'])
  const [endpoint] = await first.admitInvite(link)
  await visit(first, endpoint!.id)
  await first.close()
  const second = await open(t, folder, nobody)
  t.truthy(await visit(second, endpoint!.id))
  await second.close()
  const fresh = await open(t, await temporaryFolder(t), nobody)
  const [unknown] = await fresh.admitInvite(link)
  await t.throwsAsync(visit(fresh, unknown!.id), { code: 'E_PATH_DNS' })
})

test('the core sees the ways without passwords, and cannot change them', async (t) => {
  const { change } = await socks(t)
  const local = await open(t, await temporaryFolder(t))
  await local.changeWays(Promise.resolve(change))
  const [near, far] = duplexPair()
  const server = serveBroker(local, far, () => {})
  t.teardown(() => server.close())
  const remote = connectBroker(near, () => {})
  const ways = await remote.ways()
  t.true(ways.proxy?.hasCredentials)
  t.false(JSON.stringify(ways).includes(PASSWORD))
  t.false('changeWays' in remote)
})
