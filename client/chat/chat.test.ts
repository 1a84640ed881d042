import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { SealedStore, tableSchema } from '#client/store/sealed-store.ts'
import { latin1, utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { codeOf } from '#test/helpers/code-of.ts'
import { prng } from '#test/helpers/prng.ts'
import { Chat } from './chat.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, pad } from './envelope.ts'
import { Gateway } from './fixtures/mailbox.ts'
import { cardFrom, contentFrom } from './fixtures/people.ts'
import { acquainted, cards, Person, World } from './fixtures/world.ts'
import { ChatLimits } from './limits.ts'
import { CHAT_TABLES } from './records.ts'
import { SEALED_LENGTHS } from './sizes.ts'

const MINUTE = 60_000
const DAY = 86_400_000

function emptyStore(): SealedStore {
  const database = new DatabaseSync(':memory:')
  database.exec(tableSchema(CHAT_TABLES))
  return new SealedStore(database, CHAT_TABLES, new Uint8Array(32), prng(1).bytes)
}

/** The same envelope with other fields, well-formed and padded to the same length. */
function reencoded(padded: Uint8Array, changes: Partial<Envelope>): Uint8Array {
  const { envelope } = decodeEnvelope(padded)!
  return pad(encodeEnvelope({ ...envelope, ...changes }), padded.length)
}

async function pair(seed = 1): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(seed)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  return { world, alice, bob }
}

/** Bob has a request of Alice, with one text. */
async function stranger(): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(2)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  const [card] = await cards(world, bob)
  alice.chat.addContact(card!)
  alice.chat.send(bob.id, 'may I?')
  await world.pass(MINUTE)
  return { world, alice, bob }
}

const statuses = (person: Person, contact: Person): string[] =>
  person.chat.history(contact.id, { limit: 99 }).map(({ text, status }) => `${text}: ${status}`)

const sound = ({ broken, gateway }: World): string[] => [...broken, ...gateway.broken]

test('two people with each other’s cards write to each other', async (t) => {
  const { world, alice, bob } = await pair()
  t.is(alice.chat.send(bob.id, 'hello Bob').status, 'pending')
  await world.pass(200)
  t.deepEqual(bob.texts(alice), ['hello Bob'])
  t.is(bob.chat.contact(alice.id).unread, 1)
  bob.chat.send(alice.id, 'hello Alice')
  await world.pass(10_000)
  t.deepEqual(statuses(alice, bob), ['hello Bob: delivered', 'hello Alice: delivered'])
  bob.chat.markRead(alice.id)
  t.is(bob.chat.contact(alice.id).unread, 0)
  await world.pass(10_000)
  t.deepEqual(statuses(alice, bob), ['hello Bob: read', 'hello Alice: delivered'])
  t.deepEqual(
    alice.events.flatMap((event) => (event.type === 'receipt' ? [event.status] : [])),
    ['sent', 'delivered', 'read'],
  )
  t.is(alice.chat.fingerprint(bob.id), bob.chat.fingerprint(alice.id))
  t.deepEqual([...sound(world), ...alice.problems(), ...bob.problems()], [])
})

test('both write first at the same moment: one session is left for both, and nothing is lost', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'from Alice')
  bob.chat.send(alice.id, 'from Bob')
  await world.pass(MINUTE)
  alice.chat.send(bob.id, 'again')
  bob.chat.send(alice.id, 'again')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['from Alice', 'again'])
  t.deepEqual(alice.texts(bob), ['from Bob', 'again'])
  const last = (person: Person): unknown => person.records.contacts()[0]!.sessions.at(-1)
  t.deepEqual(last(alice), last(bob))
  t.deepEqual(alice.records.contacts()[0]!.repair.attempts, [])
})

test('after the first messages, each writes to a queue made for it alone', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'one')
  bob.chat.send(alice.id, 'two')
  await world.pass(MINUTE)
  for (const person of [alice, bob]) {
    const { addresses, card } = person.records.contacts()[0]!
    t.is(addresses.length, 1)
    t.true(card.length > 0)
    t.is(person.queues().filter(({ contact }) => contact.length > 0).length, 1)
  }
})

