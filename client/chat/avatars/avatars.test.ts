/** Pictures between people: asked for when they are looked at, given to friends alone, once, and lost by no crash. */
import assert from 'node:assert/strict'
import test from 'ava'
import { fromHex, hex } from '#protocol/bytes.ts'
import { decodeEnvelope, encodeEnvelope, MessageType, pad } from '../envelope.ts'
import { faceFrom } from '../fixtures/faces.ts'
import { acquainted, cards, Person, World } from '../fixtures/world.ts'
import { ChatLimits } from '../limits.ts'
import { type Avatar, encodeAvatar } from './avatar.ts'
import { decodeAvatarStep, encodeAvatarStep } from './avatar-body.ts'

const MINUTE = 60_000

interface Scene {
  readonly world: World
  readonly alice: Person
  readonly bob: Person
}

async function friends(seed: number): Promise<Scene> {
  const world = new World(seed)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello, you')
  await world.pass(5 * MINUTE)
  return { world, alice, bob }
}

/** Messages of the length of pictures that have been put into mailboxes, repeats not counted. */
const longPuts = (world: World): number =>
  new Set(world.gateway.bodies.filter((body) => body.length > 4_096).map(hex)).size
/** What one has of another's picture. */
const shownTo = (person: Person, whose: Person): string | undefined =>
  person.chat.avatars.of(whose.id) && hex(person.chat.avatars.of(whose.id)!.hash)
const stateOf = (person: Person, whose: Person): ReturnType<Person['records']['contact']> =>
  person.records.contact(fromHex(whose.id)!)

test('a picture comes when the conversation is looked at, once, and is what was set', async (t) => {
  const { world, alice, bob } = await friends(1)
  const { hash, jpeg } = alice.chat.avatars.set(faceFrom(10))
  await world.pass(5 * MINUTE)
  const { avatar, avatarHere } = bob.chat.contact(alice.id)
  t.deepEqual([avatar, avatarHere], [hex(hash), undefined], 'its hash has come with the card')
  t.is(longPuts(world), 0, 'and nothing else: nobody has looked')
  bob.chat.avatars.look(alice.id)
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.is(shownTo(bob, alice), hex(hash))
  t.deepEqual(bob.chat.avatars.of(alice.id)!.jpeg, jpeg)
  t.true(bob.chat.contact(alice.id).avatarHere)
  t.is(longPuts(world), 1)
  bob.chat.avatars.look(alice.id)
  alice.chat.avatars.look(bob.id)
  await world.pass(120 * MINUTE)
  t.is(longPuts(world), 1, 'equal: nothing travels; who shows none is not asked')
  const heard = bob.events.filter((event) => event.type === 'contact' && event.contact.avatarHere)
  t.is(heard.length, 1, 'the views hear of it')
  t.deepEqual([alice.problems(), bob.problems(), world.broken], [[], [], []])
})

test('another picture replaces the first, and none removes it, here and there', async (t) => {
  const { world, alice, bob } = await friends(2)
  alice.chat.avatars.set(faceFrom(10))
  await world.pass(MINUTE)
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  const first = shownTo(bob, alice)
  const second = alice.chat.avatars.set(faceFrom(11))
  await world.pass(MINUTE)
  t.is(shownTo(bob, alice), first, 'the earlier one is shown until the new one is here')
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.is(shownTo(bob, alice), hex(second.hash))
  alice.chat.avatars.remove()
  t.is(alice.records.ownAvatar(), undefined)
  await world.pass(MINUTE)
  t.is(shownTo(bob, alice), undefined)
  t.is(bob.records.avatar(fromHex(alice.id)!), undefined, 'nothing of it is on the disk')
  t.is(bob.chat.contact(alice.id).avatar, undefined)
})

test('it outlives a restart, and goes with the contact', async (t) => {
  const { world, alice, bob } = await friends(3)
  const { hash } = alice.chat.avatars.set(faceFrom(10))
  await world.pass(MINUTE)
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  alice.restart()
  bob.restart()
  t.is(shownTo(bob, alice), hex(hash))
  t.is(hex(alice.chat.avatars.own()!.hash), hex(hash))
  bob.chat.remove(alice.id)
  t.is(bob.records.avatar(fromHex(alice.id)!), undefined)
})

