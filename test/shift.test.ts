/** A tunnel that has several templates: what it does when one does not carry, over real HTTP. */
import test, { type ExecutionContext } from 'ava'
import type { Clockwork } from '#client/clockwork.ts'
import { realClockwork } from '#client/clockwork.ts'
import type { Tunnel } from '#client/tunnel.ts'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Service } from '#protocol/services/service.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import type { TestGateway } from './helpers/pair.ts'
import { openTunnel, startGateway } from './helpers/pair.ts'
import { matcherOf, plainOf } from './helpers/plain-template.ts'

const echo: Service = { unary: { 'test.echo': (args) => args }, subscribe: {} }

/** Waits of seconds become fifths of them. */
const QUICK = 5
const quick: Clockwork = {
  ...realClockwork,
  now: () => 1_700_000_000_000 + Math.round(performance.now() * QUICK),
  after: (ms, run) => realClockwork.after(ms / QUICK, run),
}

const [a, b, c] = [plainOf('a'), plainOf('b'), plainOf('c')]
/** Asks for what `a` asks for, and answers in another form. */
const twin = plainOf('twin', 'a', '2')

interface Scene {
  readonly gateway: TestGateway
  readonly tunnel: Tunnel
  readonly took: string[]
  readonly pointers: PackPointer[]
}

async function scene(t: ExecutionContext, ...plains: readonly ReturnType<typeof plainOf>[]): Promise<Scene> {
  const gateway = await startGateway([echo])
  gateway.accept(matcherOf(...plains))
  const took: string[] = []
  const pointers: PackPointer[] = []
  const templates: readonly CompiledTemplate[] = plains.map(({ template }) => template)
  const looks = {
    candidates: async () => templates,
    took: ({ id }: CompiledTemplate) => void took.push(id),
    pointed: (pointer: PackPointer) => void pointers.push(pointer),
  }
  const tunnel = openTunnel(gateway.port, { template: templates[0]!, looks, clockwork: quick })
  t.teardown(async () => {
    gateway.fault = (_request, _response, pass) => pass()
    await tunnel.stop()
    await gateway.stop()
  })
  return { gateway, tunnel, took, pointers }
}

/** Requests below these paths do not get through. */
function block(gateway: TestGateway, ...prefixes: readonly string[]): { count: number } {
  const blocked = { count: 0 }
  gateway.fault = (request, _response, pass) => {
    if (!prefixes.some((prefix) => request.url?.startsWith(prefix))) return pass()
    blocked.count++
    request.socket.destroy()
  }
  return blocked
}

test('a template that is blocked in the middle of a session is left; the session goes on', async (t) => {
  const { gateway, tunnel, took } = await scene(t, a, b)
  t.is(await tunnel.call('test.echo', 1), 1)
  const blocked = block(gateway, '/a/')
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => tunnel.call('test.echo', i)))
  t.deepEqual(
    answers,
    Array.from({ length: 20 }, (_, i) => i),
  )
  t.is(tunnel.status.sessions, 1)
  t.is(tunnel.status.template, 'b')
  t.deepEqual(took, ['a', 'b'])
  const before = blocked.count
  t.is(await tunnel.call('test.echo', 'x'), 'x')
  t.is(blocked.count, before, 'nothing goes on in the old one')
})

test('of several others, the first that carries is taken', async (t) => {
  const { gateway, tunnel } = await scene(t, a, b, c)
  await tunnel.session()
  block(gateway, '/a/', '/b/')
  t.is(await tunnel.call('test.echo', 1), 1)
  t.is(tunnel.status.template, 'c')
  t.is(tunnel.status.sessions, 1)
})

test('a template that the gateway does not take any more is left; the session goes on', async (t) => {
  const { gateway, tunnel } = await scene(t, a, b)
  t.is(await tunnel.call('test.echo', 1), 1)
  gateway.accept(matcherOf(b))
  const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => tunnel.call('test.echo', i)))
  t.is(answers.length, 10)
  t.is(tunnel.status.template, 'b')
  t.is(tunnel.status.sessions, 1)
  t.is(gateway.sessions.count, 1)
})