test('a stranger’s message is a request: no receipt before it is accepted', async (t) => {
  const { world, alice, bob } = await stranger()
  // Nothing overtakes the greeting: the first that Bob hears of her has her name.
  const first = bob.events.find((event) => event.type === 'contact')
  t.like(first, { contact: { name: 'Alice', unread: 0 } })
  const [request] = bob.chat.contacts()
  t.like(request, { id: alice.id, name: 'Alice', status: 'request', unread: 1 })
  bob.chat.markRead(alice.id)
  await world.pass(MINUTE)
  t.deepEqual(statuses(alice, bob), ['may I?: sent'])
  t.is(
    codeOf(() => bob.chat.send(alice.id, 'no')),
    'E_CHAT_BLOCKED',
  )
  t.is(bob.chat.accept(alice.id).status, 'accepted')
  await world.pass(MINUTE)
  t.deepEqual(statuses(alice, bob), ['may I?: read'])
  bob.chat.send(alice.id, 'yes')
  await world.pass(MINUTE)
  t.deepEqual(alice.texts(bob), ['yes'])
})

test('blocked: nothing is taken in, nothing is told; accepted again: what was sent since arrives', async (t) => {
  const { world, alice, bob } = await stranger()
  t.is(bob.chat.block(alice.id).status, 'blocked')
  alice.chat.send(bob.id, 'hello?')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['may I?'])
  t.deepEqual(statuses(alice, bob), ['may I?: sent', 'hello?: sent'])
  bob.chat.accept(alice.id)
  await world.pass(3 * 60 * MINUTE)
  t.deepEqual(bob.texts(alice), ['may I?', 'hello?'])
  t.deepEqual(statuses(alice, bob), ['may I?: delivered', 'hello?: delivered'])
})

test('ChatLimits.requestMessages: the rest is asked for when the request is accepted', async (t) => {
  const { world, alice, bob } = await stranger()
  for (let i = 1; i < ChatLimits.requestMessages + 5; i++) alice.chat.send(bob.id, String(i))
  await world.pass(MINUTE)
  t.is(bob.texts(alice).length, ChatLimits.requestMessages)
  bob.chat.accept(alice.id)
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), [
    'may I?',
    ...Array.from({ length: ChatLimits.requestMessages + 4 }, (_, i) => `${i + 1}`),
  ])
})

test('ChatLimits.requests: beyond, the message stays in the mailbox until there is room', async (t) => {
  const world = new World(3)
  const bob = new Person(world, 'Bob')
  const [card] = await cards(world, bob)
  const strangers = Array.from({ length: ChatLimits.requests + 1 }, (_, i) => new Person(world, `Stranger ${i}`))
  for (const person of strangers) {
    person.chat.addContact(card!)
    person.chat.send(bob.id, 'hello')
    await world.pass(100)
  }
  // However long the last one takes.
  await world.pass(1_000)
  t.is(bob.chat.contacts().length, ChatLimits.requests)
  t.true(bob.problems().includes('E_CHAT_REQUESTS_FULL'))
  bob.chat.block(strangers[0]!.id)
  bob.mailbox.resubscribe()
  await world.pass(1_000)
  t.is(bob.chat.contacts().length, ChatLimits.requests + 1)
  t.deepEqual(bob.texts(strangers.at(-1)!), ['hello'])
})

test('removed and added again on one side: both go on', async (t) => {
  const { world, alice, bob } = await pair()
  for (const text of ['one', 'two', 'three']) alice.chat.send(bob.id, text)
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  const [card] = await cards(world, bob)
  alice.chat.remove(bob.id)
  t.deepEqual(alice.chat.contacts(), [])
  t.is(
    codeOf(() => alice.chat.history(bob.id, { limit: 1 })),
    'E_CHAT_CONTACT',
  )
  await world.pass(MINUTE)
  alice.chat.addContact(card!)
  alice.chat.send(bob.id, 'again')
  bob.chat.send(alice.id, 'are you there?')
  await world.pass(3 * 60 * MINUTE)
  t.deepEqual(bob.texts(alice), ['one', 'two', 'three', 'again'])
  t.deepEqual(alice.texts(bob), ['are you there?'])
  t.deepEqual(
    statuses(alice, bob).filter((line) => line.includes('pending') || line.includes('sent')),
    [],
  )
})

