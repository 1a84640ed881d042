/** Two ways between two people: straight to a node, and by the gateway. */
import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { latin1, utf8 } from '#protocol/bytes.ts'
import { encodeInvite } from '#protocol/invite.ts'
import { parsePeerOffer } from '#protocol/peer-offer.ts'
import { prng } from '#test/helpers/prng.ts'
import { decodeNode, encodeNode } from './bodies.ts'
import { Gateway, NO_FAULTS } from './fixtures/mailbox.ts'
import { acquainted, Person, World } from './fixtures/world.ts'
import { ChatLimits } from './limits.ts'

const MINUTE = 60_000
const NODE = utf8('node')
const PLACE = new Uint8Array(16).fill(1)
const filled = (length: number) => new Uint8Array(length).fill(5)

function link(host = 'bob.example'): string {
  const place = { host, port: 443, addresses: [], key: filled(32), cohort: filled(32) }
  const rest = { code: filled(16), template: 'plain', expires: 4_000_000_000, root: filled(32) }
  return encodeInvite({ name: 'Bob', gateways: [place], ...rest })
}

interface Scene {
  readonly world: World
  readonly alice: Person
  readonly bob: Person
  /** Bob's; Alice may connect there. */
  readonly node: Gateway
}

async function begin(seed = 7): Promise<Scene> {
  const world = new World(seed)
  const node = new Gateway(world.time, prng(seed + 1))
  const gateways = new Map([
    [latin1(utf8('gateway')), world.gateway],
    [latin1(NODE), node],
  ])
  const people = [new Person(world, 'Alice', gateways), new Person(world, 'Bob', gateways)] as const
  for (const person of people) {
    person.nodes = new Set([latin1(NODE)])
    person.restart()
  }
  const [alice, bob] = people
  await acquainted(world, alice, bob)
  await world.pass(MINUTE)
  return { world, alice, bob, node }
}

const tell = ({ bob, alice }: Scene, place = PLACE, host?: string): void =>
  bob.chat.tellNode(alice.id, { gateway: NODE, place, link: link(host) })

async function told(scene: Scene): Promise<Scene> {
  scene.bob.chat.offerNode(scene.alice.id)
  tell(scene)
  await scene.world.pass(MINUTE)
  return scene
}

test('a contact is told once, and knows whose node it is; then messages go there, whatever the gateway does', async (t) => {
  const scene = await told(await begin())
  const { alice, bob, node, world } = scene
  t.like(alice.chat.nodes()[0], { ours: 'no', theirs: { host: 'bob.example', root: bob.chat.root } })
  t.is(bob.chat.nodes()[0]?.ours, 'told')
  t.deepEqual(
    bob.chat.nodeFriends().map(({ place }) => place),
    [PLACE],
  )
  await world.pass(ChatLimits.maintenanceMs * 3)
  t.is(alice.events.filter(({ type }) => type === 'node').length, 1)
  const before = node.bodies.length
  world.gateway.faults = { ...NO_FAULTS, callLost: 1 }
  alice.chat.send(bob.id, 'straight')
  await world.pass(1_000)
  t.deepEqual([bob.texts(alice), node.bodies.length - before], [['straight'], 1])
})

test('what nobody would take of a node is told to nobody, and harms nobody', async (t) => {
  const { alice, bob, world } = await begin()
  bob.chat.offerNode(alice.id)
  for (const link of ['', 'sotto://', 'x'.repeat(10_000)])
    t.throws(() => bob.chat.tellNode(alice.id, { gateway: NODE, place: PLACE, link }), { code: 'E_INTERNAL' })
  await world.pass(MINUTE)
  t.is(bob.chat.nodes()[0]?.ours, 'waits')
  t.is(alice.events.filter(({ type }) => type === 'node').length, 0)
})

test('the node takes nothing: at once by the gateway', async (t) => {
  const { alice, bob, node, world } = await told(await begin())
  node.faults = { ...NO_FAULTS, callLost: 1 }
  alice.chat.send(bob.id, 'by the gateway')
  await world.pass(1_000)
  t.deepEqual(bob.texts(alice), ['by the gateway'])
})