test('a stranger hears the name alone; who is accepted gets what they have asked for', async (t) => {
  const world = new World(4)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  const own = bob.chat.avatars.set(faceFrom(20))
  alice.chat.avatars.set(faceFrom(21))
  const [card] = await cards(world, bob)
  t.deepEqual(card!.avatar, own.hash)
  alice.chat.addContact(card!)
  alice.chat.avatars.look(bob.id)
  alice.chat.send(bob.id, 'may I?')
  await world.pass(10 * MINUTE)
  t.is(bob.chat.contact(alice.id).status, 'request')
  bob.chat.avatars.look(alice.id)
  await world.pass(10 * MINUTE)
  t.is(longPuts(world), 0, 'neither is asked for by who has not consented, nor given')
  t.is(shownTo(alice, bob), undefined)
  bob.chat.accept(alice.id)
  await world.pass(MINUTE)
  t.is(shownTo(alice, bob), hex(own.hash), 'accepting is consent')
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.truthy(shownTo(bob, alice))
})

test('what a stranger pushes unasked is not kept', async (t) => {
  const world = new World(12)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  alice.chat.avatars.set(faceFrom(21))
  const avatar = alice.chat.avatars.own()!
  const [card] = await cards(world, bob)
  alice.chat.addContact(card!)
  alice.chat.send(bob.id, 'may I?')
  await world.pass(MINUTE)
  t.is(bob.chat.contact(alice.id).avatar, hex(avatar.hash), 'it is the one that the card names')
  alice.tamper = (plaintext) => {
    const { envelope } = decodeEnvelope(plaintext)!
    if (envelope.type !== MessageType.text) return plaintext
    const body = encodeAvatarStep({ step: 'give', avatar })
    return pad(encodeEnvelope({ ...envelope, type: MessageType.avatar, body }), plaintext.length)
  }
  alice.chat.send(bob.id, 'x'.repeat(ChatLimits.textBytes))
  await world.pass(MINUTE)
  t.is(longPuts(world), 1)
  t.is(bob.texts(alice).length, 1)
  t.is(bob.records.avatar(fromHex(alice.id)!), undefined)
})

test('who is blocked gets no new one, though asking before and after', async (t) => {
  const { world, alice, bob } = await friends(5)
  bob.chat.avatars.set(faceFrom(20))
  await world.pass(MINUTE)
  bob.mailbox.disconnect()
  alice.chat.avatars.look(bob.id)
  await world.pass(MINUTE)
  bob.restart()
  bob.chat.block(alice.id)
  bob.chat.avatars.set(faceFrom(22))
  await world.pass(60 * MINUTE)
  alice.chat.avatars.look(bob.id)
  await world.pass(60 * MINUTE)
  t.is(longPuts(world), 0)
  t.is(shownTo(alice, bob), undefined)
})

test('who is invisible to them neither asks nor gives before saying something', async (t) => {
  const { world, alice, bob } = await friends(6)
  alice.chat.avatars.set(faceFrom(10))
  bob.chat.avatars.set(faceFrom(20))
  await world.pass(MINUTE)
  bob.chat.presence.setShowing('invisible')
  await world.pass(MINUTE)
  alice.chat.avatars.look(bob.id)
  bob.chat.avatars.look(alice.id)
  await world.pass(60 * MINUTE)
  t.is(longPuts(world), 0)
  t.deepEqual([shownTo(alice, bob), shownTo(bob, alice)], [undefined, undefined])
  bob.chat.send(alice.id, 'here I am')
  await world.pass(MINUTE)
  t.truthy(shownTo(alice, bob), 'what was asked for goes with what is said')
  t.truthy(shownTo(bob, alice), 'and so does the question')
})

/** As a modified client does: every picture that leaves is another. */
function giveOther(person: Person, other: Avatar): void {
  person.tamper = (plaintext) => {
    const { envelope } = decodeEnvelope(plaintext)!
    if (decodeAvatarStep(envelope.body)?.step !== 'give') return plaintext
    const body = encodeAvatarStep({ step: 'give', avatar: other })
    return pad(encodeEnvelope({ ...envelope, body }), plaintext.length)
  }
}

