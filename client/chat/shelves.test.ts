/** Prekeys end to end between two chats: what is used, what runs out, what a gateway that turned bad can and cannot do. */
import test from 'ava'
import { empty, hex, latin1, utf8 } from '#protocol/bytes.ts'
import type { FakeShelf } from './fixtures/mailbox.ts'
import { Gateway } from './fixtures/mailbox.ts'
import { cards, Person, World } from './fixtures/world.ts'
import { ChatLimits } from './limits.ts'
import { tended } from './one-time.ts'
import { ANYBODY } from './own-queues.ts'
import { decodeStart, Way } from './start.ts'

const MINUTE = 60_000
const DAY = 86_400_000

async function strangers(seed = 3): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(seed)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  const [card] = await cards(world, bob)
  await world.pass(1_000)
  alice.chat.addContact(card!)
  return { world, alice, bob }
}

function shelfOf({ gateway }: World, person: Person): FakeShelf {
  const own = person.queues().find(({ contact }) => contact === ANYBODY || contact.length === 0)!
  return gateway.queue(own.rid)!.shelf!
}

function startOf(person: Person): ReturnType<typeof decodeStart> {
  const [session] = person.records.contacts()[0]!.sessions
  return decodeStart(person.records.session(session!.id)!.start)
}

const ids = (keys: readonly { readonly id: number }[]): number[] => keys.map(({ id }) => id)

test('a stranger begins with one-time keys of the shelf; used, they are gone at the gateway and at their owner', async (t) => {
  const { world, alice, bob } = await strangers()
  const rid = bob.queues()[0]!.rid
  const before = bob.records.oneTimeKeys(rid)
  alice.chat.send(bob.id, 'hello')
  await world.pass(200)
  const { quantum } = startOf(alice)!.header
  t.is(quantum!.oneTimeId, before.dh[0]!.id)
  t.is(quantum!.kemId, before.kem[0]!.id)
  t.deepEqual(bob.texts(alice), ['hello'])
  const after = bob.records.oneTimeKeys(rid)
  t.deepEqual([ids(after.dh), ids(after.kem)], [ids(before.dh).slice(1), ids(before.kem).slice(1)])
  t.deepEqual(ids(shelfOf(world, bob).dh), ids(after.dh))
})

test('a first message comes again after its keys are gone and its id is forgotten: it opens nothing', async (t) => {
  const { world, alice, bob } = await strangers()
  alice.chat.send(bob.id, 'hello')
  await world.pass(MINUTE)
  bob.chat.accept(alice.id)
  await world.pass(MINUTE)
  const [queue] = bob.queues()
  const body = world.gateway.bodies[0]!
  bob.loseSessions()
  world.gateway.put({
    gateway: utf8('gateway'),
    sid: queue!.sid,
    sauth: queue!.sauth,
    id: new Uint8Array(16).fill(9),
    body,
  })
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['hello'])
  t.deepEqual([...world.broken, ...world.gateway.broken], [])
})

test('the shelf runs low: it is filled at the next round; empty, the last resort is used', async (t) => {
  const world = new World(5)
  const bob = new Person(world, 'Bob')
  const [card] = await cards(world, bob)
  await world.pass(1_000)
  bob.mailbox.online = false
  const people = Array.from({ length: 6 }, (_, i) => new Person(world, `Person ${i}`))
  for (const person of people) {
    person.chat.addContact(card!)
    person.chat.send(bob.id, `from ${person.chat.me.name}`)
    await world.pass(1_000)
  }
  const used = people.map((person) => startOf(person)!.header.quantum!)
  t.deepEqual(
    used.map(({ oneTimeId }) => oneTimeId > 0),
    [true, true, true, true, false, false],
  )
  t.deepEqual(
    used.map(({ kemId }) => kemId > 0),
    [true, true, false, false, false, false],
  )
  bob.mailbox.online = true
  bob.mailbox.resubscribe()
  bob.chat.connected()
  await world.pass(MINUTE)
  for (const person of people) t.deepEqual(bob.texts(person), [`from ${person.chat.me.name}`])
  const { dh, kem } = shelfOf(world, bob)
  t.deepEqual([dh.length, kem.length], [4, 2])
  t.is(new Set(world.gateway.handed.map(hex)).size, world.gateway.handed.length)
  t.true(Math.min(...ids(dh)) > 6, 'numbers are never used again')
})

