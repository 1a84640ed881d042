/** Every bound of `Limits` that a stranger or a member can push against, pushed. Those of messages and frames have theirs beside the code. */
import test from 'ava'
import type { FirstRequest } from '#gateway/first-contact.ts'
import { CohortTokens, ReplayCache } from '#gateway/first-contact.ts'
import type { Surroundings } from '#gateway/live-session.ts'
import { LiveSession } from '#gateway/live-session.ts'
import { latin1, u64 } from '#protocol/bytes.ts'
import { BUCKET_MS, Limits } from '#protocol/constants.ts'
import type { CohortKeys } from '#protocol/recognition.ts'
import { bindingOf, deriveCohort, firstToken, maskKeyOf } from '#protocol/recognition.ts'
import { writeMessage } from '#protocol/services/message-stream.ts'
import { serve } from '#protocol/services/rpc.ts'
import { BodyWriter, CloseCode, decodeBody, FrameType } from '#protocol/session/frames.ts'
import { Multiplexer } from '#protocol/session/multiplexer.ts'
import { ReceiveBuffer } from '#protocol/session/receive-buffer.ts'
import { Priority } from '#protocol/session/stream.ts'
import { MemberByHand } from './helpers/member-by-hand.ts'
import { openTunnel, startGateway } from './helpers/pair.ts'
import { plainMatcher } from './helpers/plain-template.ts'
import { prng } from './helpers/prng.ts'
import type { Faults } from './helpers/session-link.ts'
import { SessionLink } from './helpers/session-link.ts'
import { SimulatedNetwork } from './helpers/simulated-network.ts'

const calm: Faults = { loss: 0, duplication: 0, delay: 0, stall: 0, abandon: 0 }
const shape = plainMatcher.match('POST', '/plain/x')[0]!

/** A young session at the gateway whose client is driven by hand, with a clock that stands still. */
async function young(
  pace: () => number = () => 0,
): Promise<{ link: SessionLink; live: LiveSession; around: { now: number } }> {
  const link = new SessionLink(prng(1), calm)
  await link.time.run(() => link.client.mux.ready, 10_000)
  const around = { now: link.time.now }
  const surroundings: Surroundings = {
    random: prng(2).bytes,
    now: () => around.now,
    holdMs: Limits.holdMs,
    schedule: (at, run) => link.time.after(at - link.time.now, run),
    soon: (run) => link.time.after(0, run),
  }
  const keeper = { serve: () => {}, pace, moved: () => {}, remove: () => {} }
  const live = new LiveSession({ member: 'm', role: 'member' }, surroundings, keeper, () => link.gateway)
  return { link, live, around }
}

/** One more exchange, as its request arrives. */
function arrive(link: SessionLink, live: LiveSession, hold: number, reply: () => void): boolean {
  const outgoing = link.client.take(96, { hold }, bindingOf(shape))
  const expected = link.tokens.find(latin1(outgoing.token))
  return expected !== undefined && live.exchange(expected, shape, outgoing.parcel, reply) !== undefined
}

test('Limits.parkedExchanges: one more request is held, and the first is answered', async (t) => {
  const { link, live } = await young()
  let answered = 0
  for (let i = 0; i < Limits.parkedExchanges; i++) arrive(link, live, 40_000, () => answered++)
  await link.time.run(() => false, 10)
  const before = answered
  t.false(link.client.mayTake, 'the client does not even begin more')
  arrive(link, live, 40_000, () => answered++)
  await link.time.run(() => false, 10)
  t.true(answered > before)
  t.true(live.heldCount <= Limits.parkedExchanges)
})

test('Limits.holdMs: patience beyond it is not granted', async (t) => {
  const { link, live, around } = await young()
  let answered = false
  arrive(link, live, 3_600_000, () => {
    answered = true
  })
  await link.time.run(() => false, 1)
  t.false(answered)
  around.now += Limits.holdMs
  await link.time.run(() => answered, Limits.holdMs + 1)
  t.true(answered)
})

test('Limits.tagWindow: a number too far ahead is a stranger’s', async (t) => {
  const { link } = await young()
  const tokens: Uint8Array[] = []
  for (let i = 0; i < Limits.tagWindow + 4; i++) tokens.push(link.client.take(96).token)
  const known = tokens.map((token) => link.tokens.find(latin1(token)) !== undefined)
  t.true(known[0])
  t.false(known.at(-1))
})

