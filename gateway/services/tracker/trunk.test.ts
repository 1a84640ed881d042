import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { empty, fastEqual } from '#protocol/bytes.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { initiate } from '#protocol/noise.ts'
import { type Caller, ServiceFailure } from '#protocol/services/service.ts'
import type { TrackerLimits } from '#protocol/tracker/limits.ts'
import { sealQuery } from '#protocol/tracker/query.ts'
import { type ListedTracker, openTrackerList, sealTrackerList } from '#protocol/tracker/tracker-list.ts'
import { encodeItem, TrunkSealer } from '#protocol/tracker/trunk.ts'
import { Buckets } from './buckets.ts'
import { Fixture, Person } from './fixture.ts'
import { networkOf } from './network-of.ts'
import { type RelayOptions, TRACKER_LIST_FILE, TrackerRelay } from './relay.ts'
import { Trunk } from './trunk.ts'
import { startTrunkServer, TRUNK_PROLOGUE, type TrunkServer } from './trunk-server.ts'

const anna: Caller = { member: 'anna', role: 'member' }
const HOST = '127.0.0.1'
/** A busy machine may take its time: what is down says so at once. */
const PATIENT = { answerMs: 100_000 }

interface Stage {
  readonly fixture: Fixture
  readonly server: TrunkServer
  readonly place: { readonly host: string; readonly port: number; readonly key: Uint8Array }
}

async function stage(t: ExecutionContext, limits: Partial<TrackerLimits> = {}): Promise<Stage> {
  const fixture = await Fixture.create(t, { greetingMs: 100_000, ...limits })
  const server = await startTrunkServer({ tracker: fixture.tracker, secret: fixture.secret, host: HOST, port: 0 })
  t.teardown(() => server.close())
  return { fixture, server, place: { host: HOST, port: server.port, key: fixture.tracker.publicKey } }
}

function trunkTo(t: ExecutionContext, place: Stage['place']): Trunk {
  const trunk = new Trunk(place, PATIENT)
  t.teardown(() => trunk.close())
  return trunk
}

const query = (key: Uint8Array) =>
  sealQuery(key, { kind: 'lookup', wanted: [{ key: randomBytes(16), seq: 0 }] }, randomBytes(32))!

test('many queries go over one trunk, each gets its own answer, and garbage gets an empty one', async (t) => {
  const { fixture, server, place } = await stage(t)
  const trunk = trunkTo(t, place)
  const queries = Array.from({ length: 300 }, () => query(place.key))
  const answers = await Promise.all(queries.map(({ box }) => trunk.ask(box)))
  for (const [i, answer] of answers.entries()) t.is(queries[i]!.open(answer!)?.kind, 'done')
  t.is(server.count(), 1)
  t.deepEqual(await trunk.ask(randomBytes(100)), empty)
  const person = new Person()
  const record = fixture.record(person)
  const publish = sealQuery(place.key, { kind: 'publish', record, proof: fixture.work(record) }, randomBytes(32))!
  t.is(publish.open((await trunk.ask(publish.box))!)?.kind, 'done')
  t.truthy(await fixture.find(person.root))
})

test('large answers of many at once arrive whole', async (t) => {
  const { fixture, place } = await stage(t)
  const person = new Person()
  await fixture.publish(fixture.record(person))
  const trunk = trunkTo(t, place)
  const key = fixture.keyOf(person.root)
  const wanted = Array.from({ length: 32 }, () => ({ key, seq: 0 }))
  const queries = Array.from({ length: 40 }, () => sealQuery(place.key, { kind: 'lookup', wanted }, randomBytes(32))!)
  const answers = await Promise.all(queries.map(({ box }) => trunk.ask(box)))
  for (const [i, answer] of answers.entries()) t.is(answer!.length, 1 + 32 * 513 + 16, `${i}`)
})

