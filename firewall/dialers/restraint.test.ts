/** How many connections there are at once, and when they begin, while everything fails. */
import type { TLSSocket } from 'node:tls'
import test from 'ava'
import type { SottoError } from '#protocol/errors.ts'
import { prng } from '#test/helpers/prng.ts'
import type { TestGateway } from '../fixtures/gateway.ts'
import { HOST, startGateway } from '../fixtures/gateway.ts'
import { startSite } from '../fixtures/site.ts'
import type { DialTarget } from './dialer.ts'
import { pathError } from './path-error.ts'
import type { Connect } from './tls-connector.ts'
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
const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )

/** Connections that stand or are coming about, and the most there ever were. What is not wanted any more ends in this turn of the loop. */
class Census {
  most = 0
  readonly began: number[] = []
  private readonly pending = new Set<AbortSignal | undefined>()
  private readonly sockets: TLSSocket[] = []

  watch(connect: Connect): Connect {
    return async (unwanted) => {
      this.began.push(performance.now())
      this.pending.add(unwanted)
      const standing = this.sockets.filter(({ destroyed }) => !destroyed).length
      const coming = [...this.pending].filter((signal) => !signal?.aborted).length
      this.most = Math.max(this.most, standing + coming)
      try {
        const socket = await connect(unwanted)
        this.sockets.push(socket)
        return socket
      } finally {
        this.pending.delete(unwanted)
      }
    }
  }
}

for (const connections of [1, 3]) {
  test(`never more than ${connections} at once, while exchanges are cut, refused, given up and silent`, async (t) => {
    const rng = prng(connections)
    const site = await startSite(gateway.certificates, (incoming, response) => {
      const kind = rng.below(4)
      if (kind === 0) incoming.socket.destroy()
      else if (kind === 1) setTimeout(() => response.end('late'), 60)
      else if (kind === 2) response.writeHead(200, { connection: 'close' }).end('last')
      else response.end('fine')
    })
    t.teardown(() => site.close())
    const census = new Census()
    const real = tlsConnector({ resolve: async () => [] })
    const dialer = undiciDialer({ apartMs: 0, connector: (target) => census.watch(real(target)) })
    t.teardown(() => dialer.close())
    const all = Array.from({ length: 60 }, (_, i) => {
      const fresh = i % 7 === 0
      const signal = i % 5 === 0 ? AbortSignal.timeout(1 + rng.below(50)) : new AbortController().signal
      const options = { family: 'node' as const, timeoutMs: i % 11 === 0 ? 40 : 30_000, connections, fresh, signal }
      return outcome(dialer.exchange(targetAt(site.port), request, options))
    })
    const codes = await Promise.all(all)
    t.true(codes.includes('fine') && codes.includes('E_PATH_RESET') && codes.includes('E_PATH_CLOSED'))
    t.is(census.most, connections)
  })
}

test('where nothing is said there are two', async (t) => {
  const site = await startSite(gateway.certificates, (_, response) => setTimeout(() => response.end('x'), 20))
  t.teardown(() => site.close())
  const census = new Census()
  const real = tlsConnector({ resolve: async () => [] })
  const dialer = undiciDialer({ apartMs: 0, connector: (target) => census.watch(real(target)) })
  t.teardown(() => dialer.close())
  await Promise.all(
    Array.from({ length: 9 }, () =>
      dialer.exchange(targetAt(site.port), request, { family: 'node', timeoutMs: 30_000 }),
    ),
  )
  t.is(census.most, 2)
  t.is(site.connections(), 2)
})

test('a look that opens fewer connections leaves no more standing', async (t) => {
  const site = await startSite(gateway.certificates, (_, response) => setTimeout(() => response.end('x'), 20))
  t.teardown(() => site.close())
  const sockets: TLSSocket[] = []
  const real = tlsConnector({ resolve: async () => [] })
  const kept = (connect: Connect): Connect => {
    return async (unwanted) => {
      const socket = await connect(unwanted)
      sockets.push(socket)
      return socket
    }
  }
  const dialer = undiciDialer({ apartMs: 0, connector: (target) => kept(real(target)) })
  t.teardown(() => dialer.close())
  const standing = (): number => sockets.filter(({ destroyed }) => !destroyed).length
  const ask = (connections: number) =>
    dialer.exchange(targetAt(site.port), request, { family: 'node', timeoutMs: 30_000, connections })
  await Promise.all([ask(3), ask(3), ask(3)])
  t.is(standing(), 3)
  const busy = [ask(3), ask(3), ask(3)]
  const last = ask(1)
  await Promise.all([...busy, last])
  t.is(standing(), 1)
})

test('beginnings are apart, and what waits takes the first connection that is free', async (t) => {
  const site = await startSite(gateway.certificates, (_, response) => response.end('x'))
  t.teardown(() => site.close())
  const census = new Census()
  const real = tlsConnector({ resolve: async () => [] })
  // Apart by longer than the test takes: a second connection never comes about.
  const dialer = undiciDialer({ apartMs: 60_000, connector: (target) => census.watch(real(target)) })
  t.teardown(() => dialer.close())
  const all = Array.from({ length: 20 }, () =>
    dialer.exchange(targetAt(site.port), request, { family: 'node', timeoutMs: 30_000, connections: 3 }),
  )
  t.is((await Promise.all(all)).length, 20)
  t.is(census.began.length, 1)
})

test('what does not come about in time makes way, and is ended', async (t) => {
  let given: AbortSignal | undefined
  const connector = () => (unwanted?: AbortSignal) => {
    given = unwanted
    return new Promise<never>((_, reject) => {
      unwanted?.addEventListener('abort', () => reject(pathError('E_PATH_CLOSED', 'Test')), { once: true })
    })
  }
  const dialer = undiciDialer({ connector, apartMs: 0 })
  t.teardown(() => dialer.close())
  t.is(
    await outcome(dialer.exchange(targetAt(1), request, { family: 'node', timeoutMs: 20, connections: 1 })),
    'E_PATH_TIMEOUT',
  )
  t.true(given?.aborted)
  const before = given
  t.is(
    await outcome(dialer.exchange(targetAt(1), request, { family: 'node', timeoutMs: 20, connections: 1 })),
    'E_PATH_TIMEOUT',
  )
  t.not(given, before, 'the next one begins anew')
})