test('Limits.streams: a peer that opens more breaks the protocol', (t) => {
  const opened: number[] = []
  const gateway = new Multiplexer('gateway', { stream: ({ id }) => opened.push(id) })
  const writer = new BodyWriter(60_000)
  writer.acks([])
  for (let i = 1; i <= Limits.streams + 8; i++) writer.stream(2 * i, 0, 1, false, () => {})
  gateway.accept(1, writer.finish(), true)
  t.true(opened.length <= Limits.streams)
  t.true(gateway.isClosed)
})

test('Limits.streams: a client that has more to ask than that asks the rest later', (t) => {
  const opened: number[] = []
  const client = new Multiplexer('client', {})
  const gateway = new Multiplexer('gateway', { stream: ({ id }) => opened.push(id) })
  client.ready = true
  for (let i = 0; i < 2 * Limits.streams; i++) client.open(Priority.normal).write(Uint8Array.of(1))
  gateway.accept(1, client.build(1, 60_000, true), true)
  t.is(opened.length, Limits.streams / 2)
  t.false(gateway.isClosed)
})

test('Limits.streamFragments: octets with gaps are not collected for ever', (t) => {
  const buffer = new ReceiveBuffer()
  let accepted = 0
  while (accepted < 10_000 && buffer.accept(1 + 2 * accepted, Uint8Array.of(7), false) !== undefined) accepted++
  t.is(accepted, Limits.streamFragments)
})

test('Limits.sessionFragments: nor on all streams of a session together', (t) => {
  const gateway = new Multiplexer('gateway', {})
  let pieces = 0
  for (let number = 1; !gateway.isClosed && pieces < 10_000; number++) {
    const writer = new BodyWriter(20_000)
    writer.acks([])
    for (let i = 0; i < 500; i++, pieces++) {
      const [id, offset] = [2 + 2 * (pieces % 100), 1 + 2 * Math.floor(pieces / 100)]
      writer.stream(id, offset, 1, false, () => {})
    }
    gateway.accept(number, writer.finish(), true)
  }
  t.is(pieces, Math.ceil((Limits.sessionFragments + 1) / 500) * 500)
})

test('Limits.frames: a parcel with more breaks the protocol, and none is made', (t) => {
  const body = new Uint8Array(Limits.frames * 3 + 5)
  for (let i = 0; i <= Limits.frames; i++) body.set([FrameType.window, 0, 1], 1 + 3 * i)
  t.is(decodeBody(body), undefined)
  t.is(decodeBody(body.subarray(0, 1 + 3 * Limits.frames))?.frames.length, Limits.frames)
  const client = new Multiplexer('client', {})
  for (let i = 0; i < 2 * Limits.frames; i++) client.sayLost(i)
  const first = decodeBody(client.build(1, 200_000, true))
  t.is(first?.frames.length, Limits.frames)
  t.is(decodeBody(client.build(2, 200_000, true))?.frames.length, Limits.frames)
})

test('Limits.unackedParcels: a client that never acknowledges is cut off', async (t) => {
  const link = new SessionLink(prng(3), calm)
  await link.time.run(() => link.client.mux.ready, 10_000)
  let rounds = 0
  for (; link.closed.gateway === undefined && rounds < 1_000; rounds++) {
    const outgoing = link.client.take(96)
    const expected = link.tokens.find(latin1(outgoing.token))
    if (expected === undefined) break
    link.gateway.receive(link.time.now, expected, outgoing.parcel)
    if (!link.gateway.mux.isClosed) link.gateway.answer(outgoing.number, 96)
  }
  t.is(link.closed.gateway, CloseCode.limit)
  t.true(rounds <= Limits.unackedParcels + 8)
})

test('Limits.serviceNameBytes: a longer name is refused before anything looks for it', async (t) => {
  const gateway = new Multiplexer('gateway', {
    stream: (stream) => serve(stream, [{ unary: {}, subscribe: {} }], { member: 'm', role: 'member' }, () => {}),
  })
  const client = new Multiplexer('client', {})
  client.ready = true
  gateway.ready = true
  const ask = async (method: string, number: number): Promise<string> => {
    const stream = client.open(Priority.urgent)
    let text = ''
    stream.onData = (bytes) => {
      text += latin1(bytes)
    }
    writeMessage(stream, { m: method, a: 1 })
    gateway.accept(number, client.build(number, 4_000, true), true)
    await new Promise((resolve) => setImmediate(resolve))
    client.accept(number, gateway.build(number, 4_000, true), true)
    return text
  }
  t.regex(await ask('x'.repeat(Limits.serviceNameBytes), 1), /unknown-method/)
  t.regex(await ask('x'.repeat(Limits.serviceNameBytes + 1), 2), /bad-request/)
})