test('names: of the card, of a change, and our own', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'hello')
  await world.pass(MINUTE)
  alice.chat.setName('Alice Liddell')
  await world.pass(MINUTE)
  t.is(bob.chat.contact(alice.id).name, 'Alice Liddell')
  bob.chat.rename(alice.id, 'A.')
  t.like(bob.chat.contact(alice.id), { name: 'A.', ownName: 'Alice Liddell' })
  t.is(bob.chat.rename(alice.id, '').name, 'Alice Liddell')
  t.true(bob.chat.verify(alice.id, true).verified)
  for (const name of ['', 'a\u0000', 'x'.repeat(65)])
    t.is(
      codeOf(() => alice.chat.setName(name)),
      'E_CHAT_NAME',
    )
  t.is(
    codeOf(() => bob.chat.rename(alice.id, ' ')),
    'E_CHAT_NAME',
  )
  t.is(alice.chat.me.name, 'Alice Liddell')
})

test('read receipts can be kept to oneself', async (t) => {
  const { world, alice, bob } = await pair()
  bob.chat.setReadReceipts(alice.id, false)
  alice.chat.send(bob.id, 'hello')
  await world.pass(MINUTE)
  bob.chat.markRead(alice.id)
  await world.pass(MINUTE)
  t.deepEqual(statuses(alice, bob), ['hello: delivered'])
})

test('history comes in pages; what is read up to a message stays unread after it', async (t) => {
  const { world, alice, bob } = await pair()
  for (let i = 0; i < 10; i++) alice.chat.send(bob.id, String(i))
  await world.pass(MINUTE)
  const newest = bob.chat.history(alice.id, { limit: 4 })
  t.deepEqual(
    newest.map(({ text }) => text),
    ['6', '7', '8', '9'],
  )
  const before = bob.chat.history(alice.id, { limit: 4, before: newest[0]!.id })
  t.deepEqual(
    before.map(({ text }) => text),
    ['2', '3', '4', '5'],
  )
  t.is(bob.chat.markRead(alice.id, before[3]!.id).unread, 4)
  await world.pass(MINUTE)
  t.is(alice.chat.history(bob.id, { limit: 99 }).filter(({ status }) => status === 'read').length, 6)
  t.throws(() => bob.chat.history(alice.id, { limit: 1, before: 'ff' }), { instanceOf: RangeError })
})

test('texts: all lengths up to the limit arrive, in their class; none and longer are refused', async (t) => {
  const { world, alice, bob } = await pair()
  // Turns enough that keys of ML-KEM have been exchanged, whoever began: with them a message is longer.
  for (const from of [bob, alice, bob, alice, bob, alice]) {
    from.chat.send(from === bob ? alice.id : bob.id, 'hello')
    await world.pass(MINUTE)
  }
  const lengths = [1, 402, 403, 3_906, 3_907, ChatLimits.textBytes]
  const classes: (number | undefined)[] = []
  for (const length of lengths) {
    world.gateway.bodies.length = 0
    alice.chat.send(bob.id, 'x'.repeat(length))
    classes.push(world.gateway.bodies[0]?.length)
    await world.pass(100)
    classes.pop()
    classes.push(world.gateway.bodies[0]?.length)
    await world.pass(MINUTE)
  }
  t.deepEqual(
    classes,
    [592, 592, 4_096, 4_096, 22_016, 22_016].map((length) => length),
  )
  t.deepEqual(
    bob
      .texts(alice)
      .slice(3)
      .map(({ length }) => length),
    lengths,
  )
  for (const text of ['', 'x'.repeat(ChatLimits.textBytes + 1)]) {
    t.is(
      codeOf(() => alice.chat.send(bob.id, text)),
      'E_CHAT_TEXT',
    )
  }
})

test('every body on the wire has one of three lengths, and none repeats another', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'x'.repeat(229))
  bob.chat.send(alice.id, 'y'.repeat(5_000))
  await world.pass(MINUTE)
  const { bodies } = world.gateway
  t.deepEqual(
    [...new Set(bodies.map(({ length }) => length))].sort((a, b) => a - b),
    SEALED_LENGTHS,
  )
  t.is(new Set(bodies.map(latin1)).size, bodies.length)
})

test('repeats: after 30 seconds, then twice as long each time, the same octets', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  bob.mailbox.online = false
  world.gateway.bodies.length = 0
  alice.chat.send(bob.id, 'are you there?')
  const puts: number[] = []
  for (let second = 0; second < 300; second++) {
    const before = world.gateway.bodies.length
    await world.pass(1_000)
    if (world.gateway.bodies.length > before) puts.push(second)
  }
  t.deepEqual(puts, [0, 30, 90, 210])
  t.is(new Set(world.gateway.bodies.map(latin1)).size, 1)
})

