/** Friends ask whether the other is there; everybody else, and whoever comes late or again, hears nothing. */
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { concat, fastEqual, fromHex, latin1 } from '#protocol/bytes.ts'
import type { Answer } from '#protocol/presence/decision.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { sealForContact } from '../box.ts'
import { acquainted, Person, World } from '../fixtures/world.ts'
import { INNER_LENGTHS } from '../sizes.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const uidOf = ({ id }: Person): Uint8Array => fromHex(id)!

/** People who have all written to each other, and nothing is under way any more. */
async function circle(seed: number, ...names: string[]): Promise<{ world: World; people: Person[] }> {
  const world = new World(seed)
  const people = names.map((name) => new Person(world, name))
  for (const [i, a] of people.entries()) {
    for (const b of people.slice(i + 1)) {
      await acquainted(world, a, b)
      a.chat.send(b.id, 'hello')
      b.chat.send(a.id, 'hello, you')
    }
  }
  await world.pass(5 * MINUTE)
  return { world, people }
}

async function pair(seed = 1): Promise<{ world: World; alice: Person; bob: Person }> {
  const { world, people } = await circle(seed, 'Alice', 'Bob')
  return { world, alice: people[0]!, bob: people[1]! }
}

async function ask(world: World, by: Person, of: Person): Promise<Answer> {
  let answer: Answer | undefined
  void by.chat.presence.probe(of.id).then((each) => {
    answer = each
  })
  await world.time.run(() => answer !== undefined, 2 * PresenceLimits.waitMs)
  return answer!
}

/** Bodies put at the gateway while something happens. */
async function put(world: World, work: () => Promise<unknown>): Promise<number> {
  const before = world.gateway.bodies.length
  await work()
  return world.gateway.bodies.length - before
}

/** Probes that were told on the way, to be played again. */
function tapped(t: ExecutionContext, world: World): { id: Uint8Array; body: Uint8Array; rid: Uint8Array }[] {
  const seen: { id: Uint8Array; body: Uint8Array; rid: Uint8Array }[] = []
  const before = world.gateway.put.bind(world.gateway)
  world.gateway.put = (message) => {
    const queue = world.gateway.queueOf(message.sid)
    if (queue !== undefined) seen.push({ ...message, rid: queue.rid })
    return before(message)
  }
  t.teardown(() => {
    world.gateway.put = before
  })
  return seen
}

test('a friend who is there answers; both know then, and nothing of it is on a disk or waits anywhere', async (t) => {
  const { world, alice, bob } = await pair()
  const rows = (person: Person): string => JSON.stringify(person.records.contacts()) + person.records.outbox().length
  const before = [rows(alice), rows(bob)]
  const lengths = world.gateway.bodies.length
  t.is(alice.chat.presence.of(bob.id), undefined)
  t.is(await ask(world, alice, bob), 'online')
  t.is(alice.chat.presence.of(bob.id)?.state, 'online')
  t.is(bob.chat.presence.of(alice.id)?.by, 'themselves', 'who asks says that they are there')
  t.deepEqual([rows(alice), rows(bob)], before)
  t.deepEqual(
    world.gateway.bodies.slice(lengths).map(({ length }) => length),
    [592, 592],
    'as long as any short message',
  )
  for (const person of [alice, bob]) {
    t.deepEqual(
      person.queues().flatMap(({ rid }) => world.gateway.queue(rid)?.waiting ?? []),
      [],
    )
    t.deepEqual(
      person.events
        .filter(({ type }) => type === 'presence')
        .map((event) => 'presence' in event && event.presence.state),
      ['online'],
    )
  }
  await world.pass(PresenceLimits.lifeMs + SECOND)
  t.is(alice.chat.presence.of(bob.id), undefined, 'what was said does not count for ever')
})

test('somebody away: no answer, nothing waits for them, and they never hear that they were asked', async (t) => {
  const { world, alice, bob } = await pair()
  bob.mailbox.disconnect()
  t.is(await ask(world, alice, bob), 'none')
  bob.restart()
  t.is(await put(world, () => world.pass(HOUR)), 0)
  t.is(bob.chat.presence.of(alice.id), undefined)
})

test('strangers, those who were removed, and those who are blocked hear nothing', async (t) => {
  const { world, people } = await circle(2, 'Alice', 'Bob', 'Carol')
  const [alice, bob, carol] = people as [Person, Person, Person]
  const stranger = new Person(world, 'Eve')
  stranger.chat.addContact(await world.time.run(() => false, 0).then(() => alice.chat.myCard()))
  alice.chat.remove(bob.id)
  alice.chat.block(carol.id)
  await world.pass(MINUTE)
  const answers = async (by: Person): Promise<number> => {
    const sent = await put(world, () => ask(world, by, alice))
    t.is(await ask(world, by, alice), 'none')
    return sent
  }
  t.is(await answers(stranger), 1, 'the question, and no answer')
  t.is(
    await put(world, async () => {
      void stranger.chat.presence.probe(alice.id, { byCard: true })
      await world.pass(MINUTE)
    }),
    1,
    'asked by the card: the question, and no answer',
  )
  t.true((await answers(carol)) <= 1)
  t.true((await answers(bob)) <= 1)
  t.is(alice.chat.presence.of(carol.id), undefined)
})