test('a tracker that is down, or another one in its place, is not reached; nobody waits for it', async (t) => {
  const { server, place } = await stage(t)
  await server.close()
  const trunk = trunkTo(t, place)
  t.is(await trunk.ask(query(place.key).box), undefined)
  t.is(await trunk.ask(query(place.key).box), undefined, 'at once, shortly after')
  const other = await stage(t)
  const wrong = trunkTo(t, { ...other.place, key: place.key })
  t.is(await wrong.ask(query(place.key).box), undefined, 'the greeting is not to its key')
})

test('a trunk that breaks answers what was asked over it with nothing, and is opened anew', async (t) => {
  const { place } = await stage(t)
  const cut: Socket[] = []
  const between = createServer((socket) => {
    const on = connect(place.port, HOST)
    for (const end of [socket, on]) cut.push(end.on('error', () => {}))
    socket.pipe(on).pipe(socket)
  })
  between.listen(0, HOST)
  await once(between, 'listening')
  t.teardown(() => between.close())
  const { port } = between.address() as { port: number }
  const trunk = new Trunk({ ...place, port }, { ...PATIENT, gatherMs: 60_000, retryMs: 0 })
  t.teardown(() => trunk.close())
  const connected = once(between, 'connection')
  // Nothing leaves before a minute has passed, so both are under way when the path breaks.
  const asked = [trunk.ask(query(place.key).box), trunk.ask(query(place.key).box)]
  await connected
  for (const socket of cut) socket.destroy()
  t.deepEqual(await Promise.all(asked), [undefined, undefined])
  const again = new Trunk({ ...place, port }, { ...PATIENT, retryMs: 0 })
  t.teardown(() => again.close())
  t.truthy(await again.ask(query(place.key).box))
  for (const socket of cut) socket.destroy()
  // The first may still go out over the line that was cut; whoever asks then gets an answer over a new one.
  while ((await again.ask(query(place.key).box)) === undefined) t.log('not yet')
})

/** Connects, says something, and resolves when the other side has closed. */
function cutOff(port: number, says: Uint8Array = empty): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST)
    socket.on('error', () => {}).once('close', () => resolve())
    socket.resume()
    if (says.length > 0) socket.write(says)
  })
}

test('who does not greet the tracker’s key is cut off: garbage, silence, half a greeting', async (t) => {
  const { place } = await stage(t, { greetingMs: 50 })
  await Promise.all([cutOff(place.port, randomBytes(48)), cutOff(place.port), cutOff(place.port, randomBytes(20))])
  t.pass()
})

test('TrackerLimits.trunksPerNetwork, .trunks: more are closed at once', async (t) => {
  for (const limits of [{ trunksPerNetwork: 2 }, { trunks: 2 }]) {
    const { place } = await stage(t, limits)
    const kept = [trunkTo(t, place), trunkTo(t, place)]
    for (const trunk of kept) t.truthy(await trunk.ask(query(place.key).box))
    await cutOff(place.port)
    for (const trunk of kept) t.truthy(await trunk.ask(query(place.key).box), 'those that are there stay')
  }
})

/** A trunk by hand, which reads nothing after the greeting. */
async function deaf(
  t: ExecutionContext,
  place: Stage['place'],
): Promise<{ socket: Socket; send: (box: Uint8Array) => void }> {
  const socket = connect(place.port, HOST)
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  const ephemeral = randomBytes(32)
  const step = initiate({ prologue: TRUNK_PROLOGUE, responderStatic: place.key, ephemeral, payload: () => empty })!
  socket.write(step.message)
  await once(socket, 'readable')
  const sealer = new TrunkSealer(step.finish(new Uint8Array(socket.read(48)))!.initiatorKey)
  let id = 0
  return { socket, send: (bytes) => void socket.write(sealer.seal([encodeItem({ id: id++, bytes })])) }
}

/** What has arrived by now has been looked at: answers of another trunk took their turn behind it. */
async function looked(t: ExecutionContext, place: Stage['place']): Promise<void> {
  const trunk = trunkTo(t, place)
  for (let i = 0; i < 5; i++) await trunk.ask(query(place.key).box)
}

