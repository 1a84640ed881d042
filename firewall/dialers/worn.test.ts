/** Connections that are not to be relied on any more, and those that never come about. */
import type { AddressInfo } from 'node:net'
import test from 'ava'
import type { SottoError } from '#protocol/errors.ts'
import type { TestGateway } from '../fixtures/gateway.ts'
import { HOST, startGateway } from '../fixtures/gateway.ts'
import { startSite } from '../fixtures/site.ts'
import { DialLimits } from '../limits.ts'
import type { DialTarget } from './dialer.ts'
import { pathError } from './path-error.ts'
import { tlsConnector } from './tls-connector.ts'
import { undiciDialer } from './undici.ts'

let gateway: TestGateway
test.before(async () => {
  gateway = await startGateway()
})
test.after.always(() => gateway.close())

const request = { method: 'GET', target: '/', headers: [], body: undefined } as const
const targetAt = (port: number): DialTarget => ({
  ...{ id: 'e1', name: 'Test', host: HOST, port },
  ...{ addresses: ['127.0.0.1'], certificate: gateway.certificates.pin },
})

test('more exchanges than connections, and none comes about: each is told, and none stands in the way of the next', async (t) => {
  const connector = () => async () => {
    throw pathError('E_PATH_TLS', 'Test')
  }
  const dialer = undiciDialer({ connector, apartMs: 0 })
  t.teardown(() => dialer.close())
  const all = Array.from({ length: 2 * DialLimits.connections + 1 }, () =>
    dialer
      .exchange(targetAt(1), request, { family: 'node', timeoutMs: 5_000 })
      .catch((error: SottoError) => error.code),
  )
  t.deepEqual(new Set(await Promise.all(all)), new Set(['E_PATH_TLS']))
})

test('a fresh exchange closes what is idle and has a connection of its own', async (t) => {
  const site = await startSite(gateway.certificates, (_, response) => response.end('x'))
  t.teardown(() => site.close())
  const dialer = undiciDialer({ connector: tlsConnector({ resolve: async () => [] }), apartMs: 0 })
  t.teardown(() => dialer.close())
  const { port } = site.server.address() as AddressInfo
  const get = (fresh: boolean): Promise<unknown> =>
    dialer.exchange(targetAt(port), request, { family: 'node', timeoutMs: 5_000, fresh })
  await get(false)
  await get(false)
  t.is(site.connections(), 1)
  await get(true)
  t.is(site.connections(), 2)
  await get(false)
  t.is(site.connections(), 2, 'the old one is not used again')
})

test('after a silence no idle connection is trusted', async (t) => {
  const answer: { silent: boolean } = { silent: false }
  const site = await startSite(gateway.certificates, (_, response) => {
    if (!answer.silent) setTimeout(() => response.end('x'), 50)
  })
  t.teardown(() => site.close())
  const dialer = undiciDialer({ connector: tlsConnector({ resolve: async () => [] }), apartMs: 0 })
  t.teardown(() => dialer.close())
  const get = (timeoutMs: number): Promise<unknown> =>
    dialer.exchange(targetAt(site.port), request, { family: 'node', timeoutMs })
  await Promise.all([get(5_000), get(5_000)])
  t.is(site.connections(), 2)
  answer.silent = true
  await t.throwsAsync(get(100), { code: 'E_PATH_TIMEOUT' })
  answer.silent = false
  await get(5_000)
  t.is(site.connections(), 3, 'neither the silent one nor its neighbour')
})