test('Limits.sessionsPerMember: the oldest session gives way', async (t) => {
  const gateway = await startGateway([{ unary: { 'test.echo': (args) => args }, subscribe: {} }])
  const tunnels = []
  for (let i = 0; i < Limits.sessionsPerMember + 1; i++) {
    const tunnel = openTunnel(gateway.port)
    await tunnel.session(10_000)
    tunnels.push(tunnel)
    t.true(gateway.sessions.count <= Limits.sessionsPerMember)
  }
  for (const tunnel of tunnels) await tunnel.stop()
  await gateway.stop()
})

test('Limits.sessionIdleMs: a silent session is forgotten', async (t) => {
  const gateway = await startGateway([])
  const tunnel = openTunnel(gateway.port)
  await tunnel.session(10_000)
  const now = Date.now()
  gateway.sessions.sweep(now + Limits.sessionIdleMs - 60_000)
  t.is(gateway.sessions.count, 1)
  gateway.sessions.sweep(now + Limits.sessionIdleMs + 60_000)
  t.is(gateway.sessions.count, 0)
  await tunnel.stop()
  await gateway.stop()
})

test('Limits.firstContacts and its times: a replay is known for as long as its token may be, by both clocks', async (t) => {
  const cache = new ReplayCache<string>()
  const binding = new Uint8Array(16)
  const first = (n: number, change = {}): FirstRequest => ({ token: u64(n), parcel: u64(n), binding, ...change })
  const since = 7
  cache.remember(first(0), 0, since, Promise.resolve('answer'))
  t.is(cache.earlier(first(0, { binding: binding.with(0, 1) }), since), 'replay', 'the same octets at another place')
  t.is(cache.earlier(first(0, { parcel: u64(1) }), since), 'replay', 'another box under the same token')
  const last = since + Limits.firstContactAnswerMs
  t.is(await cache.earlier(first(0), last), 'answer')
  t.false(cache.isOver(latin1(u64(0)), () => last))
  t.false(cache.isOver(latin1(u64(1)), () => last + 1))
  t.true(
    cache.isOver(latin1(u64(0)), () => last + 1),
    'refused by its token alone',
  )
  t.is(cache.earlier(first(0), last + 1), 'replay')
  const life = Limits.firstContactBuckets * BUCKET_MS
  for (const clocks of [
    [life, life],
    [life, 2 * life],
    [2 * life, life],
  ] as const) {
    t.deepEqual(cache.forget(...clocks).tokens, [])
    t.is(cache.earlier(first(0), life), 'replay')
  }
  t.deepEqual(cache.forget(life + 1, life + 1), { tokens: [u64(0)], until: 0 })
  t.is(cache.earlier(first(0), life), undefined)
  t.true(cache.isShut(3 * BUCKET_MS - 1), 'where its token may be expected')
  t.false(cache.isShut(3 * BUCKET_MS))
  for (let n = 1; n <= Limits.firstContacts + 1; n++) cache.remember(first(n), life, life, Promise.resolve('a'))
  t.is(cache.earlier(first(1), life), undefined, 'the oldest went')
  t.not(cache.earlier(first(2), life), undefined)
  t.deepEqual(cache.forget(life, life), { tokens: [u64(1)], until: 0 }, 'on disk, too, and nobody is shut out for it')
})

const maskKey = maskKeyOf(prng(4).bytes(32))
const tokenOf = (keys: CohortKeys, now: number): Uint8Array => firstToken(keys, maskKey, now, prng(now % 1_009).bytes)

test('tokens of first contact are expected for three buckets and no more', (t) => {
  const keys = deriveCohort(prng(5).bytes(32))
  const tokens = new CohortTokens(maskKey)
  tokens.setCohorts([{ id: 'c', keys }])
  const now = 1_700_000_000_000
  const found = [-2, -1, 0, 1, 2].map((off) => tokens.find(tokenOf(keys, now + off * BUCKET_MS), now) !== undefined)
  t.deepEqual(found, [false, true, true, true, false])
})