test('TrackerLimits.openQueries: nothing more is read from a trunk until some are answered', async (t) => {
  const { fixture, place } = await stage(t, { openQueries: 2 })
  const { send } = await deaf(t, place)
  const { tracker } = fixture
  const answer = tracker.answer.bind(tracker)
  const held: (() => void)[] = []
  const garbage = Array.from({ length: 6 }, () => randomBytes(100))
  tracker.answer = async (box, network) => {
    if (garbage.some((each) => fastEqual(each, box))) await new Promise<void>((go) => held.push(go))
    return await answer(box, network)
  }
  for (const box of garbage) {
    send(box)
    await looked(t, place)
  }
  t.is(held.length, 3, 'one too many is noticed, and no further one read')
  while (held.length < garbage.length) {
    held.at(-1)!()
    held[held.length - 2]!()
    await looked(t, place)
  }
  t.is(held.length, garbage.length)
})

test('TrackerLimits.unsentBytes: who does not read answers is not read from', async (t) => {
  const { fixture, place } = await stage(t, { unsentBytes: 100_000 })
  const person = new Person()
  await fixture.publish(fixture.record(person))
  const wanted = Array.from({ length: 32 }, () => ({ key: fixture.keyOf(person.root), seq: 0 }))
  const { socket, send } = await deaf(t, place)
  const { tracker } = fixture
  const answer = tracker.answer.bind(tracker)
  const { box } = sealQuery(place.key, { kind: 'lookup', wanted }, randomBytes(32))!
  let answered = 0
  tracker.answer = (each, network) => {
    if (fastEqual(each, box)) answered++
    return answer(each, network)
  }
  // The kernel takes as much as it likes, some tens of megabytes; then the tracker stops.
  let asked = 0
  while (answered === asked && asked < 20_000) {
    for (let i = 0; i < 200; i++, asked++) send(box)
    await looked(t, place)
  }
  t.true(answered < asked, `all of ${asked} were answered`)
  socket.resume()
  while (answered < asked) await looked(t, place)
  t.is(answered, asked)
})

test('networks: /24 of IPv4, also written as IPv6, and /48 of IPv6', (t) => {
  t.is(networkOf('192.0.2.7'), '192.0.2')
  t.is(networkOf('::ffff:192.0.2.9'), '192.0.2')
  t.is(networkOf('2001:db8:1:2::5'), networkOf('2001:db8:1:ffff:1:2:3:4'))
  t.not(networkOf('2001:db8:1::1'), networkOf('2001:db8:2::1'))
  t.is(networkOf('2001:db8::1'), networkOf('2001:db8:0:7::'))
  t.is(networkOf('fe80::1%eth0'), networkOf('fe80::2'))
  t.is(networkOf('no address'), 'unknown')
})

test('TrackerLimits.networks: buckets forget the longest unused', (t) => {
  const buckets = new Buckets(1, 2, 3)
  t.deepEqual([buckets.take('a', 2, 0), buckets.take('a', 2, 0), buckets.take('a', 2, 1_000)], [0, 2, 1])
  for (const source of ['b', 'c', 'd']) buckets.take(source, 1, 1_000)
  t.is(buckets.size, 3)
  t.is(buckets.take('a', 2, 1_000), 0, 'forgotten, so full again')
  t.is(buckets.take('d', 2, 500), 1, 'a clock set back fills nothing')
})

// ---- the gateway’s side ---------------------------------------------------------------------------------------------

class Gateway {
  readonly seed = randomBytes(32)
  readonly folder: string
  now = 1_800_000_000_000

