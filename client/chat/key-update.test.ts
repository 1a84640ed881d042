/** What a key update does to the one who makes it, to contacts, and to a thief with a copy of the device. */
import test from 'ava'
import { fastEqual, fromHex, hex } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { BoxedAddress } from './address.ts'
import { keptCard, readCard, signCard } from './card.ts'
import { DOCUMENT_LENGTH } from './documents.ts'
import { acquainted, cards, Person, World } from './fixtures/world.ts'
import { deriveSecrets, identityOf } from './identity.ts'
import { ChatLimits } from './limits.ts'

const MINUTE = 60_000

async function friends(): Promise<{ world: World; alice: Person; bob: Person }> {
  const world = new World(11)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  await acquainted(world, alice, bob)
  alice.chat.send(bob.id, 'hello')
  bob.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  for (const [person, other] of [
    [alice, bob],
    [bob, alice],
  ] as const)
    person.chat.verify(other.id, true)
  return { world, alice, bob }
}

/** Opens what is stored, as the command line does after an update. */
function rotate(person: Person): boolean {
  const isOurs = person.chat.updateKeys(person.chat.masterSecret()!)
  person.restart()
  person.chat.connected()
  return isOurs
}

const keysHeard = (person: Person): number => person.events.filter(({ type }) => type === 'keys').length

test('after an update both go on writing; the contact is told once, and is to compare again', async (t) => {
  const { world, alice, bob } = await friends()
  const digits = bob.chat.fingerprint(alice.id)
  alice.chat.send(bob.id, 'sealed before')
  t.true(rotate(alice))
  t.is(alice.chat.updates, 1)
  t.is(alice.chat.me.id, alice.id, 'the id stays')
  await world.pass(5 * MINUTE)
  t.like(bob.chat.contact(alice.id), { changed: true, verified: false })
  t.is(keysHeard(bob), 1)
  const fresh = bob.chat.fingerprint(alice.id)
  t.not(fresh, digits)
  t.is(alice.chat.fingerprint(bob.id), fresh)
  alice.chat.send(bob.id, 'after')
  bob.chat.send(alice.id, 'answer')
  await world.pass(20 * MINUTE)
  t.deepEqual(bob.texts(alice), ['hello', 'sealed before', 'after'])
  t.deepEqual(alice.texts(bob), ['hello', 'answer'])
  t.like(bob.chat.verify(alice.id, true), { changed: false, verified: true })
  t.deepEqual([...world.broken, ...world.gateway.broken, ...bob.problems()], [])
  t.is(keysHeard(bob), 1)
})

test('the contact writes before it has heard of the update: its message arrives', async (t) => {
  const { world, alice, bob } = await friends()
  bob.mailbox.online = false
  bob.chat.send(alice.id, 'on its way')
  await world.pass(1_000)
  rotate(alice)
  await world.pass(MINUTE)
  bob.mailbox.online = true
  bob.mailbox.resubscribe()
  bob.chat.connected()
  await world.pass(30 * MINUTE)
  t.deepEqual(alice.texts(bob), ['hello', 'on its way'])
  t.is(keysHeard(bob), 1)
})

test('everything that a copy of the device holds is replaced', async (t) => {
  const { world, alice } = await friends()
  const held = (): string[] => {
    const { records } = alice
    const { rootSeed, dhSecret } = records.profile()!
    const sessions = records.contacts().flatMap((contact) => contact.sessions.map(({ id }) => id))
    const inUse = alice.queues().filter(({ retired }) => retired === 0)
    const oneTime = inUse.flatMap(({ rid }) => records.oneTimeKeys(rid).dh.map(({ secret }) => secret))
    return [
      ...[rootSeed, dhSecret, ...records.prekeys().map(({ secret }) => secret), ...oneTime],
      ...[...sessions, ...inUse.map(({ rid }) => rid)],
    ].map(hex)
  }
  const before = new Set(held())
  rotate(alice)
  await world.pass(5 * MINUTE)
  const after = held()
  t.true(before.size > 8 && after.length > 8)
  t.deepEqual(
    after.filter((secret) => before.has(secret)),
    [],
  )
})

test('a thief with the old keys: contacts take neither new messages nor another successor from it', async (t) => {
  const { world, alice, bob } = await friends()
  const stolen = alice.copy('Thief')
  rotate(alice)
  await world.pass(5 * MINUTE)
  t.is(keysHeard(bob), 1)
  // The thief goes on in the sessions of the copy, and begins others with the old keys.
  stolen.chat.send(bob.id, 'I am Alice')
  await world.pass(20 * MINUTE)
  bob.chat.send(alice.id, 'to the real one')
  await world.pass(20 * MINUTE)
  t.deepEqual(bob.texts(alice), ['hello'])
  t.deepEqual(stolen.texts(bob), ['hello'], 'nothing new can be read')
  t.deepEqual(alice.texts(bob), ['hello', 'to the real one'])
  // Without the master secret of the backup there is no key that follows.
  const guess = new Uint8Array(32).fill(1)
  t.false(stolen.chat.updateKeys(guess))
})

