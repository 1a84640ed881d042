/** An address by hand: a gateway that has another name now is reached by it, for everything, and only where one is its member. */
import test from 'ava'
import { latin1, utf8 } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { cards, Person, World } from './fixtures/world.ts'

test('by hand, a contact is reached at a gateway that their card does not name; taken back, as the card says', async (t) => {
  const world = new World(1)
  const named = (name: string): ReadonlyMap<string, World['gateway']> => new Map([[latin1(utf8(name)), world.gateway]])
  const [alice, bob] = [new Person(world, 'Alice', named('new:443')), new Person(world, 'Bob', named('old:443'))]
  const [card] = await cards(world, bob)
  alice.chat.addContact(card!)
  alice.chat.send(bob.id, 'are you there?')
  await world.pass(60_000)
  t.is(bob.chat.contacts().length, 0)
  t.deepEqual(alice.problems(), ['E_NO_GATEWAY'])
  const refused = t.throws(() => alice.chat.setAddress(bob.id, 'elsewhere:443'))
  t.true(isSottoError(refused, 'E_CONTACT_ADDRESS'))
  t.is(alice.chat.setAddress(bob.id, 'new:443').address, 'new:443')
  await world.pass(60_000)
  t.deepEqual(bob.texts(alice), ['are you there?'])
  alice.restart()
  t.is(alice.chat.contact(bob.id).address, 'new:443')
  t.is(alice.chat.setAddress(bob.id, '').address, undefined)
})
