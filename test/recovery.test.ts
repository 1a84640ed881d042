/** When a cut path is noticed, and how soon it works again, in simulated time: by the clock of the network, to the millisecond. */
import test, { type ExecutionContext } from 'ava'
import type { Tunnel } from '#client/tunnel.ts'
import type { Service } from '#protocol/services/service.ts'
import { SimulatedNetwork } from './helpers/simulated-network.ts'

const echo: Service = { unary: { 'test.echo': (args) => args }, subscribe: {} }

/** Jitter of holds and rests is not what this is about; a call is answered within a round trip and the gateway's hold. */
const SLACK = 150

interface Scene {
  readonly network: SimulatedNetwork
  readonly tunnel: Tunnel
  /** Milliseconds until `done`; undefined where it is not within `limit`. */
  until(done: () => boolean, limit?: number): Promise<number | undefined>
}

async function scene(t: ExecutionContext, rttMs: number): Promise<Scene> {
  const network = new SimulatedNetwork(rttMs, [echo])
  network.rttMs = rttMs
  const tunnel = network.open()
  const { time } = network
  t.teardown(() => network.close(tunnel))
  await time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  t.is(tunnel.status.state.kind, 'ready')
  // Polls and round trips have settled, and all connections stand.
  let settled = false
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 60; i++) await tunnel.call('test.echo', i)
    settled = true
  }
  void settle()
  await time.run(() => settled, 600_000)
  t.true(settled && tunnel.path.rtt < 1.1 * rttMs + SLACK, `believed to be ${tunnel.path.rtt} ms`)
  const until: Scene['until'] = async (done, limit = 120_000) => {
    const began = time.now
    await time.run(done, limit)
    return done() ? time.now - began : undefined
  }
  return { network, tunnel, until }
}

for (const rttMs of [20, 100, 400, 1_500]) {
  test(`RTT ${rttMs} ms, silence with data under way: noticed after max(3 s, 4 RTT), answered 2 round trips and a connection later`, async (t) => {
    const { network, tunnel, until } = await scene(t, rttMs)
    const { rtt } = tunnel.path
    network.strand()
    let answered = false
    const call = tunnel.call('test.echo', 'x').then(() => {
      answered = true
    })
    const noticed = await until(() => tunnel.status.state.kind === 'failing')
    t.true(noticed! <= Math.max(3_000, 4 * rtt) + SLACK, `noticed after ${noticed} ms`)
    const recovered = await until(() => answered)
    t.true(recovered! <= 2 * rttMs + 2 * rttMs + SLACK, `answered ${recovered} ms later`)
    await call
    t.is(tunnel.status.sessions, 1, 'the session is the same')
  })

  test(`RTT ${rttMs} ms, silence with nothing under way: noticed after the hold and 2 RTT`, async (t) => {
    const { network, tunnel, until } = await scene(t, rttMs)
    // Polls only, one after the other: what is believed now was believed when the one under way began.
    await network.time.run(() => false, 60_000)
    const bound = tunnel.status.holdMs + Math.max(1_000, 2 * tunnel.path.rtt)
    network.strand()
    const noticed = await until(() => tunnel.status.state.kind === 'failing')
    t.true(noticed! <= bound + SLACK, `noticed after ${noticed} ms of ${bound}`)
    const recovered = await until(() => tunnel.status.state.kind === 'ready')
    t.true(recovered! <= tunnel.status.holdMs + 4 * rttMs + 1_000, `works ${recovered} ms later`)
    t.is(tunnel.status.sessions, 1)
  })

  test(`RTT ${rttMs} ms, connections reset: answered 2 round trips and a connection later`, async (t) => {
    const { network, tunnel, until } = await scene(t, rttMs)
    network.weather = 'resets'
    let answered = false
    const call = tunnel.call('test.echo', 'x').then(() => {
      answered = true
    })
    await until(() => tunnel.status.state.kind === 'failing')
    network.weather = 'works'
    const recovered = await until(() => answered)
    // What was tried in the meantime fails first.
    t.true(recovered! <= rttMs + 2 * rttMs + 2 * rttMs + 500 + SLACK, `answered ${recovered} ms later`)
    await call
    t.is(tunnel.status.sessions, 1)
  })

  test(`RTT ${rttMs} ms, the gateway has forgotten the session: a handshake more`, async (t) => {
    const { network, tunnel, until } = await scene(t, rttMs)
    network.restart()
    let answered = false
    const call = tunnel.call('test.echo', 'x').then(() => {
      answered = true
    })
    const recovered = await until(() => answered)
    // New connection, the refusal, page, first contact, keys of the new session, and the call itself.
    t.true(recovered! <= 2 * rttMs + 6 * rttMs + SLACK, `answered ${recovered} ms later`)
    await call
    t.is(tunnel.status.sessions, 2)
  })
}

test('another network: what was held goes on there at once, and nothing waits for a connection that leads nowhere', async (t) => {
  const { network, tunnel, until } = await scene(t, 100)
  network.strand()
  void tunnel.moved()
  let answered = false
  const call = tunnel.call('test.echo', 'x').then(() => {
    answered = true
  })
  const recovered = await until(() => answered)
  t.true(recovered! <= 4 * 100 + 500 + SLACK, `answered after ${recovered} ms`)
  await call
  t.true(tunnel.status.findings.some(({ code }) => code === 'E_NET_MOVED'))
})

test('a gateway that ends every session at once is asked for another one more and more seldom', async (t) => {
  const { network, tunnel, until } = await scene(t, 100)
  let ends = true
  tunnel.onChange(({ state }) => {
    if (ends && state.kind === 'ready') network.time.after(0, () => network.endSessions())
  })
  network.endSessions()
  await until(() => false, 600_000)
  t.true(
    tunnel.status.sessions > 10 && tunnel.status.sessions < 80,
    `${tunnel.status.sessions} sessions in ten minutes`,
  )
  ends = false
  network.endSessions()
  const before = tunnel.status.sessions
  t.not(await until(() => tunnel.status.state.kind === 'ready' && tunnel.status.sessions > before, 60_000), undefined)
  await until(() => false, 60_000)
  // Once is nothing.
  network.endSessions()
  t.true((await until(() => tunnel.status.sessions > before + 1))! < 1_000)
})

test('numbers that were spent in vain end the session, and another one goes on', async (t) => {
  const { network, tunnel, until } = await scene(t, 100)
  const session = await tunnel.session()
  network.weather = 'silent'
  // As sockets and looks that are tried where nothing comes through.
  while (session.mayTake) session.abandon(session.takeBare(96).number)
  network.weather = 'works'
  let answered = false
  void tunnel.call('test.echo', 'x').then(() => {
    answered = true
  })
  t.not(await until(() => answered, 30_000), undefined)
  t.is(tunnel.status.sessions, 2)
})
