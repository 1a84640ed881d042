/** Tunnel and gateway over real HTTP, through a network that cuts, drops and doubles. */
import test from 'ava'
import { Limits } from '#protocol/constants.ts'
import type { Service } from '#protocol/services/service.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { Priority } from '#protocol/session/stream.ts'
import { openTunnel, startGateway } from './helpers/pair.ts'
import { plainTemplate } from './helpers/plain-template.ts'
import { prng } from './helpers/prng.ts'

const echo: Service = {
  unary: {
    'test.echo': (args) => args,
    'test.never': () => new Promise(() => {}),
    'test.refuse': () => {
      throw new ServiceFailure('no')
    },
  },
  subscribe: {
    'test.count': async (args, _caller, push, signal) => {
      for (let i = (args as { from: number }).from; !signal.aborted; i++) {
        await push(i)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
  },
}

test('calls come back, refusals keep their reason', async (t) => {
  const gateway = await startGateway([echo])
  const tunnel = openTunnel(gateway.port)
  t.deepEqual(await tunnel.call('test.echo', { a: [1, 'x', null] }), { a: [1, 'x', null] })
  await t.throwsAsync(tunnel.call('test.refuse', {}), { instanceOf: ServiceFailure, message: 'no' })
  await t.throwsAsync(tunnel.call('test.absent', {}), { instanceOf: ServiceFailure, message: 'unknown-method' })
  t.is(tunnel.status.state.kind, 'ready')
  await tunnel.stop()
  t.is(gateway.sessions.count, 0, 'the gateway hears of the end')
  t.deepEqual(gateway.strangers, [])
  await gateway.stop()
})

test('calls that are not answered in time leave nothing behind in the session', async (t) => {
  const gateway = await startGateway([echo])
  const tunnel = openTunnel(gateway.port)
  const { mux } = await tunnel.session(10_000)
  const calls = Array.from({ length: 100 }, () => tunnel.call('test.never', {}, { timeoutMs: 50 }))
  for (const call of calls) await t.throwsAsync(call, { code: 'E_TUNNEL_TIMEOUT' })
  t.is(mux.streamCount, 1)
  const again = Array.from({ length: 100 }, (_, i) => tunnel.call('test.echo', i))
  t.is((await Promise.all(again)).length, 100)
  t.false(mux.isClosed)
  await tunnel.stop()
  await gateway.stop()
})

test('more calls at once than a session may have streams all come back', async (t) => {
  const gateway = await startGateway([echo])
  const tunnel = openTunnel(gateway.port)
  const answers = await Promise.all(Array.from({ length: 3 * Limits.streams }, (_, i) => tunnel.call('test.echo', i)))
  t.deepEqual(
    answers,
    Array.from({ length: 3 * Limits.streams }, (_, i) => i),
  )
  t.is(tunnel.status.sessions, 1)
  await tunnel.stop()
  await gateway.stop()
})

test('messages of 60 kB cross, and one over the limit is refused where it is made', async (t) => {
  const gateway = await startGateway([echo])
  const tunnel = openTunnel(gateway.port)
  const body = prng(1).bytes(60_000)
  const answer = await tunnel.call('test.echo', { body }, { priority: Priority.bulk })
  t.deepEqual((answer as { body: Uint8Array }).body, body)
  await t.throwsAsync(tunnel.call('test.echo', { body: new Uint8Array(70_000) }), { instanceOf: RangeError })
  await tunnel.stop()
  await gateway.stop()
})

test('requests lost, answers lost, connections cut, requests doubled: every call still comes back', async (t) => {
  const gateway = await startGateway([echo])
  const rng = prng(7)
  gateway.fault = (request, response, pass) => {
    const kind = rng.below(10)
    if (kind === 0) request.socket.destroy()
    else if (kind === 1) {
      const end = response.end.bind(response)
      response.end = (() => {
        request.socket.destroy()
        return end()
      }) as typeof response.end
      pass()
    } else if (kind === 2) {
      response.writeHead(502)
      response.end('bad gateway')
    } else pass()
  }
  const tunnel = openTunnel(gateway.port)
  for (let i = 0; i < 30; i++) t.is(await tunnel.call('test.echo', i), i)
  gateway.fault = (_request, _response, pass) => pass()
  await tunnel.stop()
  await gateway.stop()
})

test('a subscription begins again after the gateway has restarted, and calls under way are repeated', async (t) => {
  let gateway = await startGateway([echo])
  const { port } = gateway
  const tunnel = openTunnel(port)
  const seen: unknown[] = []
  const subscription = tunnel.subscribe(
    'test.count',
    () => ({ from: seen.length }),
    (item) => seen.push(item),
  )
  while (seen.length < 5) await new Promise((resolve) => setTimeout(resolve, 5))
  await gateway.stop()
  const call = tunnel.call('test.echo', 'later')
  gateway = await startGateway([echo], port)
  t.is(await call, 'later')
  const before = seen.length
  while (seen.length < before + 5) await new Promise((resolve) => setTimeout(resolve, 5))
  t.deepEqual(
    seen,
    seen.map((_, i) => i),
  )
  t.is(tunnel.status.sessions, 2)
  subscription.cancel()
  await tunnel.stop()
  await gateway.stop()
})

test('a gateway that is not there gives an error in time, and the call can be made again later', async (t) => {
  const gateway = await startGateway([echo])
  await gateway.stop()
  const tunnel = openTunnel(gateway.port)
  await t.throwsAsync(tunnel.call('test.echo', 1, { timeoutMs: 300 }), { code: 'E_TUNNEL_TIMEOUT' })
  t.is(tunnel.status.state.kind, 'failing')
  const again = await startGateway([echo], gateway.port)
  t.is(await tunnel.call('test.echo', 2), 2)
  await tunnel.stop()
  await again.stop()
})

test('a template chosen while the first contact is under way is the one from then on', async (t) => {
  const gateway = await startGateway([echo])
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  gateway.fault = (request, _response, pass) => void (request.url === '/' ? pass() : held.then(pass))
  const tunnel = openTunnel(gateway.port)
  while (gateway.requests < 2) await new Promise((resolve) => setImmediate(resolve))
  const chosen = { ...plainTemplate, id: 'chosen' }
  tunnel.use(chosen)
  release()
  t.is(await tunnel.call('test.echo', 1), 1)
  t.is(tunnel.status.template, 'chosen')
  await tunnel.stop()
  await gateway.stop()
})
