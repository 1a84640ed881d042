/** The process dies before and after every step of the store, once each; and the disk is full at every step. */
import assert from 'node:assert/strict'
import test from 'ava'
import { SottoError } from '#protocol/errors.ts'
import { acquainted, Person, World } from './fixtures/world.ts'
import { ChatLimits } from './limits.ts'

const MINUTE = 60_000

interface Scene {
  readonly world: World
  readonly alice: Person
  readonly bob: Person
}

/** So many messages that an exchange of ML-KEM is due: it happens among what follows. */
const SAID = ChatLimits.healingMessages + 2

async function begin(): Promise<Scene> {
  const world = new World(7)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  return { world, alice, bob }
}

async function beginLong(): Promise<Scene> {
  const { world, alice, bob } = await begin()
  alice.chat.send(bob.id, 'hello')
  await world.pass(10_000)
  for (let i = 0; i < SAID; i++) bob.chat.send(alice.id, `${i}`)
  await world.pass(MINUTE)
  return { world, alice, bob }
}

type View = ReturnType<Person['chat']['history']>[number]

const found = (person: Person, contact: Person, text: string): View | undefined =>
  person.chat.history(contact.id, { limit: 99 }).find((message) => message.text === text)

/** Until it is stored, however often the process dies over it. */
function once(person: Person, isStored: () => boolean, work: () => void): void {
  for (;;) {
    if (person.dead) person.restart()
    if (isStored()) return
    person.survive(work)
  }
}

const sendOnce = (person: Person, contact: Person, text: string): void =>
  once(
    person,
    () => found(person, contact, text) !== undefined,
    () => person.chat.send(contact.id, text),
  )

/** Both write, both answer, both read. */
async function talk({ world, alice, bob }: Scene): Promise<void> {
  for (const [person, contact, text] of [
    [alice, bob, 'one'],
    [bob, alice, 'two'],
    [alice, bob, 'three'],
  ] as const) {
    sendOnce(person, contact, text)
    await world.pass(10_000)
  }
  if (bob.dead) bob.restart()
  bob.survive(() => bob.chat.markRead(alice.id))
  await world.pass(10_000)
}

/** And what was said is changed, taken back and liked. */
async function change(scene: Scene): Promise<void> {
  const { world, alice, bob } = scene
  await talk(scene)
  sendOnce(bob, alice, 'four')
  await world.pass(10_000)
  for (const [person, contact] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const [own, back, theirs] = person === alice ? ['one', 'three', 'four'] : ['two', 'four', 'one edited']
    const id = (text: string): string => found(person, contact, text)!.id
    const isEdited = (): boolean => found(person, contact, `${own} edited`) !== undefined
    once(person, isEdited, () => person.chat.edit(contact.id, id(own!), `${own} edited`))
    await world.pass(10_000)
    const isLiked = (): boolean => found(person, contact, theirs!)?.myReaction === '👍'
    if (found(person, contact, theirs!) !== undefined)
      once(person, isLiked, () => person.chat.react(contact.id, id(theirs!), '👍'))
    const isGone = (): boolean => found(person, contact, back!) === undefined
    once(person, isGone, () => person.chat.withdraw(contact.id, id(back!)))
    await world.pass(10_000)
  }
}

/** What one of them sees, as the other has to see it. */
function seenBy(person: Person, contact: Person): object[] {
  return person.chat
    .history(contact.id, { limit: 99 })
    .map(({ id, from, text, edited, withdrawn, myReaction, theirReaction }) => ({
      ...{ id, by: from === 'me' ? person.id : contact.id, text, edited, withdrawn },
      ...{ [person.id]: myReaction, [contact.id]: theirReaction },
    }))
    .sort((one, two) => (one.id < two.id ? -1 : 1))
}

async function check({ world, alice, bob }: Scene): Promise<void> {
  for (const person of [alice, bob]) {
    person.stepsToLive = Number.POSITIVE_INFINITY
    if (person.dead) person.restart()
    person.mailbox.resubscribe()
    person.chat.connected()
  }
  await world.pass(20 * MINUTE)
  assert.deepEqual(seenBy(alice, bob), seenBy(bob, alice))
  for (const person of [alice, bob]) {
    const told = person.told(person === alice ? bob : alice)
    assert.equal(new Set(told).size, told.length)
  }
  assert.deepEqual([...alice.records.outbox(), ...bob.records.outbox()], [])
  assert.deepEqual([...world.broken, ...world.gateway.broken], [])
  for (const person of [alice, bob]) assert.deepEqual(person.records.contacts()[0]!.repair.attempts, [])
}

interface Story {
  readonly begin: () => Promise<Scene>
  readonly play: (scene: Scene) => Promise<void>
  readonly check: (scene: Scene) => void
  /** From one step that is tried to the next. */
  readonly stride: number
}

const TALK: Story = {
  begin,
  play: talk,
  check: ({ alice, bob }) => {
    assert.deepEqual(bob.texts(alice), ['one', 'three'])
    assert.deepEqual(alice.texts(bob), ['two'])
  },
  stride: 1,
}

/** Long, so not every step has its turn where the long mode does not want it. */
const CHANGES: Story = {
  begin: beginLong,
  play: change,
  check: ({ alice, bob }) => {
    assert.deepEqual(bob.texts(alice), ['hello', 'one edited', ''])
    assert.deepEqual(alice.texts(bob).slice(SAID), ['two edited', ''])
  },
  stride: process.env.SOTTO_LONG === '1' ? 1 : 13,
}

/** Returns the number of steps that there are, at least. */
async function everyStep(
  story: Story,
  who: 'alice' | 'bob',
  arm: (person: Person, step: number) => () => boolean,
): Promise<number> {
  for (let step = 1; ; step += story.stride) {
    const scene = await story.begin()
    const wasReached = arm(scene[who], step)
    await story.play(scene)
    const reached = wasReached()
    await check(scene)
    story.check(scene)
    if (!reached) return step
  }
}

const dying = (person: Person, step: number): (() => boolean) => {
  person.stepsToLive = step
  return () => person.stepsToLive !== step && person.restarts > 0
}

for (const who of ['alice', 'bob'] as const) {
  test(`${who} dies at every step: nothing is lost, nothing comes twice, no key seals twice`, async (t) => {
    t.timeout(600_000)
    const steps = await everyStep(TALK, who, dying)
    t.true(steps > 60, `${steps} steps`)
  })

  test(`${who} dies while what was said is changed and keys of ML-KEM are exchanged: both see the same`, async (t) => {
    t.timeout(3_600_000)
    const steps = await everyStep(CHANGES, who, dying)
    t.true(steps > 150, `${steps} steps`)
  })
}

test('the disk is full at every step: the caller hears of it, and nothing is lost', async (t) => {
  const full = new SottoError('E_DISK_FULL', 'no space')
  let heard = 0
  t.timeout(600_000)
  const steps = await everyStep(TALK, 'alice', (person, step) => {
    let left = step
    person.store.onStep = (phase) => {
      if (phase !== 'committed' && --left === 0) throw full
    }
    person.chat.onEvent((event) => {
      if (event.type === 'problem' && event.error.code === 'E_DISK_FULL') heard++
    })
    const { survive } = person
    person.survive = (work) => {
      try {
        return survive.call(person, work)
      } catch (error) {
        assert.equal(error, full)
        heard++
        return false
      }
    }
    return () => left <= 0
  })
  t.true(steps > 60)
  t.true(heard >= steps - 1, `${heard} of ${steps}`)
})