test('cohorts that come and go: the tokens of the new are expected at once, of the old no more, of the others as before', (t) => {
  const [a, b, c] = [1, 2, 3].map((n) => ({ id: `c${n}`, keys: deriveCohort(prng(n).bytes(32)) }))
  const tokens = new CohortTokens(maskKey)
  const now = 1_700_000_000_000
  const found = (): (string | undefined)[] => [a, b, c].map((each) => tokens.find(tokenOf(each!.keys, now), now)?.id)
  tokens.setCohorts([a!, b!])
  tokens.fill(now)
  t.deepEqual(found(), ['c1', 'c2', undefined])
  tokens.setCohorts([b!, c!])
  t.true(tokens.isPrepared(now), 'nothing of the others is computed again')
  t.deepEqual(found(), [undefined, 'c2', 'c3'])
  tokens.setCohorts([])
  t.deepEqual(found(), [undefined, undefined, undefined])
})

test('a gateway that is swept once a second computes no token of first contact while a request waits', (t) => {
  const keys = deriveCohort(prng(6).bytes(32))
  const tokens = new CohortTokens(maskKey)
  tokens.setCohorts(Array.from({ length: 301 }, (_, i) => ({ id: `c${i}`, keys })))
  const start = 1_700_000_000_000
  tokens.fill(start)
  for (let now = start; now < start + 3 * BUCKET_MS; now += 1_000) {
    t.true(tokens.isPrepared(now), `${(now - start) / 1000} s`)
    tokens.prepare(now)
  }
  const now = start + 3 * BUCKET_MS
  t.truthy(tokens.find(tokenOf(keys, now), now))
})

test('Limits.tokensBehind: what the gateway does not expect any more, the client does not try again', async (t) => {
  const member = await MemberByHand.ready()
  const lost = member.take(96, 0)
  let expected = 0
  for (let i = 0; i < 2 * Limits.tokensBehind; i++) {
    if (member.find(lost) !== undefined) expected++
    else t.false(member.client.mayRetry(member.time.now, lost.number))
    if (i < Limits.tokensBehind - 1) t.true(member.client.mayRetry(member.time.now, lost.number))
    await member.exchange()
  }
  t.is(expected, Limits.tokensBehind)
  t.false(member.over)
  member.client.abandon(lost.number)
  await member.exchange()
  t.is(member.client.inFlight, 0)
})

test('Limits.rekeyOverlapMs: the client gives up what it sealed under older keys before they end', async (t) => {
  const member = await MemberByHand.ready()
  const lost = member.take(96, 0)
  await member.renew()
  t.true(member.client.mayRetry(member.time.now, lost.number))
  await member.pass(Limits.rekeyOverlapMs / 2)
  t.false(member.client.mayRetry(member.time.now, lost.number))
  t.not(member.find(lost), undefined, 'the gateway would still take it')
  const fresh = member.take(96, 0)
  t.true(member.client.mayRetry(member.time.now, fresh.number))
})

test('Limits.storedReplies and storedReplyBytes: old answers are not kept for retries, and never made anew', async (t) => {
  const { link, live } = await young()
  const outgoing = Array.from({ length: Limits.storedReplies + 1 }, () =>
    link.client.take(96, undefined, bindingOf(shape)),
  )
  const answers: unknown[] = []
  const ask = (i: number): boolean => {
    const expected = link.tokens.find(latin1(outgoing[i]!.token))!
    return live.exchange(expected, shape, outgoing[i]!.parcel, (answer) => answers.push(answer)) !== undefined
  }
  for (let i = 0; i < outgoing.length; i++) {
    t.true(ask(i))
    await link.time.run(() => answers.length > i, 10)
  }
  t.false(ask(0), 'the oldest answer is gone: the request is a stranger’s now')
  t.true(ask(outgoing.length - 1))
  t.is(answers.at(-1), answers.at(-2), 'the newest is the very same')
})

test('Limits.memberExchanges: an exchange beyond them waits, and nothing is lost', async (t) => {
  let wait = 0
  const { link, live, around } = await young(() => wait)
  let answered = 0
  arrive(link, live, 0, () => answered++)
  await link.time.run(() => answered > 0, 10)
  t.is(answered, 1)
  wait = 700
  arrive(link, live, 0, () => answered++)
  around.now = link.time.now
  await link.time.run(() => answered > 1, 690)
  t.is(answered, 1)
  around.now += 700
  await link.time.run(() => answered > 1, 20)
  t.is(answered, 2)
})

