/** Two versions that cannot read each other: it is said so, by whichever side has this one, and nothing is lost. */
import test from 'ava'
import { empty } from '#protocol/bytes.ts'
import { signHead } from './bundle.ts'
import { type Card, readCard, signCard } from './card.ts'
import type { Gateway } from './fixtures/mailbox.ts'
import { acquainted, cards, Person, World } from './fixtures/world.ts'
import { identityOf } from './identity.ts'
import { otherVersion } from './other-version.ts'
import { headOf } from './prekeys.ts'
import { startsOf, Way } from './start.ts'

const MINUTE = 60_000
const OLDER = Uint8Array.of(Way.card - 2, Way.bundle - 2)
const NEWER = Uint8Array.of(Way.card + 2, Way.bundle + 2)

const ownerOf = (person: Person): ReturnType<typeof identityOf> => {
  const { chain = empty, ...keys } = person.records.profile()!
  return identityOf({ ...keys, chain })
}

/** What their gateway hands out where they have a program of another version. */
function shelfOf(person: Person, starts: Uint8Array): Gateway['tamper'] {
  const head = { ...headOf(person.records.prekeys().at(-1)!), starts }
  return (answer) => ({ ...answer, head: signHead(ownerOf(person), head) })
}

/** Their card as a program of another version makes it. */
function cardOf(person: Person, card: Card, starts: Uint8Array): Card {
  return readCard(signCard(ownerOf(person), { ...card, prekey: { ...card.prekey, starts } }))
}

for (const [which, starts, next] of [
  ['older', OLDER, /Ask Bob to update/],
  ['newer', NEWER, /Update Sotto here/],
] as const) {
  test(`the shelf of somebody whose program is ${which}: it is said once, and what waits goes out after the update`, async (t) => {
    const world = new World(11)
    const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
    const [card] = await cards(world, bob)
    await world.pass(MINUTE)
    world.gateway.tamper = shelfOf(bob, starts)
    // With any card of theirs: what lies on the shelf is newer.
    alice.chat.addContact(cardOf(bob, card!, starts))
    alice.chat.send(bob.id, 'hello')
    await world.pass(5 * MINUTE)
    const told = alice.events.flatMap((event) => (event.type === 'problem' ? [event.error] : []))
    t.deepEqual(
      told.map(({ code }) => code),
      ['E_CHAT_VERSION'],
    )
    t.regex(told[0]!.message, /both sides need version \d/)
    t.regex(told[0]!.next, next)
    t.is(world.gateway.bodies.length, 0)
    world.gateway.tamper = (answer) => answer
    await world.pass(20 * MINUTE)
    t.deepEqual(bob.texts(alice), ['hello'])
  })
}

test('a card without a shelf that names no way of ours is refused, and nobody is added', async (t) => {
  const world = new World(12)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  const [card] = await cards(world, bob)
  const old = cardOf(bob, card!, OLDER.subarray(0, 1))
  t.throws(() => alice.chat.addContact(old), { code: 'E_CHAT_VERSION', message: /here.+where Bob is/ })
  t.deepEqual(alice.chat.contacts(), [])
})

test('what cannot be read of a contact whose card names no way of ours: the person is told, and others are heard', async (t) => {
  const world = new World(13)
  const [alice, bob, carol] = ['Alice', 'Bob', 'Carol'].map((name) => new Person(world, name)) as [
    Person,
    Person,
    Person,
  ]
  await acquainted(world, alice, bob)
  await acquainted(world, alice, carol)
  alice.chat.send(bob.id, 'hello')
  carol.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  const known = alice.records.contact(ownerOf(bob).uid)!
  const { bytes } = cardOf(bob, readCard(known.card), OLDER.subarray(0, 1))
  alice.store.transaction(() => alice.records.putContact({ ...known, card: bytes }))
  alice.loseSessions()
  alice.restart()
  bob.chat.send(alice.id, 'cannot be read')
  carol.chat.send(alice.id, 'can be read')
  await world.pass(20 * MINUTE)
  t.deepEqual(alice.problems(), ['E_CHAT_VERSION'])
  t.deepEqual(alice.texts(carol), ['hello', 'can be read'])
  t.deepEqual([...world.broken, ...world.gateway.broken], [])
})

test('both sides need the higher version, and the one that has the lower is to be updated', (t) => {
  t.is(startsOf(Way.bundle).at(-1), Way.bundle)
  const [older, newer] = [otherVersion('Bob', OLDER, ''), otherVersion('Bob', NEWER, '')]
  t.is(older.message, 'Sotto speaks version 3 here, and version 2 where Bob is: both sides need version 3.')
  t.is(newer.message, 'Sotto speaks version 3 here, and version 4 where Bob is: both sides need version 4.')
})
