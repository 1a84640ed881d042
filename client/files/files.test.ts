import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { FileLimits } from '#client/chat/files/limits.ts'
import { ChatLimits } from '#client/chat/limits.ts'
import { temporaryFolder } from '#client/store/fixtures/temporary.ts'
import { PIECE_BYTES } from '#protocol/blobs.ts'
import { fromHex } from '#protocol/bytes.ts'
import { octetsOf, type Scene, scene, sceneOfTwo, sourceOf } from './fixtures/people.ts'

/** In five pieces. */
const CONTENT = octetsOf(150_000)
const MINUTE = 60_000

async function sent(at: Scene, content: Uint8Array = CONTENT, noStore = false): Promise<void> {
  await at.alice.files.send(at.bob.id, sourceOf(content), { noStore })
  at.alice.files.connected()
  await at.world.pass(MINUTE)
}

test('a file goes out sealed and padded, is told of once it is there, and comes as it was', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, gateway } = at
  // In ten pieces: nine with content, one of padding.
  const content = octetsOf(9 * 32_000)
  await sent(at, content)
  t.like(alice.files.list()[0], { way: 'out', state: 'done', arrived: 10, pieces: 10 })
  t.is(gateway.octets().length, 10 * PIECE_BYTES)
  t.false(gateway.octets().includes(content.subarray(1_000, 1_032)))
  const [message] = bob.person.chat.history(alice.id, { limit: 9 })
  t.like(message, { text: 'plan.pdf', file: { name: 'plan.pdf', size: content.length } })
  t.false(JSON.stringify(message).includes('key'))
  t.like(bob.files.list()[0], { way: 'in', state: 'offered', message: message!.id, arrived: 0 })
  const view = await bob.fetched()
  t.like(view, { state: 'done', arrived: 10 })
  t.deepEqual(await bob.content(view.id), content)
  t.is(gateway.blobs.size, 0, 'nothing is left at the gateway')
  t.deepEqual(readdirSync(alice.vaultFolder), [], 'nor with who sent it')
})

for (const size of [0, 1, 32_752, 32_753, 2 * 32_752]) {
  test(`a file of ${size} octets`, async (t) => {
    const at = await scene(temporaryFolder(t))
    const content = octetsOf(size)
    await sent(at, content)
    const { id } = await at.bob.fetched()
    t.deepEqual(await at.bob.content(id), content)
  })
}

test('calls and answers are lost at will: every piece arrives, and the file is told of once', async (t) => {
  for (let seed = 1; seed <= 3; seed++) {
    const at = await scene(temporaryFolder(t), seed)
    at.gateway.faults = { lost: 0.2, answerLost: 0.2 }
    await sent(at)
    await at.world.pass(120 * MINUTE)
    t.is(at.alice.files.list()[0]!.state, 'done')
    t.is(at.bob.person.chat.history(at.alice.id, { limit: 9 }).length, 1)
    await at.bob.fetched()
    await at.world.pass(120 * MINUTE)
    const [view] = at.bob.files.list()
    t.is(view!.state, 'done')
    t.deepEqual(await at.bob.content(view!.id), CONTENT)
  }
})

test('the process dies at every piece, on either side: it goes on there, and what arrived is not carried again', async (t) => {
  for (let piece = 1; piece <= 5; piece++) {
    const at = await scene(temporaryFolder(t), piece)
    const { world, alice, bob, gateway } = at
    await alice.files.send(bob.id, sourceOf(CONTENT))
    alice.files.connected()
    await world.time.run(() => gateway.puts >= piece, MINUTE)
    alice.restart()
    await world.pass(MINUTE)
    t.is(alice.files.list()[0]!.state, 'done')
    t.is(gateway.puts, 5, `${piece} pieces out`)
    const [offer] = bob.files.list()
    bob.files.fetch(alice.id, offer!.message!)
    await world.time.run(() => gateway.gets >= piece, MINUTE)
    const before = readdirSync(bob.vaultFolder).length // one where at least a piece has come
    bob.restart()
    await world.pass(MINUTE)
    t.is(bob.files.list()[0]!.state, 'done')
    t.deepEqual(await bob.content(offer!.id), CONTENT)
    t.true(gateway.gets <= 10 - before)
    t.is(bob.person.chat.history(alice.id, { limit: 9 }).length, 1)
  }
})

