/** A tunnel in simulated time: when its exchanges begin is what the rhythm of its template says. No sockets. */
import test, { type ExecutionContext } from 'ava'
import type { Clockwork } from '#client/clockwork.ts'
import { Tunnel } from '#client/tunnel.ts'
import type { RhythmData } from '#engine/template.ts'
import type { Permit } from '#firewall/permit.ts'
import { Sessions } from '#gateway/sessions.ts'
import { hex, latin1 } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import { provesMembership } from '#protocol/handshake.ts'
import type { Service } from '#protocol/services/service.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { cohort, credentialKey, gatewaySecret, testPermit } from './helpers/pair.ts'
import { plainTemplate } from './helpers/plain-template.ts'
import { prng } from './helpers/prng.ts'
import { VirtualTime } from './helpers/virtual-time.ts'

const shape = plainTemplate.shape('poll')
/** At the gateway: no answer is longer than this, octets. */
const upTo = (max: number): typeof shape => {
  const classes = shape.down.classes.filter((each) => each <= max)
  const fit = (bytes: number): number => classes.find((size) => size >= bytes) ?? max
  return { ...shape, down: { ...shape.down, max, classes, fit } }
}
/** Round trip, milliseconds. */
const TRIP = 40

interface Exchange {
  /** Milliseconds since the tunnel was ready. */
  readonly at: number
  readonly octets: number
  /** Octets of its answer; undefined while it is held. */
  readonly down?: number | undefined
}

interface World {
  readonly time: VirtualTime
  readonly tunnel: Tunnel
  /** Those from the beginning until a while after it was ready, and the moment when it was, in the time of the others. */
  readonly beginning: { readonly readyAt: number; readonly exchanges: readonly Exchange[] }
  /** All since then. */
  exchanges(): Exchange[]
  /** Lets time go on by so much. */
  pass(ms: number): Promise<void>
}

const echo: Service = { unary: { 'test.echo': (args) => args }, subscribe: {} }

interface More {
  /** The path proves what it bears. */
  readonly proving?: boolean
  /** Octets of the longest answer; 4,096 where nothing is said, short as with the templates that there are. */
  readonly longest?: number
  readonly service?: (time: VirtualTime) => Service
}

async function world(t: ExecutionContext, rhythm: Partial<RhythmData>, more: More = {}): Promise<World> {
  const time = new VirtualTime()
  const { bytes } = prng(11)
  const now = (): number => time.now
  const soon = (run: () => void): void => void time.after(0, run)
  const tokens = new TokenTable()
  const sessions = new Sessions({
    ...{ random: bytes, now, monotonic: now, aging: now, soon },
    ...{ holdMs: 120_000, gatewaySecret, preferredAead: 1, tokens },
    services: [echo, ...(more.service === undefined ? [] : [more.service(time)])],
    schedule: (at, run) => time.after(at - time.now, run),
    admit: async (claim) =>
      claim.kind === 'credential' && provesMembership(claim, credentialKey)
        ? { member: hex(claim.credentialId), role: 'member' }
        : undefined,
    report: (error) => t.fail(String(error)),
  })
  sessions.setCohorts([{ id: 'test', keys: cohort }])
  const form = upTo(more.longest ?? 4_096)
  const all: { at: number; octets: number; down?: number }[] = []
  const answer = async (token: Uint8Array, parcel: Uint8Array): Promise<Uint8Array> => {
    const expected = tokens.find(latin1(token))
    if (expected === undefined) {
      const contact = { cohort: sessions.cohortOf(token)!, shape, token, parcel }
      return (await sessions.firstContact(contact))!.body
    }
    const live = sessions.of(expected.session)!
    return await new Promise((resolve) => live.exchange(expected, form, parcel, (answer) => resolve(answer!.body)))
  }
  const permit: Permit = {
    ...testPermit(0),
    exchange: async ({ target, headers, body = new Uint8Array(0) }) => {
      if (target === '/') return { status: 200, headers: [['date', new Date(time.now).toUTCString()]], body }
      const own: (typeof all)[number] = { at: time.now, octets: body.length }
      all.push(own)
      const header = (name: string): string | undefined => headers.find(([each]) => each === name)?.[1]
      await new Promise<void>((resolve) => time.after(TRIP / 2, resolve))
      const back = await answer(shape.readToken(target, header, body) as Uint8Array, body)
      own.down = back.length
      await new Promise<void>((resolve) => time.after(TRIP / 2, resolve))
      return { status: 200, headers: [['x-plain', '1']], body: back }
    },
  }
  const clockwork: Clockwork = { now, random: bytes, after: time.after, soon }
  const template = {
    ...plainTemplate,
    rhythm: { holdMs: [6_000, 8_000], concurrency: 3, polls: 1, ...rhythm } as const,
  }
  const tunnel = new Tunnel({ permit, template, clockwork, preferredAead: 1, rhythmSeed: bytes(16) })
  // What the path allows is the template's own, unless the test is about that.
  if (more.proving !== true) tunnel.path.edge.hold.proved = () => {}
  await time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  const readyAt = time.now
  // Whatever getting ready still takes.
  await time.run(() => false, 20_000)
  const start = time.now
  const beginning = { readyAt: readyAt - start, exchanges: all.map((each) => ({ ...each, at: each.at - start })) }
  all.length = 0
  t.teardown(async () => {
    const stopped = tunnel.stop()
    await time.run(() => false, 10_000)
    await stopped
    sessions.end()
  })
  const exchanges = (): Exchange[] => all.map((each) => ({ ...each, at: each.at - start }))
  return { time, tunnel, beginning, exchanges, pass: (ms) => time.run(() => false, ms) }
}

