/** On a real disk: nothing readable in any file, opening again, and a long history that is not read to show its end. */
import test from 'ava'
import { everyOctet, temporaryFolder } from '#client/store/fixtures/temporary.ts'
import { openStore } from '#client/store/open-store.ts'
import { hex, latin1, utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { prng } from '#test/helpers/prng.ts'
import { Chat } from './chat.ts'
import { faceFrom } from './fixtures/faces.ts'
import { FakeMailbox } from './fixtures/mailbox.ts'
import { cards, Person, World } from './fixtures/world.ts'
import type { StoredMessage } from './model.ts'
import { CHAT_TABLES, Records } from './records.ts'

const GATEWAY = 'planted gateway name'

test('no planted word, key or id is in any file of the folder, before and after closing', async (t) => {
  const world = new World(1)
  const folder = temporaryFolder(t)
  const gateways = new Map([[latin1(utf8(GATEWAY)), world.gateway]])
  const bob = new Person(world, 'Planted Bob', gateways)
  let chat: Chat
  let cancel = (): void => undefined
  const open = (): ReturnType<typeof openStore> => openStore({ folder, tables: CHAT_TABLES, random: randomBytes })
  const store = open()
  const options = {
    mailbox: new FakeMailbox(gateways),
    random: world.chance.bytes,
    now: () => world.time.now,
    wake: (at: number) => {
      cancel()
      cancel = world.time.after(at - world.time.now, () => chat.tick(world.time.now))
    },
  }
  chat = Chat.create({ ...options, store }, 'Planted Alice')
  const [card] = await cards(world, bob)
  chat.addContact(card!)
  chat.rename(bob.id, 'planted petname')
  chat.send(bob.id, 'planted text of Alice')
  await world.pass(1_000)
  bob.chat.accept(chat.me.id)
  bob.chat.send(chat.me.id, 'planted text of Bob')
  await world.pass(60_000)
  t.is(chat.history(bob.id, { limit: 9 }).length, 2)

  const own = chat.avatars.set(faceFrom(9))
  bob.chat.avatars.set(faceFrom(10))
  await world.pass(60_000)
  chat.avatars.look(bob.id)
  await world.pass(60_000)
  const theirs = chat.avatars.of(bob.id)!

  const records = new Records(store)
  const contact = records.contacts()[0]!
  const session = records.session(contact.sessions[0]!.id)!
  const { rootSeed, dhSecret } = records.profile()!
  const planted: Uint8Array[] = [GATEWAY, 'lanted', 'PLANTED', bob.id].map(utf8)
  planted.push(contact.uid, contact.root, contact.dh, rootSeed, dhSecret, session.id, session.ratchet.root)
  planted.push(
    own.hash,
    theirs.hash,
    own.jpeg.subarray(-60),
    theirs.jpeg.subarray(-60),
    own.small.pixels.subarray(0, 60),
  )
  planted.push(
    session.ratchet.own.secret,
    session.ratchet.sending.chain,
    records.queues()[0]!.rid,
    records.prekeys()[0]!.secret,
  )
  const found = (): string[] => {
    const octets = everyOctet(folder)
    return planted.filter((word) => octets.includes(word)).map(hex)
  }
  t.true(everyOctet(folder).length > 50_000)
  t.deepEqual(found(), [])
  chat.close()
  store.close()
  t.deepEqual(found(), [])

  const again = open()
  chat = Chat.open({ ...options, mailbox: new FakeMailbox(gateways), store: again })!
  t.deepEqual(
    chat.history(bob.id, { limit: 9 }).map(({ text }) => text),
    ['planted text of Alice', 'planted text of Bob'],
  )
  again.close()
})

test('a page of a long history, and opening the chat, read only what they show', async (t) => {
  const world = new World(2)
  const [alice, bob] = [new Person(world, 'Alice'), new Person(world, 'Bob')]
  const [card] = await cards(world, bob)
  alice.chat.addContact(card!)
  const contact = alice.records.contacts()[0]!
  const count = process.env.SOTTO_LONG === '1' ? 100_000 : 3_000
  alice.store.transaction(() => {
    for (let i = 1; i <= count; i++) {
      const id = prng(i).bytes(16)
      const message: StoredMessage = {
        id,
        contact: contact.uid,
        mine: false,
        text: `text ${i}`,
        time: i,
        counter: i,
        forked: false,
      }
      alice.records.putMessage(message, i * 2 ** 20)
    }
  })
  const before = alice.rowsRead
  const newest = alice.chat.history(bob.id, { limit: 50 })
  t.is(newest.at(-1)!.text, `text ${count}`)
  const earlier = alice.chat.history(bob.id, { limit: 50, before: newest[0]!.id })
  t.is(earlier.at(-1)!.text, `text ${count - 50}`)
  alice.restart()
  alice.chat.contacts()
  const read = alice.rowsRead - before
  t.true(read > 100 && read < 120, `${read} rows`)
})