test('Limits.memberExchanges: a call costs as much as an exchange', async (t) => {
  let calls = 0
  const network = new SimulatedNetwork(4, [{ unary: { 'test.count': () => ++calls }, subscribe: {} }])
  network.rttMs = 1
  const { time } = network
  const tunnel = network.open()
  await time.run(() => tunnel.status.state.kind === 'ready', 60_000)
  const began = time.now
  const most = Limits.memberExchangeBurst + 4 * Limits.memberExchanges
  const ask = async (): Promise<void> => {
    while (calls < most) await tunnel.call('test.count', null)
  }
  for (let i = 0; i < 60; i++) ask().catch(() => {})
  await time.run(() => calls >= most, 600_000)
  t.true(time.now - began >= 3_000, `${calls} calls in ${time.now - began} ms`)
  await network.close(tunnel)
})

test('Limits.memberContacts: a member who begins anew without end gets the website', async (t) => {
  const gateway = await startGateway([])
  t.teardown(() => gateway.stop())
  const begin = async (): Promise<string> => {
    const tunnel = openTunnel(gateway.port)
    const outcome = new Promise<string>((resolve) => {
      tunnel.onChange(({ state }) => {
        if (state.kind !== 'connecting') resolve(state.kind === 'failing' ? state.code : state.kind)
      })
    })
    const code = await outcome
    void tunnel.stop()
    return code
  }
  const outcomes: string[] = []
  for (let i = 0; i < Limits.memberContactBurst; i++) outcomes.push(await begin())
  t.deepEqual(new Set(outcomes), new Set(['ready']))
  // What comes back while a busy machine gets that far is used up as well.
  for (let i = 0; i < Limits.memberContactBurst && outcomes.at(-1) === 'ready'; i++) outcomes.push(await begin())
  t.is(outcomes.at(-1), 'E_NOT_RECOGNISED')
})

test('Limits.heldBytes: whoever holds most is closed, and the others go on', async (t) => {
  const gateway = await startGateway([{ unary: { 'test.echo': (args) => args }, subscribe: {} }])
  const tunnels = [openTunnel(gateway.port), openTunnel(gateway.port), openTunnel(gateway.port)]
  for (const tunnel of tunnels) await tunnel.session(10_000)
  const held = [...gateway.sessions.each()]
  const octets = [1, Limits.heldBytes - 10, 20]
  for (const [i, live] of held.entries()) Object.defineProperty(live, 'keptOctets', { get: () => octets[i] })
  gateway.sessions.sweep(Date.now())
  t.deepEqual(new Set(gateway.sessions.each()), new Set([held[0], held[2]]))
  for (const tunnel of tunnels) t.deepEqual(await tunnel.call('test.echo', { a: 1 }), { a: 1 }, 'also who was closed')
  for (const tunnel of tunnels) await tunnel.stop()
  await gateway.stop()
})

test('Limits.heldBytes: what services have said and the client does not fetch is held, too', async (t) => {
  const member = await MemberByHand.ready()
  const answer = new Uint8Array(60_000)
  member.onStream = (stream) => stream.write(answer)
  const before = member.live.keptOctets
  for (let i = 0; i < 20; i++) member.client.mux.open(Priority.normal).write(Uint8Array.of(1))
  await member.exchange(4_096)
  t.is(member.streams.length, 20)
  t.true(member.live.keptOctets - before >= 20 * answer.length, `${member.live.keptOctets - before}`)
})

test('Limits.transitBytes: answers that nobody reads do not pile up', async (t) => {
  const { link, live } = await young()
  const body = new Uint8Array(262_144)
  const big = { ...shape, down: shape.down, encodeResponse: () => ({ status: 200, headers: [], body }) } as typeof shape
  const ended: number[] = []
  let given = 0
  for (let i = 0; i < 60; i++) {
    const outgoing = link.client.take(96, { hold: 0 }, bindingOf(shape))
    const expected = link.tokens.find(latin1(outgoing.token))
    if (expected === undefined) break
    const before = given
    live.exchange(expected, big, outgoing.parcel, (answer) => (answer === undefined ? ended.push(i) : given++))
    await link.time.run(() => given > before, 10)
    t.true(live.keptOctets <= Limits.transitBytes + Limits.storedReplyBytes)
  }
  t.true(given > Limits.transitBytes / body.length, `${given}`)
  t.deepEqual(
    ended,
    Array.from({ length: given - Limits.transitBytes / body.length }, (_, i) => i),
    'the oldest go',
  )
})