test('other octets than the hash says are not taken in', async (t) => {
  const { world, alice, bob } = await friends(7)
  const lie = encodeAvatar(faceFrom(66), new Uint8Array(16))
  const { hash } = alice.chat.avatars.set(faceFrom(10))
  await world.pass(MINUTE)
  giveOther(alice, lie)
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.is(longPuts(world), 1)
  t.is(shownTo(bob, alice), undefined)
  t.is(bob.records.avatar(fromHex(alice.id)!), undefined)
  t.deepEqual(stateOf(bob, alice)!.repair.attempts, [], 'nothing else is disturbed')
  // It is not asked for again before a day is over.
  alice.tamper = (envelope) => envelope
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.is(shownTo(bob, alice), undefined)
  await world.pass(ChatLimits.avatarAskAgainMs)
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.is(shownTo(bob, alice), hex(hash), 'ChatLimits.avatarAskAgainMs')
})

test('ChatLimits.avatarChanges: no more are taken in a day, nor asked for', async (t) => {
  const { world, alice, bob } = await friends(8)
  for (let i = 0; i <= ChatLimits.avatarChanges; i++) {
    alice.chat.avatars.set(faceFrom(i))
    await world.pass(MINUTE)
    bob.chat.avatars.look(alice.id)
    await world.pass(MINUTE)
  }
  t.is(longPuts(world), ChatLimits.avatarChanges)
  const newest = hex(alice.chat.avatars.own()!.hash)
  t.not(shownTo(bob, alice), newest)
  await world.pass(ChatLimits.avatarWindowMs)
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.is(shownTo(bob, alice), newest)
})

test('ChatLimits.avatarChanges: who asks without end gets no more in a day, and the rest later', async (t) => {
  const { world, alice, bob } = await friends(9)
  alice.chat.avatars.set(faceFrom(1))
  await world.pass(MINUTE)
  const before = longPuts(world)
  for (let i = 0; i < ChatLimits.avatarChanges + 3; i++) {
    const contact = stateOf(bob, alice)!
    // As a modified client forgets what it has.
    bob.store.transaction(() => bob.records.putContact({ ...contact, avatar: { named: contact.avatar!.named! } }))
    bob.chat.avatars.look(alice.id)
    await world.pass(MINUTE)
  }
  t.is(longPuts(world) - before, ChatLimits.avatarChanges)
  await world.pass(ChatLimits.avatarWindowMs + 2 * ChatLimits.maintenanceMs)
  t.is(longPuts(world) - before, ChatLimits.avatarChanges + 1)
})

test('what lies on the disk is believed only while it is what its hash says', async (t) => {
  const { world, alice, bob } = await friends(10)
  alice.chat.avatars.set(faceFrom(10))
  await world.pass(MINUTE)
  bob.chat.avatars.look(alice.id)
  await world.pass(MINUTE)
  t.truthy(shownTo(bob, alice))
  const other = encodeAvatar(faceFrom(66), new Uint8Array(16))
  bob.store.transaction(() => bob.records.putAvatar(fromHex(alice.id)!, other.bytes))
  t.is(shownTo(bob, alice), undefined)
})

/** Steps between two that are tried; the long mode takes every one. */
const stride = process.env.SOTTO_LONG === '1' ? 1 : 7

/** One sets a picture, the other looks: both die before and after steps of their stores, once each. */
for (const who of ['alice', 'bob'] as const) {
  test(`${who} dies at a step: the picture comes, and no key seals twice`, async (t) => {
    t.timeout(600_000)
    let step = 1
    for (; ; step += stride) {
      const scene = await friends(11)
      const { world, alice, bob } = scene
      scene[who].stepsToLive = step
      let hash: string | undefined
      while (hash === undefined) {
        if (alice.dead) alice.restart()
        hash = alice.chat.avatars.own() && hex(alice.chat.avatars.own()!.hash)
        if (hash === undefined) alice.survive(() => void alice.chat.avatars.set(faceFrom(5)))
      }
      await world.pass(MINUTE)
      if (bob.dead) bob.restart()
      bob.survive(() => bob.chat.avatars.look(alice.id))
      await world.pass(MINUTE)
      const reached = scene[who].restarts > 0
      for (const person of [alice, bob]) person.recover()
      await world.pass(20 * MINUTE)
      bob.chat.avatars.look(alice.id)
      await world.pass(20 * MINUTE)
      assert.equal(shownTo(bob, alice), hash, `step ${step}`)
      assert.deepEqual([...alice.records.outbox(), ...bob.records.outbox()], [], `step ${step}`)
      assert.deepEqual([...world.broken, ...world.gateway.broken], [], `step ${step}`)
      for (const person of [alice, bob]) assert.deepEqual(person.records.contacts()[0]!.repair.attempts, [])
      if (!reached) break
    }
    t.true(step > 20, `${step} steps`)
  })
}
