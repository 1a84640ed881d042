import test from 'ava'
import { MessageType } from './envelope.ts'
import { cards, Person, World } from './fixtures/world.ts'

const MINUTE = 60_000
const FRIENDS = 34

test('a round through many contacts yields to who types, and comes to everybody', async (t) => {
  t.timeout(120_000)
  const world = new World(1)
  const alice = new Person(world, 'Alice')
  const friends = Array.from({ length: FRIENDS }, (_, at) => new Person(world, `Friend ${at}`))
  const [card, ...theirs] = await cards(world, alice, ...friends)
  for (const each of theirs) alice.chat.addContact(each)
  for (const { chat } of friends) chat.addContact(card!)
  for (const { id } of friends) alice.chat.send(id, 'hello')
  await world.pass(MINUTE)
  const hellos = (): number => alice.records.outbox().filter(({ type }) => type === MessageType.hello).length
  t.is(hellos(), 0)
  alice.chat.setName('Alice Liddell')
  const atOnce = hellos()
  t.true(atOnce > 0)
  t.true(atOnce < FRIENDS)
  await world.pass(MINUTE)
  t.is(hellos(), 0)
  t.true(friends.every(({ chat }) => chat.contact(alice.id).name === 'Alice Liddell'))
})