test('offline: everything waits; when the network is back it goes at once', async (t) => {
  const { world, alice, bob } = await pair()
  alice.mailbox.online = false
  alice.chat.send(bob.id, 'waiting')
  await world.pass(40 * MINUTE)
  t.deepEqual(statuses(alice, bob), ['waiting: pending'])
  alice.mailbox.online = true
  alice.chat.connected()
  await world.pass(1_000)
  t.deepEqual(bob.texts(alice), ['waiting'])
})

test('a receipt that the gateway lost: within two hours it is asked for by a copy, which is not shown again', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  alice.chat.send(bob.id, 'did you get this?')
  await world.pass(100)
  world.gateway.faults = { ...world.gateway.faults, messageLost: 1 }
  await world.pass(10 * MINUTE)
  world.gateway.faults = { ...world.gateway.faults, messageLost: 0 }
  t.deepEqual(statuses(alice, bob).at(-1), 'did you get this?: sent')
  await world.pass(110 * MINUTE)
  t.deepEqual(statuses(alice, bob).at(-1), 'did you get this?: delivered')
  t.deepEqual(bob.told(alice), ['hello', 'did you get this?'])
  t.is(bob.chat.contact(alice.id).unread, 2)
})

test('ChatLimits.window: no more is taken on until something is received', async (t) => {
  const { world, alice, bob } = await pair()
  alice.mailbox.online = false
  // The greeting has the first place.
  for (let i = 1; i < ChatLimits.window; i++) alice.chat.send(bob.id, String(i))
  t.is(
    codeOf(() => alice.chat.send(bob.id, 'one more')),
    'E_CHAT_OUTBOX_FULL',
  )
  alice.mailbox.online = true
  alice.chat.connected()
  await world.pass(30 * MINUTE)
  t.is(bob.texts(alice).length, ChatLimits.window - 1)
  t.is(
    codeOf(() => alice.chat.send(bob.id, 'one more')),
    'no error',
  )
})

test('two gateways: when one is blocked, everything arrives over the other', async (t) => {
  const time = new World(4)
  const second = new Gateway(time.time, prng(5))
  const names = ['one', 'two'].map((name) => latin1(utf8(name)))
  const both = new Map([
    [names[0]!, time.gateway],
    [names[1]!, second],
  ])
  const [alice, bob] = [new Person(time, 'Alice', both), new Person(time, 'Bob', both)]
  await acquainted(time, alice, bob)
  alice.chat.send(bob.id, 'one')
  bob.chat.send(alice.id, 'two')
  await time.pass(MINUTE)
  t.is(bob.records.contacts()[0]!.addresses.length, 2)
  // Bob’s network lets him reach the second gateway alone; Alice’s puts to the first one succeed, and reach nobody.
  bob.gateways = new Map([[names[1]!, second]])
  bob.restart()
  bob.mailbox.resubscribe()
  for (const text of ['three', 'four']) alice.chat.send(bob.id, text)
  await time.pass(5 * MINUTE)
  t.deepEqual(bob.texts(alice), ['one', 'three', 'four'])
  t.deepEqual(
    statuses(alice, bob).filter((line) => line.includes('sent')),
    [],
  )
})

test('cards: our own, too old, and with another key', async (t) => {
  const { world, alice, bob } = await pair()
  const [own] = await cards(world, alice)
  t.is(
    codeOf(() => alice.chat.addContact(own!)),
    'E_CARD_OWN',
  )
  t.is(
    codeOf(() => alice.chat.addContact(cardFrom(9, { prekey: { ...contentFrom(9).prekey, expires: world.time.now } }))),
    'E_CARD_EXPIRED',
  )
  const [card] = await cards(world, bob)
  t.is(
    codeOf(() => alice.chat.addContact({ ...card!, chain: cardFrom(9).chain })),
    'E_CARD_CHANGED',
  )
  t.is(
    codeOf(() => alice.chat.contact('00')),
    'E_CHAT_CONTACT',
  )
})

test('without a gateway there is no card and nothing to send with', async (t) => {
  const { world, bob } = await pair()
  const lonely = new Person(world, 'Carol', new Map())
  const [card] = await cards(world, bob)
  lonely.chat.addContact(card!)
  await t.throwsAsync(lonely.chat.myCard(), { code: 'E_CHAT_NO_GATEWAY' })
  t.is(
    codeOf(() => lonely.chat.send(bob.id, 'hello')),
    'E_CHAT_NO_GATEWAY',
  )
  t.deepEqual(lonely.chat.history(bob.id, { limit: 1 }), [])
})