test('dying before or after every step of the store: one message, and nothing of the file is left behind', async (t) => {
  for (let step = 1; ; step++) {
    const at = await scene(temporaryFolder(t))
    const { world, alice, bob } = at
    await alice.files.send(bob.id, sourceOf(octetsOf(100)))
    alice.person.stepsToLive = step
    alice.files.connected()
    await world.time.run(() => alice.person.dead, MINUTE)
    const died = alice.person.dead
    alice.person.stepsToLive = Number.POSITIVE_INFINITY
    alice.restart()
    await world.pass(5 * MINUTE)
    t.is(alice.files.list()[0]!.state, 'done', `step ${step}`)
    t.is(bob.person.chat.history(alice.id, { limit: 9 }).length, 1, `step ${step}`)
    t.deepEqual(readdirSync(alice.vaultFolder), [], `step ${step}`)
    if (!died) {
      t.true(step > 5)
      return
    }
  }
})

const tampered: Record<string, (piece: Uint8Array, index: number, at: Scene) => Uint8Array | undefined> = {
  altered: (piece, index) => (index === 3 ? piece.map((octet, i) => (i === 777 ? octet ^ 1 : octet)) : piece),
  truncated: (piece, index) => (index === 3 ? piece.subarray(0, PIECE_BYTES - 1) : piece),
  'in the wrong order': (piece, index, { gateway }) => [...gateway.blobs.values()][0]!.pieces.get(index ^ 1) ?? piece,
  twice: (piece, index, { gateway }) => (index === 3 ? [...gateway.blobs.values()][0]!.pieces.get(2) : piece),
  'sealed otherwise': (piece, index) => (index === 3 ? undefined : piece),
}

for (const [how, tamper] of Object.entries(tampered)) {
  test(`a piece that comes ${how} ends it: nothing is shown, and it comes once the gateway is honest`, async (t) => {
    const at = await scene(temporaryFolder(t))
    await sent(at)
    at.gateway.tamper = (piece, index) => tamper(piece, index, at)
    const view = await at.bob.fetched()
    t.like(view, { state: 'failed', code: 'E_FILE_DAMAGED' })
    await t.throwsAsync(at.bob.content(view.id), { code: 'E_FILE_UNFINISHED' })
    at.gateway.tamper = (piece) => piece
    t.like(await at.bob.fetched(), { state: 'done' })
    t.deepEqual(await at.bob.content(view.id), CONTENT)
  })
}

test('what is kept here and was damaged on the disk is noticed before anything leaves, or is shown', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world } = at
  await alice.files.send(bob.id, sourceOf(CONTENT))
  const spoil = (folder: string): void => {
    const [name] = readdirSync(folder)
    const octets = readFileSync(join(folder, name!))
    octets[3 * PIECE_BYTES]! ^= 1
    writeFileSync(join(folder, name!), octets)
  }
  spoil(alice.vaultFolder)
  alice.files.connected()
  await world.pass(MINUTE)
  t.like(alice.files.list()[0], { state: 'failed', code: 'E_FILE_DAMAGED' })
  alice.files.cancel(alice.files.list()[0]!.id)
  await sent(at)
  const { id } = await bob.fetched()
  spoil(bob.vaultFolder)
  await t.throwsAsync(bob.content(id), { code: 'E_FILE_DAMAGED' })
  truncateSync(join(bob.vaultFolder, id), 3 * PIECE_BYTES)
  await t.throwsAsync(bob.content(id), { code: 'E_FILE_DAMAGED' })
})

test('a blob that has expired, and one that the gateway lost a piece of', async (t) => {
  for (const spoil of [
    ({ gateway }: Scene) => gateway.blobs.clear(),
    ({ gateway }: Scene) => [...gateway.blobs.values()][0]!.pieces.delete(4),
  ]) {
    const at = await scene(temporaryFolder(t))
    await sent(at)
    spoil(at)
    t.like(await at.bob.fetched(), { state: 'failed', code: 'E_FILE_GONE' })
  }
})

test('no room at the gateway, or none for files at all: it waits and says why', async (t) => {
  for (const [word, code] of [
    ['full', 'E_FILE_ROOM'],
    ['unavailable', 'E_FILE_ROOM'],
    ['unknown-method', 'E_FILE_UNSUPPORTED'],
    ['policy', 'E_FILE_UNSUPPORTED'],
  ] as const) {
    const at = await scene(temporaryFolder(t))
    at.gateway.refuses = word
    await sent(at)
    t.like(at.alice.files.list()[0], { state: 'moving', code })
    at.gateway.refuses = undefined
    await at.world.pass(30 * MINUTE)
    t.is(at.alice.files.list()[0]!.state, 'done')
  }
})