test('who has only an old card reaches the new keys; an old card given again is refused as older', async (t) => {
  const { world, alice, bob } = await friends()
  const [old] = await cards(world, alice)
  rotate(alice)
  await world.pass(5 * MINUTE)
  const carol = new Person(world, 'Carol')
  carol.chat.addContact(old!)
  carol.chat.send(alice.id, 'with the old card')
  await world.pass(5 * MINUTE)
  t.deepEqual(alice.texts(carol), ['with the old card'])
  t.true(carol.chat.contact(alice.id).changed, 'the card named other keys')
  const error = t.throws(() => bob.chat.addContact(old!))
  t.true(isSottoError(error, 'E_CARD_CHANGED'))
})

test('a thief has signed a card with a date far ahead: after the update the owner is reached again', async (t) => {
  const { world, alice, bob } = await friends()
  const [known] = await cards(world, alice)
  const stolen = identityOf({ ...alice.records.profile()!, chain: known!.chain })
  const addresses = known!.addresses.map((each) => ({ ...each, sid: new Uint8Array(24).fill(6) }))
  const forged = readCard(signCard(stolen, { ...known!, name: 'Mallory', issued: 2 ** 50, addresses }))
  bob.chat.addContact(forged)
  t.is(bob.chat.contact(alice.id).ownName, 'Mallory')
  rotate(alice)
  await world.pass(5 * MINUTE)
  const kept = keptCard(bob.records.contact(fromHex(alice.id)!)!.card)!
  t.is(kept.chain.length, 2 * DOCUMENT_LENGTH)
  t.is(bob.chat.contact(alice.id).ownName, 'Alice')
  bob.chat.send(alice.id, 'to the real one')
  await world.pass(20 * MINUTE)
  t.deepEqual(alice.texts(bob), ['hello', 'to the real one'])
})

test('a clock that was ahead: cards made once it is right are still the newer ones', async (t) => {
  const { world, alice, bob } = await friends()
  alice.clockOff = 400 * 86_400_000
  alice.chat.setName('Alice of next year')
  await world.pass(5 * MINUTE)
  alice.clockOff = 0
  alice.restart()
  alice.chat.connected()
  alice.chat.setName('Alice again')
  await world.pass(5 * MINUTE)
  t.is(bob.chat.contact(alice.id).ownName, 'Alice again')
})

test('a backup of somebody else changes nothing; beyond the last document there is no update', async (t) => {
  const { alice } = await friends()
  t.false(alice.chat.updateKeys(new Uint8Array(32).fill(1)))
  t.is(alice.chat.updates, 0)
  for (let n = 1; n < ChatLimits.documents; n++) {
    t.true(rotate(alice))
    t.is(alice.chat.updates, n)
  }
  const { rootSeed } = alice.records.profile()!
  t.deepEqual(rootSeed, deriveSecrets(alice.chat.masterSecret()!, ChatLimits.documents - 1).rootSeed)
  const error = t.throws(() => alice.chat.updateKeys(alice.chat.masterSecret()!))
  t.true(isSottoError(error, 'E_IDENTITY_UPDATE'))
})

test('the process dies at every step of an update: it has happened or it has not', async (t) => {
  const { alice } = await friends()
  const master = alice.chat.masterSecret()!
  let updated = 0
  for (let step = 1; updated < 1; step++) {
    alice.stepsToLive = step
    const survived = alice.survive(() => void alice.chat.updateKeys(master))
    if (survived) alice.restart()
    updated = alice.chat.updates
    const { rootSeed } = alice.records.profile()!
    t.deepEqual(rootSeed, deriveSecrets(master, updated).rootSeed, `step ${step}`)
    t.is(alice.records.contacts()[0]!.sessions.length === 0, updated === 1, `step ${step}`)
    t.true(step < 100)
  }
})

test('queues that contacts have made for us are replaced as well: a thief has nowhere to write', async (t) => {
  const { world, alice, bob } = await friends()
  const addresses = (): readonly BoxedAddress[] => alice.records.contact(fromHex(bob.id)!)!.addresses
  const stolen = addresses()
  t.true(stolen.length > 0)
  t.true(rotate(alice))
  alice.chat.send(bob.id, 'new keys')
  await world.pass(5 * MINUTE)
  bob.chat.send(alice.id, 'seen')
  await world.pass(5 * MINUTE)
  alice.chat.send(bob.id, 'over another queue')
  await world.pass(5 * MINUTE)
  for (const { sid, box } of stolen) {
    t.is(world.gateway.queueOf(sid)?.reader, undefined, 'nobody reads what is written there')
    t.false(addresses().some((address) => fastEqual(address.sid, sid) || fastEqual(address.box, box)))
  }
  t.deepEqual(bob.texts(alice).slice(-2), ['new keys', 'over another queue'])
  t.is(alice.texts(bob).at(-1), 'seen')
  await world.pass(ChatLimits.shutMs + 120 * MINUTE)
  t.false(bob.queues().some(({ leaked }) => leaked))
  for (const { sid } of stolen) t.is(world.gateway.queueOf(sid), undefined)
  t.deepEqual([...world.broken, ...world.gateway.broken, ...bob.problems(), ...alice.problems()], [])
})