test('without a shelf: prekeys are replaced every week, contacts hear of it, old cards work for 30 days, then a fresh one mends it', async (t) => {
  const world = new World(1)
  world.gateway.hasShelves = false
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  const [first] = await cards(world, bob)
  await world.pass(8 * DAY)
  const [second] = await cards(world, bob)
  t.is(second!.prekey.id, first!.prekey.id + 1)
  t.deepEqual(alice.records.contacts()[0]!.card, second!.bytes)

  const late = new Person(world, 'Late')
  late.chat.addContact(first!)
  late.chat.send(bob.id, 'with an old card')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(late), ['with an old card'])

  const later = new Person(world, 'Later')
  later.chat.addContact(first!)
  later.mailbox.online = false
  later.chat.send(bob.id, 'sent too late')
  await world.pass(30 * DAY)
  later.mailbox.online = true
  later.chat.connected()
  await world.pass(MINUTE)
  t.is(
    codeOf(() => bob.texts(later)),
    'E_CHAT_CONTACT',
  )
  const [third] = await cards(world, bob)
  later.chat.addContact(third!)
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(later), ['sent too late'])
})

test('a contact’s queue is replaced every 30 days, and the old one goes 22 days later', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  const address = (): string => latin1(alice.records.contacts()[0]!.addresses[0]!.sid)
  const first = address()
  await world.pass(31 * DAY)
  t.not(address(), first)
  const ofAlice = (): number => bob.queues().filter(({ contact }) => contact.length > 0).length
  t.is(ofAlice(), 2)
  alice.chat.send(bob.id, 'on the new one')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['hello', 'on the new one'])
  await world.pass(23 * DAY)
  t.is(ofAlice(), 1)
})

test('clocks that are wrong: shown in order, and never more than five minutes ahead', async (t) => {
  const { world, alice, bob } = await pair()
  alice.clockOff = 3 * DAY
  alice.restart()
  alice.chat.send(bob.id, 'from the future')
  bob.chat.send(alice.id, 'now')
  await world.pass(MINUTE)
  const [shown] = bob.chat.history(alice.id, { limit: 9 }).filter(({ from }) => from === 'them')
  t.true(shown!.time <= world.time.now + ChatLimits.clockAheadMs)
  alice.clockOff = -3 * DAY
  alice.restart()
  alice.chat.send(bob.id, 'from the past')
  await world.pass(MINUTE)
  t.deepEqual(bob.texts(alice), ['from the future', 'from the past'])
})

test('a session that is lost again and again: three repairs an hour, then the person is told, then it goes on', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  for (let i = 0; i < 4; i++) {
    bob.loseSessions()
    alice.chat.send(bob.id, `text ${i}`)
    await world.pass(5_000)
  }
  t.deepEqual(bob.problems(), ['E_CHAT_CONNECTION'])
  t.is(bob.records.contacts()[0]!.repair.attempts.length, ChatLimits.repairsPerHour)
  await world.pass(3 * 60 * MINUTE)
  t.deepEqual(bob.texts(alice), ['hello', 'text 0', 'text 1', 'text 2', 'text 3'])
  t.deepEqual(
    statuses(alice, bob).filter((line) => !line.endsWith('delivered')),
    [],
  )
})

test('what was received is forgotten: keys after 30 days, ids after 30 days', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  const { addresses } = alice.records.contacts()[0]!
  const id = world.gateway.queueOf(addresses[0]!.sid)!.acked.values().next().value!
  const key = Uint8Array.from(id, (letter) => letter.charCodeAt(0))
  t.not(bob.records.seen(key), undefined)
  const { sessions } = bob.records.contacts()[0]!
  const session = bob.records.session(sessions.at(-1)!.id)!
  const kept = [{ number: 90, key: new Uint8Array(32), since: world.time.now }]
  const receiving = session.ratchet.receiving.map((chain) => ({ ...chain, kept }))
  bob.store.transaction(() => bob.records.putSession({ ...session, ratchet: { ...session.ratchet, receiving } }))
  t.is(bob.records.sessionsWithKept().length, 1)
  for (const person of [alice, bob]) person.mailbox.online = false
  await world.pass(32 * DAY)
  t.is(bob.records.seen(key), undefined)
  t.is(bob.records.sessionsWithKept().length, 0)
})