  constructor(t: ExecutionContext) {
    this.folder = mkdtempSync(join(tmpdir(), 'sotto-relay-'))
    t.teardown(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  list(items: readonly ListedTracker[], seed: Uint8Array = this.seed): Uint8Array {
    const second = Math.floor(this.now / 1000)
    const bytes = sealTrackerList(seed, { version: 1, from: second - 1, until: second + 1_000, items })
    writeFileSync(join(this.folder, TRACKER_LIST_FILE), bytes)
    return bytes
  }

  relay(t: ExecutionContext, more: Partial<RelayOptions> = {}): TrackerRelay {
    const root = ed25519PublicKey(this.seed)
    const relay = new TrackerRelay({ folder: this.folder, root, now: () => this.now, times: PATIENT, ...more })
    t.teardown(() => relay.close())
    return relay
  }
}

async function ask(relay: TrackerRelay, args: unknown, caller: Caller = anna): Promise<Uint8Array | string> {
  try {
    return ((await relay.service.unary['tracker.ask']!(args, caller)) as { box: Uint8Array }).box
  } catch (error) {
    if (error instanceof ServiceFailure) return error.reason
    throw error
  }
}

test('a gateway carries queries to trackers in its operator’s list, and to no other place', async (t) => {
  const { place } = await stage(t)
  const gateway = new Gateway(t)
  const relay = gateway.relay(t)
  const { box, open } = query(place.key)
  t.is(await ask(relay, { tracker: place.key, box }), 'unknown', 'no list')
  gateway.list([place], randomBytes(32))
  gateway.now += 10_000
  t.is(await ask(relay, { tracker: place.key, box }), 'unknown', 'a list of another root')
  const list = gateway.list([place, { key: randomBytes(32) }])
  gateway.now += 10_000
  const answer = await ask(relay, { tracker: place.key, box })
  t.is(typeof answer === 'string' ? answer : open(answer)?.kind, 'done')
  const told = (await relay.service.unary['tracker.list']!({}, anna)) as { list: Uint8Array }
  t.deepEqual(told.list, list)
  t.truthy(openTrackerList(ed25519PublicKey(gateway.seed), told.list))
  t.is(await ask(relay, { tracker: randomBytes(32), box }), 'unknown')
  t.is(await ask(relay, { tracker: place.key, box: randomBytes(200) }), 'invalid')
  t.is(await ask(relay, { tracker: place.key, box: new Uint8Array(2_000) }), 'invalid', 'TrackerLimits.queryBytes')
  t.is(await ask(relay, { tracker: place.key, box }, { ...anna, role: 'guest' }), 'forbidden')
  gateway.now += 2_000_000
  t.is(await ask(relay, { tracker: place.key, box }), 'unknown', 'the list has ended')
})

test('a tracker without a place is reached by the gateway that it is, and by no other', async (t) => {
  const fixture = await Fixture.create(t)
  const key = fixture.tracker.publicKey
  const gateway = new Gateway(t)
  gateway.list([{ key }])
  const { box, open } = query(key)
  t.is(await ask(gateway.relay(t), { tracker: key, box }), 'unavailable')
  const answer = await ask(gateway.relay(t, { own: fixture.tracker }), { tracker: key, box })
  t.is(typeof answer === 'string' ? answer : open(answer)?.kind, 'done')
})

test('a tracker that is down is unavailable', async (t) => {
  const { server, place } = await stage(t)
  await server.close()
  const gateway = new Gateway(t)
  gateway.list([place])
  t.is(await ask(gateway.relay(t), { tracker: place.key, box: query(place.key).box }), 'unavailable')
})

test('TrackerLimits.memberQueryBurst: one member waits, others do not', async (t) => {
  const fixture = await Fixture.create(t)
  const key = fixture.tracker.publicKey
  const gateway = new Gateway(t)
  gateway.list([{ key }])
  const limits = { memberQueries: 0.5, memberQueryBurst: 2 }
  const relay = gateway.relay(t, { own: fixture.tracker, limits })
  const once = (caller: Caller = anna) => ask(relay, { tracker: key, box: query(key).box }, caller)
  t.true((await once()) instanceof Uint8Array && (await once()) instanceof Uint8Array)
  t.is(await once(), 'limit')
  t.true((await once({ ...anna, member: 'boris' })) instanceof Uint8Array)
  gateway.now += 2_000
  t.true((await once()) instanceof Uint8Array)
})