/** Polls of the plain template carry the least there is; what is sent fits its next class. */
const isSend = ({ octets }: Exchange): boolean => octets > shape.up.classes[0]!
const gaps = (exchanges: readonly Exchange[]): number[] =>
  exchanges.slice(1).map(({ at }, index) => at - exchanges[index]!.at)
const within = (values: readonly number[], [from, to]: readonly [number, number]): boolean =>
  values.length > 0 && values.every((value) => value >= from && value <= to)

test('without more said, a poll follows a poll at once, and is held as long as the template says', async (t) => {
  const { exchanges, pass } = await world(t, {})
  await pass(600_000)
  t.true(within(gaps(exchanges()), [6_000 + TRIP, 8_000 + TRIP]))
  t.true(exchanges().length > 70)
})

test('news is waited for under hybrid keys only: under the first ones none could come', async (t) => {
  const { beginning } = await world(t, {})
  const { readyAt, exchanges } = beginning
  const polls = exchanges.filter((each) => !isSend(each))
  t.true(exchanges.length - polls.length >= 2, 'what makes the keys')
  t.true(polls.length > 0)
  t.true(
    polls.every(({ at }) => at >= readyAt),
    JSON.stringify(beginning),
  )
})

test('an answer about keys that is longer than what a send brings back is asked for in pieces', async (t) => {
  const { tunnel, beginning, time } = await world(t, {}, { longest: 768 })
  t.is(tunnel.status.state.kind, 'ready', JSON.stringify(beginning))
  const call = tunnel.call('test.echo', 'x')
  await time.run(() => false, 10_000)
  t.is(await call, 'x')
})

test('a path that proves to bear it has polls held longer, and no longer than a gateway holds any', async (t) => {
  const { exchanges, pass, tunnel } = await world(t, {}, { proving: true })
  await pass(600_000)
  const all = gaps(exchanges())
  t.true(all.at(-1)! > 20_000 + TRIP)
  t.true(Math.max(...all) <= Limits.holdMs + TRIP)
  t.true(tunnel.status.holdMs <= Limits.holdMs)
})

test('think time: polls keep it, a send does not wait for it, and the answer rides in a poll soon after', async (t) => {
  const { exchanges, pass, tunnel, time } = await world(t, { thinkMs: [2_000, 4_000] })
  await pass(600_000)
  t.true(within(gaps(exchanges()), [8_000 + TRIP, 12_000 + TRIP]))
  const before = time.now
  let answered = Number.POSITIVE_INFINITY
  const call = tunnel.call('test.echo', 'x').then(() => {
    answered = time.now
  })
  await pass(5_000)
  await call
  t.true(answered - before <= 150 + TRIP, `${answered - before}`)
})

test('idle back-off: rests grow up to the bound, and end where something is said', async (t) => {
  const idle = { afterMs: 60_000, restMs: [1_000, 2_000], factor: 2, mostMs: 30_000 } as const
  const { exchanges, pass, tunnel } = await world(t, { idle })
  await pass(900_000)
  const all = gaps(exchanges())
  t.true(within(all.slice(-10), [36_000 + TRIP, 38_000 + TRIP]), 'at the bound')
  t.true(all[0]! <= 8_000 + TRIP, 'not yet idle')
  const count = exchanges().length
  const call = tunnel.call('test.echo', 'x')
  await pass(40_000)
  await call
  t.true(within(gaps(exchanges().slice(count + 1)).slice(0, 3), [0, 8_000 + TRIP]), 'in use again')
})

test('bursts: so many sends at once, then one in every gap', async (t) => {
  const burst = { exchanges: 2, gapMs: [3_000, 5_000] } as const
  const { exchanges, pass, tunnel } = await world(t, { burst, concurrency: 8 })
  const calls: Promise<unknown>[] = []
  for (let at = 0; at < 6; at++) {
    calls.push(tunnel.call('test.echo', new Uint8Array(250)))
    await pass(200)
  }
  await pass(60_000)
  await Promise.all(calls)
  const sends = exchanges().filter(isSend)
  t.true(sends.length >= 3 && sends.length <= 6)
  t.true(sends[1]!.at - sends[0]!.at <= 1_000, 'a burst')
  t.true(
    gaps(sends.slice(1)).every((gap) => gap >= 3_000),
    `${gaps(sends)}`,
  )
})