test('an identity is made once; a store without one opens to nothing', async (t) => {
  const world = new World(1)
  const alice = new Person(world, 'Alice')
  const { store, mailbox } = alice
  let now = world.time.now
  const options = { store, mailbox, random: prng(1).bytes, now: () => now, wake: () => undefined }
  t.throws(() => Chat.create(options, 'Another'), { instanceOf: RangeError })
  t.is(
    codeOf(() => Chat.create(options, '')),
    'E_CHAT_NAME',
  )
  t.is(Chat.open({ ...options, store: emptyStore() }), undefined)

  // Even where nobody has called `tick` for weeks, a card is made with a prekey of this week.
  const [card] = await cards(world, alice)
  now += 8 * DAY
  const chat = Chat.open(options)!
  t.is((await chat.myCard()).prekey.id, card!.prekey.id + 1)
})

/** What a contact with a modified client may do to an envelope, and whether it counts as unreadable. */
const tampering: Record<string, readonly [tamper: (envelope: Uint8Array) => Uint8Array, isUnreadable: boolean]> = {
  garbage: [(envelope) => envelope.map((octet) => octet ^ 0x55), true],
  'another version': [(envelope) => envelope.with(0, 2), true],
  'another chat': [(envelope) => reencoded(envelope, { chat: new Uint8Array(16) }), true],
  'text that is no UTF-8': [(envelope) => reencoded(envelope, { body: Uint8Array.of(0xff) }), false],
  'a counter from far ahead': [(envelope) => reencoded(envelope, { counter: 2 ** 52 }), false],
}

for (const [name, [tamper, isUnreadable]] of Object.entries(tampering)) {
  test(`a contact with a modified client: ${name}: honest messages go on`, async (t) => {
    const { world, alice, bob } = await pair()
    alice.chat.send(bob.id, 'hello')
    bob.chat.send(alice.id, 'hello')
    await world.pass(MINUTE)
    alice.tamper = tamper
    alice.chat.send(bob.id, 'harm')
    alice.tamper = (envelope) => envelope
    await world.pass(1_000)
    t.is(bob.records.contacts()[0]!.repair.attempts.length, isUnreadable ? 1 : 0)
    alice.chat.send(bob.id, 'honest')
    bob.chat.send(alice.id, 'still here')
    await world.pass(MINUTE)
    // What was asked for again comes as it was stored before it was tampered with.
    const shown = bob.texts(alice).filter((text) => text !== 'harm')
    t.deepEqual(shown, ['hello', 'honest'])
    t.deepEqual(alice.texts(bob), ['hello', 'still here'])
    t.deepEqual(bob.problems(), [])
  })
}

test('what one contact puts into the queue of another is nobody’s', async (t) => {
  const { world, alice, bob } = await pair()
  const carol = new Person(world, 'Carol')
  await acquainted(world, alice, carol)
  for (const person of [bob, carol]) person.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  const { addresses } = bob.records.contacts()[0]!
  const contact = carol.records.contacts()[0]!
  carol.store.transaction(() => carol.records.putContact({ ...contact, addresses }))
  carol.chat.send(alice.id, 'from whom?')
  await world.pass(MINUTE)
  t.deepEqual(alice.texts(carol), ['hello'])
  t.deepEqual(alice.texts(bob), ['hello'])
})

test('ChatLimits.archivedSessions: the oldest go, and a first message older than all of them changes nothing', async (t) => {
  const { world, alice, bob } = await pair()
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  for (let i = 0; i < ChatLimits.archivedSessions + 5; i++) {
    alice.loseSessions()
    alice.chat.send(bob.id, `text ${i}`)
    await world.pass(MINUTE)
  }
  t.is(bob.texts(alice).length, ChatLimits.archivedSessions + 6)
  const { sessions } = bob.records.contacts()[0]!
  t.is(sessions.length, ChatLimits.archivedSessions + 1)
  t.deepEqual(sessions, alice.records.contacts()[0]!.sessions)
})

test('a gateway of a contact that is closed to us: the person is told, once', async (t) => {
  const world = new World(6)
  const second = new Gateway(world.time, prng(7))
  const alice = new Person(world, 'Alice')
  const bob = new Person(world, 'Bob', new Map([[latin1(utf8('elsewhere')), second]]))
  const [card] = await cards(world, bob)
  alice.chat.addContact(card!)
  alice.chat.send(bob.id, 'hello')
  await world.pass(60 * MINUTE)
  t.deepEqual(alice.problems(), ['E_NO_GATEWAY'])
  t.deepEqual(statuses(alice, bob), ['hello: pending'])
})

