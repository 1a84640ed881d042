import test from 'ava'
import { acquainted, Person, World } from './fixtures/world.ts'

test('two people with each other’s cards write to each other', async (t) => {
  const world = new World(1)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  t.is(alice.chat.send(bob.id, 'hello Bob').status, 'pending')
  await world.pass(100)
  t.deepEqual(bob.texts(alice), ['hello Bob'])
  t.is(bob.chat.contact(alice.id).name, 'Alice')
  bob.chat.send(alice.id, 'hello Alice')
  await world.pass(10_000)
  t.deepEqual(alice.texts(bob), ['hello Alice'])
  t.deepEqual(
    alice.chat.history(bob.id, { limit: 9 }).map(({ text, status }) => `${text} ${status}`),
    ['hello Bob delivered', 'hello Alice delivered'],
  )
  bob.chat.markRead(alice.id)
  await world.pass(10_000)
  t.is(alice.chat.history(bob.id, { limit: 9 })[0]!.status, 'read')
  t.is(alice.chat.fingerprint(bob.id), bob.chat.fingerprint(alice.id))
  t.deepEqual([...world.broken, ...world.gateway.broken, ...alice.problems(), ...bob.problems()], [])
})