test('two who have each other’s cards, and have said nothing yet, see each other; nothing is begun by it', async (t) => {
  const world = new World(9)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  t.is(await ask(world, alice, bob), 'online')
  await world.pass(MINUTE)
  t.is(bob.chat.presence.of(alice.id)?.state, 'online')
  for (const person of [alice, bob]) {
    t.deepEqual(person.records.contacts()[0]!.sessions, [])
    t.deepEqual(person.records.outbox(), [])
  }
})

test('a friend is reached by the card as well, should the queue be gone', async (t) => {
  const { world, alice, bob } = await pair()
  for (const { rid, contact } of bob.queues()) if (contact.length > 0) world.gateway.forget(rid)
  t.is(await ask(world, alice, bob), 'none')
  await world.pass(PresenceLimits.probeMs)
  let answer: Answer | undefined
  void alice.chat.presence.probe(bob.id, { byCard: true }).then((each) => {
    answer = each
  })
  await world.pass(5 * SECOND)
  t.is(answer, 'online')
})

test('PresenceLimits.answerMs and probeMs: a modified friend asks all the time, and hears one answer in ten seconds', async (t) => {
  const { world, alice, bob } = await pair()
  const questions = async (): Promise<void> => {
    for (let i = 0; i < 60; i++) {
      alice.restart()
      void alice.chat.presence.probe(bob.id)
      await world.pass(SECOND)
    }
  }
  const sent = await put(world, questions)
  t.true(sent >= 60 + 5 && sent <= 60 + 7, `${sent - 60} answers to 60 questions`)
  const once = await put(world, async () => {
    for (let i = 0; i < 9; i++) void alice.chat.presence.probe(bob.id)
    await world.pass(PresenceLimits.probeMs / 2)
  })
  t.true(once <= 2, 'an honest one is not even asked by itself')
})

test('PresenceLimits.windowMs: what was recorded is not answered, neither at once nor later', async (t) => {
  const { world, alice, bob } = await pair()
  const seen = tapped(t, world)
  await ask(world, alice, bob)
  const probe = seen[0]!
  const box = (id: Uint8Array): Promise<void> => {
    const queue = world.gateway.queue(probe.rid)!
    queue.reader?.({ id, body: probe.body })
    return world.pass(PresenceLimits.answerMs + SECOND)
  }
  await world.pass(PresenceLimits.answerMs)
  t.is(await put(world, () => box(probe.id)), 0, 'the same again')
  bob.restart()
  t.is(await put(world, () => box(probe.id)), 0, 'after a restart, when nothing is remembered')
  t.is(bob.chat.presence.of(alice.id), undefined)
  t.is(await ask(world, alice, bob), 'online', 'and what is said from then on is heard')
  await world.pass(PresenceLimits.windowMs)
  t.is(await put(world, () => box(probe.id)), 0, 'after a restart, when it is old')
  bob.clockOff = 4 * MINUTE
  bob.restart()
  bob.clockOff = 0
  t.is(await ask(world, alice, bob), 'none', 'the first after a clock was set back shows it')
  await world.pass(PresenceLimits.probeMs)
  t.is(await ask(world, alice, bob), 'online')
  await world.pass(PresenceLimits.probeMs)
  bob.clockOff = -20 * MINUTE
  t.is(await ask(world, alice, bob), 'none', 'clocks far apart: nothing is known')
  bob.clockOff = 2 * MINUTE
  await world.pass(PresenceLimits.probeMs)
  t.is(await ask(world, alice, bob), 'online')
})

test('an answer to another question, or from anybody else, is no answer; the right one still counts', async (t) => {
  const { world, alice, bob } = await pair()
  const seen = tapped(t, world)
  await ask(world, alice, bob)
  const [, earlier] = seen
  await world.pass(PresenceLimits.probeMs)
  bob.mailbox.online = false
  let answer: Answer | undefined
  void alice.chat.presence.probe(bob.id).then((each) => {
    answer = each
  })
  await world.pass(SECOND)
  const queue = world.gateway.queue(earlier!.rid)!
  queue.reader?.({ id: earlier!.id, body: earlier!.body })
  await world.pass(SECOND)
  t.is(answer, undefined, 'it waits on')
  await world.pass(PresenceLimits.waitMs)
  t.is(answer, 'wrong')
})