test('two gateways, both on a bad network: it stays where it was begun, and takes room there alone', async (t) => {
  const at = await sceneOfTwo(temporaryFolder(t))
  const { alice, bob, world, gateway, second } = at
  for (const each of [gateway, second]) each.faults = { lost: 0.2, answerLost: 0.2 }
  await sent(at)
  await world.pass(120 * MINUTE)
  t.is(alice.files.list()[0]!.state, 'done')
  t.deepEqual([gateway.blobs.size, second.blobs.size].sort(), [0, 1])
  t.is(gateway.puts + second.puts, 5, 'no piece went out twice')
  t.is((await bob.fetched()).way, 'in')
})

test('two gateways, no room for a piece at the first: it goes over the other, and what was begun is taken back', async (t) => {
  const at = await sceneOfTwo(temporaryFolder(t))
  const { alice, bob, world, gateway, second } = at
  await alice.files.send(bob.id, sourceOf(CONTENT))
  alice.files.connected()
  await world.time.run(() => gateway.puts + second.puts >= 2, MINUTE)
  const [used, free] = gateway.puts > 0 ? [gateway, second] : [second, gateway]
  used.refusesPieces = 'full'
  await world.pass(5 * MINUTE)
  t.is(alice.files.list()[0]!.state, 'done')
  t.deepEqual([used.blobs.size, free.blobs.size], [0, 1])
  const { id } = await bob.fetched()
  t.deepEqual(await bob.content(id), CONTENT)
})

test('no room for a piece anywhere: tried less and less often, and all that is taken is one blob', async (t) => {
  const at = await sceneOfTwo(temporaryFolder(t))
  const { alice, world, gateway, second } = at
  for (const each of [gateway, second]) each.refusesPieces = 'full'
  await sent(at)
  await world.pass(60 * MINUTE)
  t.like(alice.files.list()[0], { state: 'moving', code: 'E_FILE_ROOM' })
  t.true(gateway.blobs.size + second.blobs.size <= 2)
  t.true(gateway.begins + second.begins < 20, `${gateway.begins + second.begins} tries`)
  for (const each of [gateway, second]) each.refusesPieces = undefined
  await world.pass(30 * MINUTE)
  t.is(alice.files.list()[0]!.state, 'done')
  t.is(gateway.blobs.size + second.blobs.size, 1)
})

test('withdrawn: gone at the gateway, and with both', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world, gateway } = at
  await sent(at)
  const [message] = alice.person.chat.history(bob.id, { limit: 9 })
  alice.person.chat.withdraw(bob.id, message!.id)
  await world.pass(MINUTE)
  t.is(gateway.blobs.size, 0)
  t.deepEqual(alice.files.list(), [])
  t.deepEqual(bob.files.list(), [])
  const [theirs] = bob.person.chat.history(alice.id, { limit: 9 })
  t.like(theirs, { withdrawn: true, text: '' })
  t.is(theirs!.file, undefined)
})

test('withdrawn after it was fetched, and while the gateway is out of reach', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world, gateway } = at
  await sent(at)
  await bob.fetched()
  t.is(readdirSync(bob.vaultFolder).length, 1)
  const [message] = alice.person.chat.history(bob.id, { limit: 9 })
  alice.blobs.online = false
  alice.person.chat.withdraw(bob.id, message!.id)
  await world.pass(MINUTE)
  t.deepEqual(readdirSync(bob.vaultFolder), [])
  t.deepEqual(bob.files.list(), [])
  t.is(gateway.blobs.size, 0)
})

test('cancelled while it goes out: nothing is told, and the gateway forgets it, also after a restart', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world, gateway } = at
  const { id } = await alice.files.send(bob.id, sourceOf(CONTENT))
  alice.files.connected()
  await world.time.run(() => gateway.puts >= 3, MINUTE)
  alice.blobs.online = false
  alice.files.cancel(id)
  t.deepEqual(alice.files.list(), [])
  t.throws(() => alice.files.cancel(id), { code: 'E_FILE_UNKNOWN' })
  alice.restart()
  await world.pass(MINUTE)
  t.is(gateway.blobs.size, 0)
  t.deepEqual(readdirSync(alice.vaultFolder), [])
  t.deepEqual(bob.person.chat.history(alice.id, { limit: 9 }), [])
})

test('cancelled while it is begun: whatever comes first, no room stays taken', async (t) => {
  for (let seed = 1; seed <= 2; seed++) {
    const { alice, bob, world, gateway } = await scene(temporaryFolder(t), seed)
    const { id } = await alice.files.send(bob.id, sourceOf(CONTENT))
    alice.files.cancel(id)
    await world.pass(MINUTE)
    t.is(gateway.begins, 1)
    t.is(gateway.blobs.size, 0, `seed ${seed}`)
    t.deepEqual(readdirSync(alice.vaultFolder), [])
  }
})

