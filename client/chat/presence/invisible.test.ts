/** What a contact to whom one is invisible can try, besides asking: holding back receipts, and sending what is answered by itself. */
import test from 'ava'
import { fastEqual, latin1 } from '#protocol/bytes.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { acquainted, cards, Person, World } from '../fixtures/world.ts'

const MINUTE = 60_000
const HOUR = 3_600_000

async function pair(seed = 1): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(seed)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  return { world, alice, bob }
}

/** Times at which something is put into a queue that Alice writes to: what Bob, or who runs his gateway for him, can see. */
function seenBy(bob: Person, alice: Person, world: World): number[] {
  const times: number[] = []
  const put = world.gateway.put.bind(world.gateway)
  world.gateway.put = (message) => {
    const uid = Buffer.from(alice.id, 'hex')
    const own = bob
      .queues()
      .some(({ sid, contact }) => fastEqual(sid, message.sid) && (contact.length === 0 || fastEqual(contact, uid)))
    if (own) times.push(world.time.now)
    return put(message)
  }
  return times
}

test('who holds back the receipt for what was said sees by no repeat when the other is there, nor at a start', async (t) => {
  const { world, alice, bob } = await pair()
  for (const order of ['hidden before', 'hidden after']) {
    if (order === 'hidden before') alice.chat.presence.setShowing('invisible')
    bob.mailbox.online = false
    const text = `said ${order}`
    alice.chat.send(bob.id, text)
    // Who has just heard something knows, and is sent it again for five minutes.
    await world.pass(PresenceLimits.lifeMs + MINUTE)
    if (order === 'hidden after') alice.chat.presence.setShowing('invisible')
    await world.pass(1)
    const times = seenBy(bob, alice, world)
    await world.pass(PresenceLimits.lateReceiptMs[0] - HOUR)
    alice.restart()
    await world.pass(PresenceLimits.lateReceiptMs[0] - HOUR)
    alice.chat.connected()
    await world.pass(HOUR - MINUTE)
    t.deepEqual(times, [], order)
    t.is(alice.chat.history(bob.id, { limit: 1 })[0]!.status, 'sent', 'also after a start')
    await world.pass(PresenceLimits.lateReceiptMs[1])
    t.true(times.length >= 1, 'it is put again all the same: a gateway may have lost it')
    bob.mailbox.online = true
    bob.mailbox.resubscribe()
    bob.chat.connected()
    await world.pass(PresenceLimits.lateReceiptMs[1] + HOUR)
    t.true(bob.texts(alice).includes(text), order)
    alice.chat.presence.setShowing('visible')
    await world.pass(10 * MINUTE)
    t.deepEqual(alice.records.outbox(), [], 'seen again, all goes as ever')
  }
})

test('what is answered by itself waits until something is said to them: passwords, and shares of a comparison', async (t) => {
  const { world, alice, bob } = await pair(2)
  alice.chat.proofs.setPassword('open sesame')
  alice.chat.presence.setShowing('invisible')
  alice.chat.proofs.check(bob.id, 'the blue boat')
  await world.pass(20 * MINUTE)
  const times = seenBy(bob, alice, world)
  bob.chat.proofs.check(alice.id, 'the blue boat')
  await world.pass(HOUR)
  t.deepEqual(times, [], 'their share is not answered')
  t.is(bob.chat.contact(alice.id).proof?.state, 'waiting')
  alice.chat.send(bob.id, 'here I am')
  await world.pass(10 * MINUTE)
  t.is(bob.chat.contact(alice.id).proof?.state, 'equal')
  t.is(alice.chat.contact(bob.id).proof?.state, 'equal')

  times.length = 0
  bob.chat.proofs.password(alice.id, 'open sesame')
  await world.pass(HOUR)
  t.deepEqual(times, [], 'nor what they know of the password')
  alice.chat.presence.setShowing('visible')
  await world.pass(10 * MINUTE)
  t.is(bob.chat.contact(alice.id).proof?.state, 'equal', 'until they may see us')
})

test('who asks again for a secret to compare, and has no attempt left or comes between, is told nothing', async (t) => {
  const { world, alice, bob } = await pair(3)
  bob.chat.proofs.setPassword('open sesame')
  alice.chat.proofs.password(bob.id, 'open sesame')
  bob.mailbox.online = false
  await world.pass(1_000)
  alice.chat.presence.setShowing('invisible')
  bob.mailbox.online = true
  const times = seenBy(bob, alice, world)
  const { proof: _, ...forgetful } = bob.records.contact(Buffer.from(alice.id, 'hex'))!
  bob.store.transaction(() => bob.records.putContact(forgetful))
  bob.chat.proofs.check(alice.id, 'anything')
  await world.pass(HOUR)
  t.deepEqual(times, [])
})

test('strangers with the password wait as long as the person is invisible', async (t) => {
  const world = new World(4)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  const [card] = await cards(world, alice)
  alice.chat.proofs.setPassword('open sesame')
  alice.chat.proofs.setQuestion({ question: 'Which?', answer: 'the blue one' })
  alice.chat.presence.setShowing('invisible')
  await world.pass(MINUTE)
  bob.chat.addContact(card!)
  const before = world.gateway.bodies.length
  bob.chat.proofs.password(alice.id, 'open sesame')
  await world.pass(20_000)
  const own = new Set(bob.queues().map(({ sid }) => latin1(sid)))
  t.true(world.gateway.bodies.length > before)
  t.is(alice.chat.contact(bob.id).status, 'request')
  t.deepEqual(
    [...own].flatMap((sid) => world.gateway.queueOf(Buffer.from(sid, 'latin1'))?.waiting ?? []),
    [],
  )
  t.is(bob.chat.contact(alice.id).proof?.state, 'waiting')
  alice.chat.presence.setShowing('visible')
  await world.pass(10 * MINUTE)
  t.is(alice.chat.contact(bob.id).status, 'accepted')
  t.is(bob.chat.contact(alice.id).proof?.state, 'equal')
})