test('invisible: chosen friends see us, others neither by asking nor by what we send because of them', async (t) => {
  const { world, people } = await circle(3, 'Alice', 'Bob', 'Carol')
  const [alice, bob, carol] = people as [Person, Person, Person]
  await ask(world, alice, bob)
  await ask(world, alice, carol)
  alice.chat.presence.setSees(carol.id, true)
  alice.chat.presence.setShowing('invisible')
  await world.pass(SECOND)
  t.is(bob.chat.presence.of(alice.id)?.state, 'offline', 'who was told is told')
  t.is(carol.chat.presence.of(alice.id)?.state, 'online')
  await world.pass(MINUTE)
  t.is(await ask(world, bob, alice), 'none')
  t.is(await ask(world, carol, alice), 'online')
  t.is(await put(world, () => ask(world, alice, bob)), 0, 'who asks shows that they are there')
  t.deepEqual(alice.chat.presence.round(), [carol.id])

  bob.chat.send(alice.id, 'are you there?')
  bob.chat.setName('Robert')
  bob.loseSessions()
  const toBob = async (): Promise<string[]> => {
    const seen = tapped(t, world)
    await world.pass(HOUR)
    const fromAlice = bob.queues().filter(({ contact }) => contact.length === 0 || fastEqual(contact, uidOf(alice)))
    const own = new Set(fromAlice.map(({ rid }) => latin1(rid)))
    return seen.filter(({ rid }) => own.has(latin1(rid))).map(({ body }) => `${body.length}`)
  }
  t.deepEqual(await toBob(), [], 'no receipt, no greeting, no request to resend')
  t.deepEqual(alice.told(bob).at(-1), 'are you there?')
  alice.chat.send(bob.id, 'now I am')
  await world.pass(10 * MINUTE)
  t.is(bob.chat.history(alice.id, { limit: 1 })[0]!.text, 'now I am')
  t.deepEqual(
    bob.records.outbox().filter(({ counter }) => counter > 0),
    [],
    'then everything goes out',
  )
})

test('what cannot be read, of somebody we are hidden from, is asked for once something is said to them', async (t) => {
  const { world, alice, bob } = await pair(8)
  alice.chat.presence.setShowing('invisible')
  alice.loseSessions()
  bob.chat.send(alice.id, 'lost at first')
  const seen = tapped(t, world)
  await world.pass(30 * MINUTE)
  const own = new Set(bob.queues().map(({ rid }) => latin1(rid)))
  t.deepEqual(
    seen.filter(({ rid }) => own.has(latin1(rid))),
    [],
  )
  t.false(alice.texts(bob).includes('lost at first'))
  alice.chat.send(bob.id, 'here I am')
  await world.pass(10 * MINUTE)
  t.is(alice.texts(bob).at(-1), 'lost at first')
  t.is(bob.texts(alice).at(-1), 'here I am')
})

test('PresenceLimits.lateReceiptMs: receipts to who is not to see us leave at last, hours later', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.presence.setShowing('invisible')
  bob.chat.send(alice.id, 'hello?')
  const status = (): string => bob.chat.history(alice.id, { limit: 1 })[0]!.status
  await world.pass(PresenceLimits.lateReceiptMs[0] - MINUTE)
  t.is(status(), 'sent')
  await world.pass(PresenceLimits.lateReceiptMs[1] + MINUTE)
  t.is(status(), 'delivered')
  bob.chat.send(alice.id, 'and now?')
  await world.pass(MINUTE)
  alice.chat.presence.setShowing('visible')
  await world.pass(10 * SECOND)
  t.is(status(), 'delivered', 'or as soon as they may see us')
})

test('gossip: what a friend says of themselves reaches a friend of both, and nobody it was not said to', async (t) => {
  for (const isHidden of [false, true]) {
    const { world, people } = await circle(4, 'Alice', 'Bob', 'Carol')
    const [alice, bob, carol] = people as [Person, Person, Person]
    if (isHidden) carol.chat.presence.setSees(bob.id, false)
    await ask(world, carol, alice)
    t.is(bob.chat.presence.of(carol.id), undefined)
    await ask(world, alice, bob)
    const heard = bob.chat.presence.of(carol.id)
    t.deepEqual([heard?.state, heard?.by], isHidden ? [undefined, undefined] : ['online', 'friends'])
    if (isHidden) continue
    await ask(world, carol, bob)
    t.is(bob.chat.presence.of(carol.id)?.by, 'themselves', 'their own word counts more')
  }
})