test('the node has it and says nothing, so it comes both ways: shown once', async (t) => {
  const { alice, bob, node, world } = await told(await begin())
  node.faults = { ...NO_FAULTS, answerLost: 1 }
  for (const text of ['one', 'two', 'three']) alice.chat.send(bob.id, text)
  await world.pass(10 * MINUTE)
  t.deepEqual(bob.told(alice).toSorted(), ['one', 'three', 'two'])
  t.deepEqual(bob.texts(alice), ['one', 'two', 'three'])
  t.deepEqual(alice.records.outbox(), [])
  t.deepEqual(bob.records.contacts()[0]?.repair.attempts, [], 'nothing had to be repaired')
})

test('the node swallows what it has taken: the next try is by the gateway', async (t) => {
  const { alice, bob, node, world } = await told(await begin())
  node.faults = { ...NO_FAULTS, messageLost: 1 }
  alice.chat.send(bob.id, 'swallowed')
  await world.pass(ChatLimits.resendMs + 1_000)
  t.deepEqual(bob.told(alice), ['swallowed'])
})

test('what no gateway may store goes straight', async (t) => {
  const { alice, bob, world } = await told(await begin())
  world.gateway.faults = { ...NO_FAULTS, callLost: 1 }
  alice.chat.send(bob.id, 'for your eyes', { noStore: true })
  await world.pass(1_000)
  t.deepEqual(bob.texts(alice), ['for your eyes'])
})

test('it moves: the newer word counts, whichever comes last', async (t) => {
  const scene = await told(await begin())
  const { alice, bob, world } = scene
  world.gateway.faults = { ...NO_FAULTS, delay: 20_000 }
  tell(scene, filled(16), 'second.example')
  tell(scene, filled(16), 'third.example')
  await world.pass(5 * MINUTE)
  t.is(alice.chat.nodes()[0]?.theirs?.host, 'third.example')
  const { offer } = alice.chat.nodes()[0]!.theirs!
  t.true(parsePeerOffer(offer)!.version > Math.floor((world.time.now - 6 * MINUTE) / 1_000))
  t.deepEqual(
    bob.chat.nodeFriends().map(({ place }) => place),
    [filled(16)],
  )
})

test('taken back, blocked, removed: no queue is left at the node, and nothing goes there', async (t) => {
  const ends: ((scene: Scene) => unknown)[] = [
    ({ bob, alice }) => bob.chat.withdrawNode(alice.id),
    ({ bob, alice }) => bob.chat.block(alice.id),
    ({ bob, alice }) => bob.chat.remove(alice.id),
  ]
  for (const [i, end] of ends.entries()) {
    const scene = await told(await begin(i))
    const { alice, bob, node, world } = scene
    t.is(bob.queues().filter(({ atNode }) => atNode).length, 1)
    end(scene)
    await world.pass(MINUTE)
    t.deepEqual([bob.queues().filter(({ atNode }) => atNode), bob.chat.nodeFriends()], [[], []])
    t.is(alice.chat.nodes()[0]?.theirs === undefined, i === 0, 'only who is told hears of it')
    const before = node.bodies.length
    alice.chat.send(bob.id, 'after')
    await world.pass(MINUTE)
    if (i === 0) t.deepEqual([bob.texts(alice), node.bodies.length], [['after'], before])
    tell(scene.bob.chat.contacts().length > 0 ? scene : { ...scene, bob: alice, alice: bob })
    t.deepEqual(
      bob.queues().filter(({ atNode }) => atNode),
      [],
      'nor is it begun again by an answer that comes late',
    )
  }
})