test('a gateway that lost all queues is asked for each of them once', async (t) => {
  const world = new World(7)
  const alice = new Person(world, 'Alice')
  for (let n = 0; n < 20; n++) {
    const contact = new Person(world, `Contact ${n}`)
    await acquainted(world, alice, contact)
    alice.chat.send(contact.id, 'hello')
  }
  await world.pass(MINUTE)
  for (const { rid } of alice.queues()) world.gateway.forget(rid)
  const made = alice.queues().length
  t.true(made > 20)
  let calls = 0
  const create = world.gateway.create.bind(world.gateway)
  world.gateway.create = (queue) => {
    calls++
    create(queue)
  }
  alice.restart()
  await world.pass(MINUTE)
  t.true(alice.queues().every((queue) => queue.made))
  t.is(calls, made)
})

test('a disk that stays full when a message is to disappear is tried again now and then, and not all the time', async (t) => {
  const { world, alice, bob } = await pair()
  bob.chat.setTimer(alice.id, 60)
  await world.pass(MINUTE)
  bob.chat.send(alice.id, 'for a minute')
  await world.pass(MINUTE)
  alice.chat.markRead(bob.id)
  await world.pass(10_000)
  let commits = 0
  alice.store.onStep = (phase) => {
    if (phase === 'change') commits++
    throw new SottoError('E_DISK_FULL', 'no space is left')
  }
  await world.pass(10 * MINUTE)
  t.true(commits > 0 && commits < 50, `${commits} attempts in ten minutes`)
  t.deepEqual(alice.texts(bob), ['for a minute'])
  alice.store.onStep = () => undefined
  await world.pass(20 * MINUTE)
  t.deepEqual(alice.texts(bob), [])
})

test('a stranger who says what is no text is taken in up to a bound, and asked again once accepted', async (t) => {
  const { world, alice, bob } = await stranger()
  const [first] = alice.chat.history(bob.id, { limit: 1 })
  for (let n = 0; n < 2 * ChatLimits.requestEnvelopes; n++) {
    alice.chat.react(bob.id, first!.id, String.fromCodePoint(0x1f600 + (n % 60)))
    await world.pass(200)
  }
  await world.pass(MINUTE)
  const count = (): number => {
    const { database } = bob as unknown as { database: DatabaseSync }
    return Number(database.prepare('SELECT count(*) AS n FROM seen').get()!.n)
  }
  t.true(count() <= 2 * ChatLimits.requestEnvelopes + 4, `${count()} ids are kept`)
  bob.chat.accept(alice.id)
  await world.pass(30 * MINUTE)
  const last = alice.chat.history(bob.id, { limit: 1 })[0]!.myReaction
  t.is(bob.chat.history(alice.id, { limit: 1 })[0]!.theirReaction, last)
})

test('whoever has the card cannot make us remember what was dropped', async (t) => {
  const { world, alice, bob } = await stranger()
  for (let n = 1; n < ChatLimits.requestMessages; n++) {
    alice.chat.send(bob.id, `message ${n}`)
    await world.pass(100)
  }
  await world.pass(MINUTE)
  t.is(bob.texts(alice).length, ChatLimits.requestMessages)
  const remembered = (): number => {
    const { database } = bob as unknown as { database: DatabaseSync }
    return Number(database.prepare('SELECT count(*) AS n FROM seen').get()!.n)
  }
  const before = remembered()
  // Octets of nobody, messages beyond what is kept of a stranger, and of somebody blocked.
  const { gateway, sid, sauth } = bob.queues().find(({ contact }) => contact.length === 0)!
  const throwIn = (): void => {
    for (let n = 0; n < 20; n++) {
      const [id, body] = [world.chance.bytes(16), world.chance.bytes(592)]
      world.gateway.put({ gateway, sid, sauth, id, body })
      alice.chat.send(bob.id, `beyond ${n}`)
    }
  }
  throwIn()
  await world.pass(10_000)
  t.is(bob.texts(alice).length, ChatLimits.requestMessages)
  bob.chat.block(alice.id)
  throwIn()
  await world.pass(10_000)
  t.is(remembered(), before)
  t.is(world.gateway.queueOf(sid)!.waiting.length, 0, 'the mailbox may forget them')
})