test('a full shelf has 100 and 20 keys; below a quarter it is filled; who drains it makes nobody keep more than the bound', (t) => {
  const size = { dh: ChatLimits.oneTime, kem: ChatLimits.oneTimeKem }
  let next = 1
  const around = (now: number) => ({ number: () => next++, now, random: (length: number) => new Uint8Array(length) })
  const stock = (count: number, low: number) => ({ dh: { count, low }, kem: { count, low: 1_000_000 } })
  const first = tended({ dh: [], kem: [] }, stock(0, 1), size, around(1))
  t.deepEqual([first.dh.length, first.kem.length], [100, 20])
  const published = { ...first, dh: first.dh.map((key) => ({ ...key, published: true })) }
  t.is(tended(published, stock(25, 76), size, around(2)).dh.length, 100)
  const refilled = tended(published, stock(24, 77), size, around(2))
  t.is(refilled.dh.filter((key) => !key.published).length, 76)
  t.is(refilled.dh.filter(({ given }) => given === 2).length, 76)
  let drained = first
  for (let round = 0; round < 50; round++) {
    const all = { ...drained, dh: drained.dh.map((key) => ({ ...key, published: true })) }
    drained = tended(all, stock(0, next), size, around(3 + round))
  }
  t.is(drained.dh.length, ChatLimits.oneTimeKept)
  const later = tended(drained, stock(0, next), size, around(ChatLimits.prekeyKeptMs + 100))
  t.is(later.dh.length, 100, 'given ones are forgotten after 30 days')
})

test('the head is replaced with each prekey, and an old card begins with the newest', async (t) => {
  const { world, alice, bob } = await strangers()
  const head = shelfOf(world, bob).head
  await world.pass(31 * DAY)
  t.notDeepEqual(shelfOf(world, bob).head, head)
  alice.chat.send(bob.id, 'with a card of last month')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['with a card of last month'])
  t.is(startOf(alice)!.header.prekeyId, bob.records.prekeys().at(-1)!.id)
})

type Handed = Parameters<Gateway['tamper']>[0]

/** What a bad gateway does to an answer, given Mallory's shelf and an old answer; and what the person is told. */
const attacks: Record<string, readonly [(answer: Handed, mallory: Handed, old: Handed) => Handed, string]> = {
  'a changed octet': [(answer) => ({ ...answer, head: answer.head.with(99, answer.head[99]! ^ 1) }), 'E_PREKEYS_FALSE'],
  'keys of somebody else': [(_, mallory) => mallory, 'E_PREKEYS_FALSE'],
  'a one-time key of somebody else': [(answer, mallory) => ({ ...answer, dh: mallory.dh }), 'E_PREKEYS_FALSE'],
  'a KEM key of somebody else': [(answer, mallory) => ({ ...answer, kem: mallory.kem }), 'E_PREKEYS_FALSE'],
  'a head from weeks ago': [(answer, _, old) => ({ ...answer, head: old.head }), 'E_PREKEYS_STALE'],
  nothing: [() => ({ head: empty, dh: empty, kem: empty }), 'E_PREKEYS_FALSE'],
}

test('a gateway that hands out what it should not: the message waits, the person hears of it, and it goes out once all is well', async (t) => {
  const world = new World(6)
  const [bob, mallory] = ['Bob', 'Mallory'].map((name) => new Person(world, name)) as [Person, Person]
  await cards(world, bob, mallory)
  await world.pass(1_000)
  const raw = (person: Person): Handed => {
    const { head, dh, kem } = shelfOf(world, person)
    return { head, dh: dh[0]!.key, kem: kem[0]!.key }
  }
  const old = raw(bob)
  await world.pass(8 * DAY)
  const [card] = await cards(world, bob)
  for (const [what, [tamper, code]] of Object.entries(attacks)) {
    const alice = new Person(world, what)
    alice.chat.addContact(card!)
    world.gateway.tamper = (answer) => tamper(answer, raw(mallory), old)
    alice.chat.send(bob.id, 'secret')
    await world.pass(2 * MINUTE)
    t.deepEqual(alice.problems(), [code], what)
    t.is(alice.records.contacts()[0]!.sessions.length, 0)
    t.true(
      alice.records.outbox().every(({ inner }) => inner.length === 0),
      'nothing was sealed',
    )
    world.gateway.tamper = (answer) => answer
    await world.pass(10 * MINUTE)
    t.deepEqual(bob.texts(alice), ['secret'], what)
  }
})

test('a gateway that withholds keys: nothing weaker is taken; what waits goes out once they come', async (t) => {
  const { world, alice, bob } = await strangers()
  // Until Bob has looked at his shelf after connecting: he would fill it again.
  await world.pass(MINUTE)
  const shelf = shelfOf(world, bob)
  const queue = world.gateway.queue(bob.queues()[0]!.rid)!
  queue.shelf = undefined
  alice.chat.send(bob.id, 'secret')
  await world.pass(5 * MINUTE)
  t.deepEqual(alice.problems(), ['E_PREKEYS_NONE'])
  t.is(world.gateway.bodies.length, 0)
  queue.shelf = shelf
  await world.pass(20 * MINUTE)
  t.deepEqual(bob.texts(alice), ['secret'])
})

test('a gateway that gives the last resort alone is used: it hides nothing that was promised', async (t) => {
  const { world, alice, bob } = await strangers()
  world.gateway.tamper = ({ head }) => ({ head, dh: empty, kem: empty })
  alice.chat.send(bob.id, 'secret')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['secret'])
  t.like(startOf(alice)!.header.quantum, { oneTimeId: 0, kemId: 0 })
})