test('constant cover: sends come at its times whether there is content or not, and at no others', async (t) => {
  const cover = { mode: 'constant', everyMs: [10_000, 14_000], bytes: 300 } as const
  const quiet = await world(t, { cover, concurrency: 4 })
  await quiet.pass(1_200_000)
  const busy = await world(t, { cover, concurrency: 4 })
  const calls: Promise<unknown>[] = []
  for (let at = 0; at < 1_200_000; at += 25_000) {
    calls.push(busy.tunnel.call('test.echo', 'x', { timeoutMs: 100_000 }))
    await busy.pass(25_000)
  }
  await Promise.all(calls)
  const sizes = new Set([...quiet.exchanges(), ...busy.exchanges()].filter(isSend).map(({ octets }) => octets))
  t.deepEqual([...sizes], [shape.up.fit(300)], 'of one size')
  for (const each of [quiet, busy]) t.true(within(gaps(each.exchanges().filter(isSend)), [10_000, 14_000]))
  const [a, b] = [quiet, busy].map((each) => each.exchanges().filter(isSend).length)
  // A hundred gaps in twenty minutes: both counts have a standard deviation of one.
  t.true(Math.abs(a! - b!) <= 5, `${a} ${b}`)
})

test('adaptive cover: some sends follow one, then none', async (t) => {
  const cover = { mode: 'adaptive', everyMs: [5_000, 9_000], tail: [3, 3], bytes: 300 } as const
  const { exchanges, pass, tunnel } = await world(t, { cover, concurrency: 4 })
  // What getting ready has said has a tail, too.
  await pass(30_000)
  const before = exchanges().length
  const sent = (): Exchange[] => exchanges().slice(before).filter(isSend)
  await pass(100_000)
  t.is(sent().length, 0, 'nothing was said')
  const call = tunnel.call('test.echo', new Uint8Array(200))
  await pass(200_000)
  await call
  const sends = sent()
  t.is(sends.length, 4)
  t.true(within(gaps(sends), [5_000, 9_000]))
})

/** Tells news of 600 octets when it is asked to, and answers what it was asked a little later. */
function telling(time: VirtualTime): Service {
  const hearers: ((news: unknown) => Promise<void>)[] = []
  const wait = (ms: number): Promise<void> => new Promise((resolve) => time.after(ms, resolve))
  return {
    unary: {
      'test.tell': async () => {
        await Promise.all(hearers.map((push) => push(new Uint8Array(600))))
        await wait(30)
        return 'x'
      },
    },
    subscribe: {
      'test.news': async (_args, _caller, push, signal) => {
        hearers.push(push)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    },
  }
}

test('news comes where it is waited for; the answer to a send is for what is said to that', async (t) => {
  const { exchanges, pass, tunnel } = await world(t, {}, { service: telling })
  const heard: unknown[] = []
  const news = tunnel.subscribe(
    'test.news',
    () => ({}),
    (each) => void heard.push(each),
  )
  t.teardown(() => news.cancel())
  await pass(10_000)
  // A poll that has just begun is held for seconds.
  for (let count = exchanges().length; exchanges().length === count; ) await pass(100)
  const before = exchanges().length
  const call = tunnel.call('test.tell', 'x')
  await pass(1_000)
  await call
  t.is(heard.length, 1)
  const [send] = exchanges().slice(before)
  const poll = exchanges()[before - 1]!
  t.is(poll.down, shape.down.fit(700), 'the poll that was held has the news')
  t.is(send?.down, shape.down.classes[0])
})

test('what is as long as cover does not ride in a poll, what is shorter takes a near one with it', async (t) => {
  const cover = { mode: 'adaptive', everyMs: [60_000, 60_000], tail: [1, 1], bytes: 765 } as const
  const { exchanges, pass, tunnel } = await world(t, { cover, thinkMs: [200, 200], holdMs: [1_000, 1_000] })
  /** Says something in the middle of the pause between two polls, and returns what began then. */
  const say = async (octets: number): Promise<Exchange[]> => {
    await pass(10_000)
    while (exchanges().at(-1)?.down === undefined) await pass(10)
    await pass(TRIP / 2 + 50)
    const before = exchanges().length
    const call = tunnel.call('test.echo', new Uint8Array(octets))
    await pass(160)
    const begun = exchanges().slice(before)
    await pass(2_000)
    await call
    return begun
  }
  const [small, ...none] = await say(100)
  t.is(small?.octets, shape.up.fit(300), 'in the poll')
  t.deepEqual(none, [])
  const [large, poll] = await say(600)
  t.is(large?.octets, shape.up.fit(700), 'at once')
  t.is(poll?.octets, shape.up.classes[0], 'the poll has nothing of it')
})

test('another template in the middle brings its own rhythm', async (t) => {
  const { exchanges, pass, tunnel } = await world(t, { thinkMs: [4_000, 4_000] })
  await pass(60_000)
  tunnel.use({ ...plainTemplate, rhythm: { holdMs: [2_000, 2_000], concurrency: 3, polls: 1 } })
  await pass(60_000)
  t.true(within(gaps(exchanges()).slice(-20), [2_000 + TRIP, 2_000 + TRIP]))
})