test('gossip: a note goes no further than to friends of a friend, and not after five minutes', async (t) => {
  const { world, people } = await circle(5, 'Alice', 'Bob', 'Carol')
  const [alice, bob, carol] = people as [Person, Person, Person]
  await ask(world, carol, alice)
  await world.pass(PresenceLimits.lifeMs + SECOND)
  await ask(world, alice, bob)
  t.is(bob.chat.presence.of(carol.id), undefined)
  const dan = new Person(world, 'Dan')
  for (const friend of [bob, carol]) {
    await acquainted(world, dan, friend)
    dan.chat.send(friend.id, 'hello')
    friend.chat.send(dan.id, 'hello')
  }
  await world.pass(5 * MINUTE)
  await ask(world, carol, alice)
  await ask(world, alice, bob)
  await ask(world, bob, dan)
  t.is(dan.chat.presence.of(carol.id), undefined, 'Carol, Alice, Bob: and there it ends')
})

test('who knows another face of us is told again who we are, once an hour', async (t) => {
  const { world, alice, bob } = await pair()
  const uid = uidOf(alice)
  const contact = bob.records.contact(uid)!
  t.true(fastEqual(contact.greeting!, alice.records.contact(uidOf(bob))!.announced), 'as a rule they know the same')
  bob.store.transaction(() =>
    bob.records.putContact({ ...contact, greeting: new Uint8Array(16).fill(9), addresses: [] }),
  )
  const greetings = (): number => alice.records.contact(uidOf(bob))!.sent.next
  const before = greetings()
  await ask(world, alice, bob)
  bob.store.transaction(() => bob.records.putContact({ ...bob.records.contact(uid)!, addresses: contact.addresses }))
  await ask(world, bob, alice)
  await world.pass(MINUTE)
  t.is(greetings(), before + 1)
  t.true(fastEqual(bob.records.contact(uid)!.greeting!, contact.greeting!))
  bob.store.transaction(() =>
    bob.records.putContact({ ...bob.records.contact(uid)!, greeting: new Uint8Array(16).fill(8) }),
  )
  for (let i = 0; i < 3; i++) {
    await ask(world, bob, alice)
    await world.pass(MINUTE)
  }
  t.is(greetings(), before + 1, 'not again within the hour')
})

test('after a key update, a thief with the old keys hears nothing, and friends go on', async (t) => {
  const { world, alice, bob } = await pair()
  const thief = alice.copy('Mallory')
  thief.mailbox.online = false
  alice.chat.updateKeys(alice.chat.masterSecret()!)
  alice.restart()
  alice.chat.send(bob.id, 'new keys')
  await world.pass(10 * MINUTE)
  thief.mailbox.online = true
  t.is(await ask(world, thief, bob), 'none')
  t.is(await ask(world, bob, alice), 'online')
})

test('read receipts are kept to oneself from everybody, or from one', async (t) => {
  const { world, people } = await circle(6, 'Alice', 'Bob', 'Carol')
  const [alice, bob, carol] = people as [Person, Person, Person]
  const seen = async (by: Person): Promise<string> => {
    by.chat.send(alice.id, 'seen?')
    await world.pass(MINUTE)
    alice.chat.markRead(by.id)
    await world.pass(MINUTE)
    return by.chat.history(alice.id, { limit: 1 })[0]!.status
  }
  t.deepEqual([await seen(bob), await seen(carol)], ['read', 'read'])
  alice.chat.setReadReceipts(bob.id, false)
  t.deepEqual([await seen(bob), await seen(carol)], ['delivered', 'read'])
  alice.chat.setAllReadReceipts(false)
  t.false(alice.chat.readReceipts)
  t.deepEqual([await seen(bob), await seen(carol)], ['delivered', 'delivered'])
  alice.chat.setAllReadReceipts(true)
  t.deepEqual([await seen(bob), await seen(carol)], ['delivered', 'read'])
})

test('anything at all in a friend’s queue: no answer, no repair, no throw', async (t) => {
  const { world, alice, bob } = await pair()
  const address = alice.records.contact(uidOf(bob))!.addresses[0]!
  const bodies = fc.sample(fc.uint8Array({ minLength: INNER_LENGTHS[0]! - 1, maxLength: INNER_LENGTHS[0]! - 1 }), {
    numRuns: 30,
    seed: 7,
  })
  const sent = await put(world, async () => {
    for (const [i, octets] of bodies.entries()) {
      const id = new Uint8Array(16).fill(i + 1)
      const body = sealForContact(address.box, id, concat(Uint8Array.of(3), octets))
      try {
        world.gateway.put({ ...address, id, body, noStore: true })
      } catch {
        // As always: it was handed over, and nobody is told.
      }
      await world.pass(SECOND)
    }
  })
  t.is(sent, bodies.length)
  t.deepEqual(bob.problems(), [])
  t.is(await ask(world, alice, bob), 'online')
})