test('what they know of is not cancelled, and is gone at the gateway when its message is withdrawn', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world, gateway } = at
  await sent(at)
  const [view] = alice.files.list()
  t.throws(() => alice.files.cancel(view!.id), { code: 'E_CHAT_CHANGE' })
  alice.restart()
  alice.person.chat.withdraw(bob.id, view!.message!)
  await world.pass(MINUTE)
  t.is(gateway.blobs.size, 0)
})

test('cancelled while it comes, and asked for again: it is gone, here and there', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world, gateway } = at
  await sent(at)
  const [offer] = bob.files.list()
  bob.files.fetch(alice.id, offer!.message!)
  await world.time.run(() => gateway.gets >= 2, MINUTE)
  bob.files.cancel(offer!.id)
  await world.pass(MINUTE)
  t.deepEqual(readdirSync(bob.vaultFolder), [])
  t.is(gateway.blobs.size, 0)
})

test('what disappears takes its file along', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world } = at
  alice.person.chat.setTimer(bob.id, 600)
  await sent(at)
  await bob.fetched()
  bob.person.chat.markRead(alice.id)
  await world.pass(11 * MINUTE)
  t.deepEqual(bob.person.chat.history(alice.id, { limit: 9 }), [])
  t.deepEqual(bob.files.list(), [])
  t.deepEqual(readdirSync(bob.vaultFolder), [])
  t.deepEqual(alice.files.list(), [])
})

test('not to be stored: neither the pieces nor the message', async (t) => {
  const at = await scene(temporaryFolder(t))
  await sent(at, CONTENT, true)
  t.deepEqual(
    [...at.gateway.blobs.values()].map(({ noStore }) => noStore),
    [true],
  )
  t.deepEqual(await at.bob.content((await at.bob.fetched()).id), CONTENT)
})

test('FileLimits.directBytes: what the memory of no gateway takes for one member is refused, and one octet less goes', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob } = at
  const most = sourceOf(new Uint8Array(FileLimits.directBytes))
  const more = sourceOf(new Uint8Array(FileLimits.directBytes + 1))
  const error = await t.throwsAsync(alice.files.send(bob.id, more, { noStore: true }), { code: 'E_FILE_SIZE' })
  t.regex(error.message, /31 MiB/)
  t.deepEqual(alice.files.list(), [])
  t.deepEqual(readdirSync(alice.vaultFolder), [], 'before anything is sealed')
  await alice.files.send(bob.id, most, { noStore: true })
  t.is(alice.files.list()[0]!.pieces * PIECE_BYTES, 33_554_432, 'as the wire says')
})

for (const who of ['alice', 'bob'] as const) {
  test(`a key update of ${who}'s, before a file was fetched: it is fetched afterwards, and nothing stays behind`, async (t) => {
    const at = await scene(temporaryFolder(t))
    const { alice, bob, world } = at
    // So that queues are in use that each has made for the other.
    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const)
      from.person.chat.send(to.id, 'hello')
    await world.pass(MINUTE)
    await sent(at)
    t.true(at[who].person.chat.updateKeys(at[who].person.chat.masterSecret()!))
    at[who].restart()
    at[who].person.chat.connected()
    for (let i = 0; i < 3; i++) {
      await world.pass(5 * MINUTE)
      alice.person.chat.send(bob.id, 'new keys')
      await world.pass(5 * MINUTE)
      bob.person.chat.send(alice.id, 'seen')
    }
    await world.pass(ChatLimits.shutMs + 120 * MINUTE)
    t.deepEqual(await bob.content((await bob.fetched()).id), CONTENT)
    await world.pass(120 * MINUTE)
    t.false(bob.person.queues().some(({ leaked }) => leaked))
  })
}

test('a file laid before a key update, told of after it, and found though the queue was shut meanwhile', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world } = at
  alice.person.chat.send(bob.id, 'hello')
  bob.person.chat.send(alice.id, 'hello')
  await world.pass(MINUTE)
  // The message waits with Alice, since Bob's gateway does not take it; the file is there.
  const before = world.gateway.put.bind(world.gateway)
  world.gateway.put = () => {
    throw new Error('not now')
  }
  await sent(at)
  t.is(alice.files.list()[0]!.state, 'done')
  alice.person.chat.updateKeys(alice.person.chat.masterSecret()!)
  alice.restart()
  world.gateway.put = before
  alice.person.chat.connected()
  await world.pass(60 * MINUTE)
  t.true(bob.person.queues().some(({ shut }) => shut !== undefined))
  t.deepEqual(await bob.content((await bob.fetched()).id), CONTENT)
})

