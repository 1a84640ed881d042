/** An old copy of the state folder is put back: no key seals twice, and both go on. */
import test from 'ava'
import { fromHex } from '#protocol/bytes.ts'
import { acquainted, Person, World } from './fixtures/world.ts'
import { ChatLimits } from './limits.ts'

const MINUTE = 60_000

interface Friends {
  readonly world: World
  readonly alice: Person
  readonly bob: Person
  /** Alice, as a copy of her state would go on. */
  readonly copy: Person
}

interface Story {
  /** The copy is known to be one. */
  readonly isKnown?: boolean
  /** Something of Alice's waits in the copy. */
  readonly waits?: boolean
  /** What Alice and Bob say after it was made. */
  readonly meanwhile?: readonly string[]
}

/** Alice and Bob talk; a copy is made of Alice's state, and they go on. Then she is gone, and only the copy is left. */
async function leftBehind(story: Story = {}): Promise<Friends> {
  const { isKnown = true, waits = false, meanwhile = ['first', 'second', 'third'] } = story
  const world = new World(29)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  for (const [from, to] of [
    [alice, bob],
    [bob, alice],
    [alice, bob],
  ] as const) {
    from.chat.send(to.id, 'before')
    await world.pass(MINUTE)
  }
  alice.mailbox.online = !waits
  if (waits) alice.chat.send(bob.id, 'waiting')
  const copy = alice.copy('Copy')
  copy.mailbox.disconnect()
  alice.mailbox.online = true
  for (const text of meanwhile) {
    alice.chat.send(bob.id, `${text} of Alice`)
    bob.chat.send(alice.id, `${text} of Bob`)
    await world.pass(5 * MINUTE)
  }
  alice.mailbox.disconnect()
  alice.store.die()
  copy.place = isKnown ? 2 : copy.place
  copy.restart()
  copy.chat.connected()
  return { world, alice, bob, copy }
}

async function talk({ world, alice, bob, copy }: Friends): Promise<void> {
  for (const text of ['one', 'two']) {
    copy.chat.send(bob.id, text)
    bob.chat.send(alice.id, `${text} too`)
    await world.pass(10 * MINUTE)
  }
}

const lastOf = (texts: readonly string[]): readonly string[] => texts.slice(-2)

test('a copy that knows itself as one: nothing is sealed twice, what is said from then on arrives both ways', async (t) => {
  const friends = await leftBehind()
  const { world, alice, bob, copy } = friends
  await talk(friends)
  t.deepEqual(world.broken, [])
  t.deepEqual(world.gateway.broken, [])
  t.deepEqual(bob.texts(alice), [
    'before',
    'before',
    'first of Alice',
    'second of Alice',
    'third of Alice',
    'one',
    'two',
  ])
  t.deepEqual(lastOf(copy.texts(bob)), ['one too', 'two too'])
  t.deepEqual(bob.problems(), [])
})

test('a copy that is taken for the same: the first receipt tells, and from then on everything arrives', async (t) => {
  const friends = await leftBehind({ isKnown: false })
  const { world, alice, bob, copy } = friends
  await talk(friends)
  t.deepEqual(world.broken, ['one key sealed two messages'], 'which is why copies are told apart')
  copy.chat.send(bob.id, 'three')
  bob.chat.send(alice.id, 'three too')
  await world.pass(30 * MINUTE)
  // The first one had the number of another that Bob has: it is taken for received.
  t.deepEqual(lastOf(bob.texts(alice)), ['two', 'three'])
  t.deepEqual(copy.texts(bob).slice(-3), ['one too', 'two too', 'three too'])
  t.deepEqual(copy.records.contact(fromHex(bob.id)!)!.received.ahead, [])
})

test('what waited when the copy was made arrives once, whether the other one has sent it or not', async (t) => {
  for (const meanwhile of [[], ['first']]) {
    const friends = await leftBehind({ waits: true, meanwhile })
    const { world, alice, bob } = friends
    await talk(friends)
    const texts = bob.texts(alice)
    t.is(texts.filter((text) => text === 'waiting').length, 1, `${texts}`)
    t.deepEqual(lastOf(texts), ['one', 'two'])
    t.deepEqual(bob.told(alice).toSorted(), texts.toSorted())
    t.deepEqual([...world.broken, ...world.gateway.broken], [])
  }
})

test('nothing waits for ever for what the copy never had: the other begins a series anew', async (t) => {
  const friends = await leftBehind()
  const { bob, copy } = friends
  await talk(friends)
  const { received } = copy.records.contact(fromHex(bob.id)!)!
  t.deepEqual(received.ahead, [])
})

test('where the state lies as before, nothing is begun anew', async (t) => {
  const world = new World(31)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  alice.chat.send(bob.id, 'before')
  await world.pass(MINUTE)
  const known = (): unknown => [alice.records.prekeys(), alice.records.profile(), alice.records.contacts()]
  alice.restart()
  const before = known()
  alice.restart()
  t.deepEqual(known(), before)
})

test('a folder that is another copy at each start: bounded, told, and what is said arrives', async (t) => {
  const world = new World(37)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  const { prekeys, archivedSessions, copiedTimes } = ChatLimits
  const starts = prekeys + 4
  for (let start = 1; start <= starts; start++) {
    alice.mailbox.disconnect()
    alice.place++
    alice.restart()
    alice.chat.connected()
    const told: string[] = []
    alice.chat.onEvent(
      (event) => void (event.type === 'problem' && told.push(`${event.error.code} ${event.error.message}`)),
    )
    await world.pass(2 * MINUTE)
    t.is(told.length, 1)
    t.regex(
      told[0]!,
      start === 1 ? /^E_STATE_COPIED .*is a copy/ : new RegExp(`at ${Math.min(start, copiedTimes)} starts`),
    )
    alice.chat.send(bob.id, `${start} of Alice`)
    bob.chat.send(alice.id, `${start} of Bob`)
    await world.pass(2 * MINUTE)
  }
  const all = (name: string): string[] => Array.from({ length: starts }, (_, i) => `${i + 1} of ${name}`)
  t.deepEqual(bob.texts(alice), all('Alice'))
  t.deepEqual(alice.texts(bob), all('Bob'))
  t.deepEqual([...world.broken, ...world.gateway.broken], [])
  t.is(alice.records.prekeys().length, prekeys)
  t.is(alice.records.profile()!.copied!.length, copiedTimes)
  for (const each of [alice, bob]) {
    for (const { sessions } of each.records.contacts()) t.true(sessions.length <= archivedSessions + 1)
  }
  alice.restart()
  const told: string[] = []
  alice.chat.onEvent((event) => void told.push(event.type))
  await world.pass(1)
  t.deepEqual(told, [], 'it lies as before: nothing is said')
})