test('where none of its templates is taken, it begins anew with one that is', async (t) => {
  const { gateway, tunnel } = await scene(t, a, b, c)
  await tunnel.session()
  gateway.accept(matcherOf())
  const call = tunnel.call('test.echo', 1, { timeoutMs: 600_000 })
  while (tunnel.status.state.kind !== 'failing') await new Promise((resolve) => setTimeout(resolve, 5))
  gateway.accept(matcherOf(c))
  t.is(await call, 1)
  t.is(tunnel.status.template, 'c')
})

test('a start that fails goes on with the next template', async (t) => {
  const gateway = await startGateway([echo])
  block(gateway, '/a/')
  gateway.accept(matcherOf(a, b))
  const candidates = async (): Promise<readonly CompiledTemplate[]> => [a.template, b.template]
  const looks = { candidates, took: () => {}, pointed: () => {} }
  const tunnel = openTunnel(gateway.port, { template: a.template, looks, clockwork: quick })
  t.is(await tunnel.call('test.echo', 1), 1)
  t.is(tunnel.status.template, 'b')
  await tunnel.stop()
  await gateway.stop()
})

test('a trial says what carries, and disturbs nothing', async (t) => {
  const { gateway, tunnel, took } = await scene(t, a, b)
  await tunnel.session()
  block(gateway, '/b/')
  const [outcome, ...answers] = await Promise.all([
    tunnel.trial(b.template),
    ...Array.from({ length: 10 }, (_, i) => tunnel.call('test.echo', i)),
  ])
  t.is(outcome, 'failed')
  t.deepEqual(
    answers,
    Array.from({ length: 10 }, (_, i) => i),
  )
  t.is(await tunnel.trial(a.template), 'carried')
  t.is(tunnel.status.template, 'a')
  t.is(tunnel.status.sessions, 1)
  t.true(tunnel.path.works)
  t.deepEqual(took, ['a'])
  tunnel.use(b.template)
  gateway.fault = (_request, _response, pass) => pass()
  t.is(await tunnel.call('test.echo', 'b'), 'b')
  t.is(tunnel.status.template, 'b')
})

test('trials do not use up the numbers that a session needs', async (t) => {
  const { gateway, tunnel } = await scene(t, a, b)
  await tunnel.session()
  block(gateway, '/a/', '/b/')
  const outcomes: string[] = []
  for (let i = 0; i < 12; i++) outcomes.push(await tunnel.trial(b.template))
  t.is(outcomes[0], 'failed')
  t.is(outcomes.at(-1), 'busy')
  gateway.fault = (_request, _response, pass) => pass()
  t.is(await tunnel.call('test.echo', 1), 1)
  t.is(tunnel.status.sessions, 1)
  t.is(await tunnel.trial(b.template), 'carried')
})

test('two live templates with the same requests and other answers are told apart', async (t) => {
  for (const order of [
    [a, twin],
    [twin, a],
  ] as const) {
    const { gateway, tunnel } = await scene(t, ...order)
    t.is(await tunnel.call('test.echo', 1), 1)
    t.is(await tunnel.trial(order[1].template), 'carried')
    tunnel.use(order[1].template)
    t.is(await tunnel.call('test.echo', 2), 2)
    t.is(tunnel.status.sessions, 1)
    t.deepEqual(gateway.strangers, [])
  }
})

test('what the gateway points to is heard', async (t) => {
  const { gateway, tunnel, pointers } = await scene(t, a)
  const { mux } = await tunnel.session()
  t.false(mux.isClosed)
  const pointer = { stage: 2, ttl: 60, hash: new Uint8Array(32).fill(5) } as const
  for (const member of gateway.sessions.members()) t.is(typeof member, 'string')
  gateway.point(pointer)
  t.is(await tunnel.call('test.echo', 1), 1)
  t.is(await tunnel.call('test.echo', 2), 2)
  t.deepEqual(pointers, [pointer])
})