test('where they shall not know what was seen, the gateway goes on keeping what was fetched', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, gateway } = at
  bob.person.chat.setReadReceipts(alice.id, false)
  await sent(at)
  const { state, id } = await bob.fetched()
  t.is(state, 'done')
  t.is(gateway.blobs.size, 1)
  bob.files.cancel(id)
  await at.world.pass(MINUTE)
  t.is(gateway.blobs.size, 1)
})

test('a contact who is removed takes their files along', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world } = at
  await sent(at)
  await bob.fetched()
  bob.person.chat.remove(alice.id)
  await world.pass(MINUTE)
  t.deepEqual(bob.files.list(), [])
  t.deepEqual(readdirSync(bob.vaultFolder), [])
})

test('a file is not edited, and has no picture from a stranger', async (t) => {
  const at = await scene(temporaryFolder(t))
  const { alice, bob, world } = at
  const picture = { width: 2, height: 1, pixels: new Uint8Array(6).fill(9) }
  await alice.files.send(bob.id, { ...sourceOf(CONTENT), picture })
  alice.files.connected()
  await world.pass(MINUTE)
  const [message] = alice.person.chat.history(bob.id, { limit: 9 })
  t.throws(() => alice.person.chat.edit(bob.id, message!.id, 'another name'), { code: 'E_CHAT_CHANGE' })
  t.deepEqual(bob.person.chat.history(alice.id, { limit: 9 })[0]!.file!.picture, {
    width: 2,
    height: 1,
    pixels: Buffer.from(picture.pixels).toString('base64url'),
  })
})

test('the whole state, and the vault, has no octets of the file, its name or its key', async (t) => {
  const folder = temporaryFolder(t)
  const at = await scene(folder)
  const { alice, bob } = at
  await alice.files.send(bob.id, sourceOf(CONTENT, 'planted-name-of-file.pdf'))
  const found = (vault: string): boolean =>
    readdirSync(vault, { withFileTypes: true }).some((entry) => {
      const octets = readFileSync(join(vault, entry.name))
      return (
        octets.includes(CONTENT.subarray(4_000, 4_024)) || octets.includes('planted') || entry.name.includes('plan')
      )
    })
  t.is(readdirSync(alice.vaultFolder).length, 1)
  t.false(found(alice.vaultFolder))
  alice.files.connected()
  await at.world.pass(MINUTE)
  await bob.fetched()
  t.is(readdirSync(bob.vaultFolder).length, 1)
  t.false(found(bob.vaultFolder))
})

test('what is left in the vault after a crash, and belongs to nothing, goes', async (t) => {
  const at = await scene(temporaryFolder(t))
  writeFileSync(join(at.alice.vaultFolder, 'ff'.repeat(16)), 'left')
  at.alice.restart()
  t.deepEqual(readdirSync(at.alice.vaultFolder), [])
})

test('two files at once, the others after them; each is told of', async (t) => {
  const at = await scene(temporaryFolder(t))
  for (let n = 1; n <= 5; n++) await at.alice.files.send(at.bob.id, sourceOf(octetsOf(n * 40_000), `${n}.bin`))
  at.alice.files.connected()
  await at.world.pass(5 * MINUTE)
  t.deepEqual(
    at.bob.person.chat
      .history(at.alice.id, { limit: 9 })
      .map(({ text }) => text)
      .sort(),
    ['1.bin', '2.bin', '3.bin', '4.bin', '5.bin'],
  )
})

test('nothing is begun for somebody who is blocked, or not there', async (t) => {
  const at = await scene(temporaryFolder(t))
  at.alice.person.chat.block(at.bob.id)
  await t.throwsAsync(at.alice.files.send(at.bob.id, sourceOf(CONTENT)), { code: 'E_CHAT_BLOCKED' })
  await t.throwsAsync(at.alice.files.send('00'.repeat(32), sourceOf(CONTENT)), { code: 'E_CHAT_CONTACT' })
  t.throws(() => at.alice.files.fetch(at.bob.id, '00'.repeat(16)), { code: 'E_FILE_UNKNOWN' })
  t.deepEqual(readdirSync(at.alice.vaultFolder), [])
  t.true(fromHex(at.bob.id)!.length === 32 && FileLimits.fileBytes > 96_000_000)
})
