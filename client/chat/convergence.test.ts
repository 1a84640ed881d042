/** Two chats over a network with every fault: whatever happens, everything arrives once, in order, and no key seals twice. */
import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { hex } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { Faults } from './fixtures/mailbox.ts'
import { NO_FAULTS } from './fixtures/mailbox.ts'
import { cards, Person, World } from './fixtures/world.ts'

const long = process.env.SOTTO_LONG === '1'
const numRuns = long ? 10_000 : 40
const HOUR = 3_600_000

type Operation =
  | { readonly kind: 'send'; readonly who: 0 | 1; readonly length: number }
  | { readonly kind: 'restart' | 'resubscribe' | 'read'; readonly who: 0 | 1 }
  | { readonly kind: 'online'; readonly who: 0 | 1; readonly online: boolean }
  | { readonly kind: 'crash'; readonly who: 0 | 1; readonly steps: number }
  | { readonly kind: 'pass'; readonly ms: number }

const who = fc.constantFrom(0 as const, 1 as const)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('send' as const), who, length: fc.nat(600) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'resubscribe', 'read'), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('online' as const), who, online: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), who, steps: fc.integer({ min: 1, max: 25 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.oneof(fc.nat(100), fc.nat(6_000), fc.nat(1_000_000)),
    }),
  },
)

const rate = fc.constantFrom(0, 0.05, 0.3)
const faults: fc.Arbitrary<Faults> = fc.record({
  callLost: rate,
  answerLost: rate,
  messageLost: rate,
  duplicated: rate,
  delay: fc.constantFrom(0, 50, 3_000),
})

const story = fc.record({
  seed: fc.nat(),
  faults,
  /** Whether both have the other's card, or the second one accepts a request. */
  mutual: fc.boolean(),
  operations: fc.array(operation, { minLength: 1, maxLength: 40 }),
})
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never

interface Pair {
  readonly world: World
  readonly people: readonly [Person, Person]
  /** What `send` said it had stored. */
  readonly stored: readonly [string[], string[]]
}

async function begin({ seed, mutual }: Story): Promise<Pair> {
  const world = new World(seed)
  const people = [new Person(world, 'Alice'), new Person(world, 'Bob')] as const
  const [cardA, cardB] = await cards(world, ...people)
  people[0].chat.addContact(cardB!)
  if (mutual) people[1].chat.addContact(cardA!)
  return { world, people, stored: [[], []] }
}

const other = (pair: Pair, index: 0 | 1): Person => pair.people[index === 0 ? 1 : 0]

const knows = (person: Person, contact: Person): boolean =>
  person.chat.contacts().some(({ id, status }) => id === contact.id && status === 'accepted')

function acceptRequests(person: Person): void {
  for (const { id, status } of person.chat.contacts()) {
    if (status === 'request') person.survive(() => person.chat.accept(id))
  }
}

async function perform(pair: Pair, operation: Operation): Promise<void> {
  if (operation.kind === 'pass') return pair.world.pass(operation.ms)
  const person = pair.people[operation.who]
  const contact = other(pair, operation.who)
  if (person.dead) person.restart()
  if (operation.kind === 'send') sendNext(pair, operation.who, operation.length)
  if (operation.kind === 'restart') person.restart()
  if (operation.kind === 'resubscribe') person.mailbox.resubscribe()
  if (operation.kind === 'read' && knows(person, contact)) person.survive(() => person.chat.markRead(contact.id))
  if (operation.kind === 'online') person.mailbox.online = operation.online
  if (operation.kind === 'crash') person.stepsToLive = operation.steps
}

function sendNext(pair: Pair, index: 0 | 1, length: number): void {
  const [person, contact] = [pair.people[index], other(pair, index)]
  person.survive(() => acceptRequests(person))
  if (!knows(person, contact)) return
  const text = `${pair.stored[index].length} ${'x'.repeat(length)}`
  const isStored = (): boolean => {
    const last = person.chat.history(contact.id, { limit: 1 })[0]
    return last?.from === 'me' && last.text === text
  }
  const done = sendIfPossible(person, contact, text)
  // A process that died right after the commit has stored it all the same.
  if (done || isStored()) pair.stored[index].push(text)
}

/** A person whose sessions are lost before the other's card came is told that nothing can be sent, and nothing is stored. */
function sendIfPossible(person: Person, contact: Person, text: string): boolean {
  try {
    return person.survive(() => person.chat.send(contact.id, text))
  } catch (error) {
    const known = person.records.contacts().find(({ uid }) => hex(uid) === contact.id)
    if (isSottoError(error, 'E_CARD_EXPIRED') && known?.card.length === 0) return false
    throw error
  }
}

/** The faults end; everything that is still on its way arrives. */
async function settle({ world, people }: Pair): Promise<void> {
  world.gateway.faults = NO_FAULTS
  for (const person of people) {
    person.stepsToLive = Number.POSITIVE_INFINITY
    if (person.dead) person.restart()
    person.mailbox.online = true
    person.mailbox.resubscribe()
    person.chat.connected()
  }
  for (let i = 0; i < 20; i++) {
    for (const person of people) acceptRequests(person)
    await world.pass(HOUR / 4)
  }
}

async function tell(story: Story, disturb: (pair: Pair, at: number) => void): Promise<Pair> {
  const pair = await begin(story)
  pair.world.gateway.faults = story.faults
  for (const [i, operation] of story.operations.entries()) {
    disturb(pair, i)
    await perform(pair, operation)
  }
  await settle(pair)
  for (const index of [0, 1] as const) {
    const [person, contact] = [pair.people[index], other(pair, index)]
    if (!knows(contact, person) || !knows(person, contact)) {
      assert.deepEqual(pair.stored[index], [])
      continue
    }
    assert.deepEqual(contact.texts(person), pair.stored[index])
    assert.deepEqual(
      person.chat.history(contact.id, { limit: 999 }).filter(({ status }) => /sent|pending/.test(status)),
      [],
    )
    assert.deepEqual(person.records.outbox(), [])
    const told = contact.told(person)
    assert.equal(new Set(told).size, told.length)
  }
  assert.deepEqual([...pair.world.broken, ...pair.world.gateway.broken], [])
  return pair
}

test('loss, repeats, disorder, restarts and crashes: everything arrives once and in order, and nothing needs mending', async (t) => {
  if (long) t.timeout(4 * HOUR)
  const property = fc.asyncProperty(story, async (each) => {
    const { people } = await tell(each, () => undefined)
    for (const person of people) {
      for (const { repair } of person.records.contacts())
        assert.deepEqual(repair, { attempts: [], pending: 0, due: false })
    }
  })
  await fc.assert(property, { numRuns, includeErrorInReport: true })
  t.pass()
})

test('sessions lost again and again, and queues that a gateway forgot: mended, with nothing lost', async (t) => {
  if (long) t.timeout(4 * HOUR)
  const damage = fc.record({ at: fc.nat(39), who, what: fc.constantFrom('sessions' as const, 'queues') })
  const property = fc.asyncProperty(story, fc.array(damage, { minLength: 1, maxLength: 6 }), async (each, damages) => {
    await tell(each, ({ world, people }, i) => {
      for (const { who: index, what } of damages.filter(({ at }) => at === i)) {
        if (what === 'sessions') people[index].loseSessions()
        else for (const { rid } of people[index].queues()) world.gateway.forget(rid)
        people[index].restart()
      }
    })
  })
  await fc.assert(property, { numRuns, includeErrorInReport: true })
  t.pass()
})