test('one-time keys given to two people: one message comes at once, the other after a new beginning', async (t) => {
  const world = new World(8)
  const [alice, bob, carol] = ['Alice', 'Bob', 'Carol'].map((name) => new Person(world, name))
  const [card] = await cards(world, bob!)
  await world.pass(1_000)
  let first: Handed | undefined
  world.gateway.tamper = (answer) => (first ??= answer)
  for (const person of [alice!, carol!]) {
    person.chat.addContact(card!)
    person.chat.send(bob!.id, `from ${person.chat.me.name}`)
    await world.pass(1_000)
  }
  t.deepEqual(bob!.texts(alice!), ['from Alice'])
  t.is(bob!.chat.contacts().length, 1)
  world.gateway.tamper = (answer) => answer
  await world.pass(2 * 60 * MINUTE)
  bob!.chat.accept(carol!.id)
  await world.pass(60 * MINUTE)
  t.deepEqual(bob!.texts(carol!), ['from Carol'])
})

test('one gateway without shelves, one with: the card says so, and the one that has them is asked', async (t) => {
  const world = new World(9)
  const second = new Gateway(world.time, world.chance)
  world.gateway.hasShelves = false
  const gateways = new Map([
    [latin1(utf8('gateway')), world.gateway],
    [latin1(utf8('second')), second],
  ])
  const [alice, bob] = [new Person(world, 'Alice', gateways), new Person(world, 'Bob', gateways)]
  await cards(world, bob)
  await world.pass(MINUTE)
  const [card] = await cards(world, bob)
  t.deepEqual([...card!.prekey.starts], [Way.card, Way.bundle])
  alice.chat.addContact(card!)
  alice.chat.send(bob.id, 'hello')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['hello'])
  t.is(second.handed.length, 2)
})

test('a gateway that lost everything: queue and shelf are made again, and no number comes twice', async (t) => {
  const { world, alice, bob } = await strangers()
  const [queue] = bob.queues()
  const highest = Math.max(...ids(shelfOf(world, bob).dh))
  world.gateway.forget(queue!.rid)
  bob.restart()
  bob.chat.connected()
  await world.pass(MINUTE)
  t.true(Math.min(...ids(shelfOf(world, bob).dh)) > highest)
  alice.chat.send(bob.id, 'hello')
  await world.pass(20 * MINUTE)
  t.deepEqual(bob.texts(alice), ['hello'])
})

for (const who of ['alice', 'bob'] as const) {
  test(`${who} is killed at every step of a first message between strangers: nothing is lost, no one-time key begins twice`, async (t) => {
    let steps = 0
    for (let step = 1; ; step++) {
      const scene = await strangers(100)
      const { world, alice, bob } = scene
      scene[who].stepsToLive = step
      alice.survive(() => alice.chat.send(bob.id, 'hello'))
      await world.pass(5_000)
      const wasReached = scene[who].restarts > 0 || scene[who].dead
      for (const person of [alice, bob]) person.recover()
      if (alice.chat.history(bob.id, { limit: 1 }).length === 0) alice.chat.send(bob.id, 'hello')
      await world.pass(20 * MINUTE)
      t.deepEqual(bob.texts(alice), ['hello'], `step ${step}`)
      t.deepEqual([...world.broken, ...world.gateway.broken], [])
      const { header } = startOf(alice) ?? {}
      const used = bob.records.oneTimeKey('dh', header?.quantum?.oneTimeId ?? 0)
      t.is(used, undefined, `step ${step}: a used key is gone`)
      t.is(new Set(world.gateway.handed.map(hex)).size, world.gateway.handed.length)
      if (!wasReached) break
      steps = step
    }
    t.true(steps > 10, `${steps} steps`)
  })
}

test('ChatLimits.retryMs: what could not be put is tried again after 2 seconds, then twice as long each time', async (t) => {
  const { world, alice, bob } = await strangers()
  const own = bob.queues().find(({ contact }) => contact.length === 0)!
  const queue = world.gateway.queue(own.rid)!
  const { shelf } = queue
  queue.shelf = undefined
  alice.chat.send(bob.id, 'hello')
  await world.pass(ChatLimits.retryMs + 500)
  queue.shelf = shelf
  await world.pass(2 * ChatLimits.retryMs - 1_000)
  t.deepEqual(bob.chat.contacts(), [])
  await world.pass(1_000)
  t.deepEqual(bob.texts(alice), ['hello'])
})

test('a shelf that is opened while somebody asks for the card gets its head once', async (t) => {
  const world = new World(7)
  const heads: number[] = []
  const publish = world.gateway.publish.bind(world.gateway)
  world.gateway.publish = (rid, shelf) => {
    if (shelf.dh.length + shelf.kem.length === 0) heads.push(shelf.head.length)
    publish(rid, shelf)
  }
  const bob = new Person(world, 'Bob')
  await cards(world, bob)
  await world.pass(MINUTE)
  t.is(heads.length, 1)
})