test('the queue at the node is replaced like the others, and new keys need a new offer', async (t) => {
  const scene = await told(await begin())
  const { alice, bob, node, world } = scene
  const [queue] = bob.queues().filter(({ atNode }) => atNode)
  await world.pass(ChatLimits.queueMs + 2 * ChatLimits.maintenanceMs)
  const [next, ...others] = bob.queues().filter(({ atNode, retired }) => atNode && retired === 0)
  t.notDeepEqual(next!.rid, queue!.rid)
  t.is(others.length, 0)
  const before = node.bodies.length
  alice.chat.send(bob.id, 'into the new queue')
  await world.pass(MINUTE)
  t.deepEqual([bob.texts(alice).at(-1), node.bodies.length > before], ['into the new queue', true])
  const master = bob.chat.masterSecret()!
  t.true(bob.chat.updateKeys(master))
  bob.restart()
  await world.pass(5 * MINUTE)
  t.deepEqual(
    bob.chat.nodeFriends().map(({ place }) => place.length),
    [0],
    'what the old keys signed counts no more',
  )
  t.is(alice.chat.nodes()[0]?.theirs, undefined)
  tell(scene)
  await world.pass(5 * MINUTE)
  t.deepEqual(alice.chat.nodes()[0]?.theirs?.root, bob.chat.root)
})

/** Every step in the long mode, and every third otherwise. */
const STRIDE = process.env.SOTTO_LONG === '1' ? 1 : 3
for (const who of ['alice', 'bob'] as const) {
  test(`${who} dies at every step of telling and of writing straight: nothing is lost, nothing comes twice`, async (t) => {
    let steps = 0
    for (let reached = true; reached; steps += STRIDE) {
      const scene = await begin()
      const { world, alice, bob, node } = scene
      const person = scene[who]
      const restarts = person.restarts
      person.stepsToLive = steps + 1
      bob.survive(() => void bob.chat.offerNode(alice.id))
      bob.survive(() => bob.chat.nodeFriends().length > 0 && tell(scene))
      await world.pass(10_000)
      for (const text of ['one', 'two']) {
        const isStored = (): boolean =>
          alice.chat.history(bob.id, { limit: 9 }).some((message) => message.text === text)
        while (!isStored()) alice.survive(() => void alice.chat.send(bob.id, text))
        await world.pass(10_000)
      }
      reached = person.restarts > restarts
      for (const each of [alice, bob]) each.recover()
      await world.pass(20 * MINUTE)
      assert.deepEqual(bob.texts(alice), ['one', 'two'], `step ${steps}`)
      assert.deepEqual([...alice.records.outbox(), ...bob.records.outbox()], [])
      assert.deepEqual([...world.broken, ...world.gateway.broken, ...node.broken], [])
    }
    t.true(steps > 20, `${steps} steps`)
  })
}

test('only those who are accepted are offered a node, and only so many', async (t) => {
  const { alice, bob } = await begin()
  bob.chat.block(alice.id)
  t.throws(() => bob.chat.offerNode(alice.id), { code: 'E_CHAT_BLOCKED' })
  bob.chat.accept(alice.id)
  const { node } = {
    node: { friend: filled(16), place: PLACE, gateway: NODE, offer: filled(1), version: 1, told: PLACE },
  }
  const [contact] = bob.records.contacts()
  bob.store.transaction(() => {
    for (let i = 0; i < ChatLimits.nodeFriends; i++) {
      const uid = new Uint8Array(32)
      uid.set([1, i >> 8, i & 255])
      bob.records.putContact({ ...contact!, uid, node })
    }
  })
  t.throws(() => bob.chat.offerNode(alice.id), { code: 'E_USAGE' }, 'ChatLimits.nodeFriends')
})

test('bodies: what has another form says nothing', (t) => {
  const address = { gateway: NODE, sid: filled(24), sauth: filled(32), box: filled(32) }
  const whole = encodeNode({ address, offer: filled(9) })
  t.deepEqual(decodeNode(whole), { address, offer: filled(9) })
  t.is(decodeNode(encodeNode(undefined)), 'none')
  for (let length = 1; length <= whole.length - 9; length++) t.is(decodeNode(whole.slice(0, length)), undefined)
  t.is(
    decodeNode(encodeNode({ address, offer: new Uint8Array(ChatLimits.offerBytes + 1) })),
    undefined,
    'ChatLimits.offerBytes',
  )
  t.is(decodeNode(encodeNode({ address: { ...address, gateway: new Uint8Array(0) }, offer: filled(1) })), undefined)
  t.notThrows(() => fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (body) => void decodeNode(body))))
})
