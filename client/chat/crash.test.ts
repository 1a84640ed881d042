/** The process dies before and after every single step of the store, once each; and the disk is full at every step. */
import assert from 'node:assert/strict'
import test from 'ava'
import { SottoError } from '#protocol/errors.ts'
import { acquainted, Person, World } from './fixtures/world.ts'

const MINUTE = 60_000

interface Scene {
  readonly world: World
  readonly alice: Person
  readonly bob: Person
}

async function begin(): Promise<Scene> {
  const world = new World(7)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  return { world, alice, bob }
}

function sendOnce(person: Person, contact: Person, text: string): void {
  const isStored = (): boolean =>
    person.chat.history(contact.id, { limit: 99 }).some((message) => message.text === text)
  for (;;) {
    if (person.dead) person.restart()
    if (isStored()) return
    person.survive(() => person.chat.send(contact.id, text))
  }
}

/** Both write, both answer, both read. */
async function play({ world, alice, bob }: Scene): Promise<void> {
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

async function check({ world, alice, bob }: Scene): Promise<void> {
  for (const person of [alice, bob]) person.recover()
  await world.pass(20 * MINUTE)
  assert.deepEqual(bob.texts(alice), ['one', 'three'])
  assert.deepEqual(alice.texts(bob), ['two'])
  assert.deepEqual([...alice.records.outbox(), ...bob.records.outbox()], [])
  assert.deepEqual([...world.broken, ...world.gateway.broken], [])
  for (const person of [alice, bob]) assert.deepEqual(person.records.contacts()[0]!.repair.attempts, [])
}

/** Returns the number of steps that there are. */
async function everyStep(who: 'alice' | 'bob', arm: (person: Person, step: number) => () => boolean): Promise<number> {
  for (let step = 1; ; step++) {
    const scene = await begin()
    const wasReached = arm(scene[who], step)
    await play(scene)
    const reached = wasReached()
    await check(scene)
    if (!reached) return step
  }
}

for (const who of ['alice', 'bob'] as const) {
  test(`${who} dies at every step: nothing is lost, nothing comes twice, no key seals twice`, async (t) => {
    const steps = await everyStep(who, (person, step) => {
      person.stepsToLive = step
      return () => person.stepsToLive !== step && person.restarts > 0
    })
    t.true(steps > 60, `${steps} steps`)
  })
}

test('the disk is full at every step: the caller hears of it, and nothing is lost', async (t) => {
  const full = new SottoError('E_DISK_FULL', 'no space')
  let heard = 0
  const steps = await everyStep('alice', (person, step) => {
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
