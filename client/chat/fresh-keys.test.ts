/** Fresh keys for each exchange: what somebody who has copied a device can go on reading, and what ends it (decision 0015). */
import test from 'ava'
import { hex, utf8 } from '#protocol/bytes.ts'
import { prng } from '#test/helpers/prng.ts'
import { acquainted, Person, World } from './fixtures/world.ts'
import { ANSWERING, OFFERING } from './healing.ts'
import { keyPair } from './keys.ts'
import { type ActiveRatchet, openStep, type RatchetState, sealStep, startReceiving, startSending } from './ratchet.ts'
import { sottoSuite } from './sotto-suite.ts'

const HOUR = 3_600_000

function keyInUse(person: Person): string {
  const [contact] = person.records.contacts()
  return hex(person.records.session(contact!.sessions.at(-1)!.id)!.ratchet.own.publicKey)
}

test('where one speaks and the other only receives, each message still has another key on both sides', async (t) => {
  const world = new World(3)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  const keys = { alice: new Set<string>(), bob: new Set<string>() }
  for (let i = 0; i < 5; i++) {
    alice.chat.send(bob.id, `message ${i}`)
    await world.pass(HOUR)
    keys.alice.add(keyInUse(alice))
    keys.bob.add(keyInUse(bob))
  }
  t.is(bob.texts(alice).length, 5)
  t.deepEqual([keys.alice.size, keys.bob.size], [5, 5])
})

test('a copy of either device reads one exchange more, and nothing after it', (t) => {
  const { bytes } = prng(7)
  const [prekey, root] = [keyPair(bytes(32)), bytes(32)]
  const context = bytes(32)
  const contexts = { sendContext: context, receiveContext: context }
  const start = { root, remote: prekey.publicKey, own: keyPair(bytes(32)), healing: OFFERING, ...contexts }
  const states: Record<'alice' | 'bob', RatchetState> = {
    alice: startSending(sottoSuite, start)!,
    bob: startReceiving({ root, own: prekey, healing: ANSWERING, ...contexts }),
  }
  const other = { alice: 'bob', bob: 'alice' } as const
  const opens = (state: RatchetState, message: Uint8Array): RatchetState | undefined => {
    const opened = openStep(sottoSuite, state, message, { random: bytes, now: 1 })
    return opened.kind === 'opened' ? opened.state : undefined
  }
  /** Said by one, taken in by the other. */
  const say = (from: 'alice' | 'bob'): Uint8Array => {
    const sealed = sealStep(sottoSuite, states[from] as ActiveRatchet, utf8('text'))
    states[from] = sealed.state
    states[other[from]] = opens(states[other[from]], sealed.message)!
    return sealed.message
  }
  for (const from of ['alice', 'bob', 'alice', 'bob'] as const) say(from)
  const copies = { ...states }
  const exchange = (['alice', 'bob', 'alice', 'bob', 'alice', 'bob'] as const).map((from) => [from, say(from)] as const)
  for (const owner of ['alice', 'bob'] as const) {
    let copy = copies[owner]
    const read = exchange.map(([from, message]) => {
      const next = from === owner ? undefined : opens(copy, message)
      copy = next ?? copy
      return next !== undefined
    })
    t.is(read.filter(Boolean).length, 1, owner)
    t.deepEqual(read.slice(2), [false, false, false, false], owner)
  }
})
