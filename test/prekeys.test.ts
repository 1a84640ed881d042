/** The client's side of the prekey service against the gateway's: what is published, taken and left, octet for octet. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Chat } from '#client/chat/chat.ts'
import { ChatLimits } from '#client/chat/limits.ts'
import { CHAT_TABLES, Records } from '#client/chat/records.ts'
import { decodeStart } from '#client/chat/start.ts'
import { realClockwork } from '#client/clockwork.ts'
import { Mailboxes } from '#client/services/mailbox.ts'
import { openStore } from '#client/store/open-store.ts'
import type { Tunnel } from '#client/tunnel.ts'
import { Fixture } from '#gateway/services/prekeys/fixture.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'

interface Person {
  readonly chat: Chat
  readonly records: Records
}

/** A chat whose mailbox is a real one, without a network between. Nothing arrives. */
function person(t: ExecutionContext, { mailbox, prekeys }: Fixture, name: string): Person {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-prekeys-'))
  const unary = { ...mailbox.service.unary, ...prekeys.service.unary }
  const tunnel: Pick<Tunnel, 'call' | 'subscribe'> & { status: object } = {
    status: { endpoint: { host: 'gateway.example', port: 443 }, state: { kind: 'ready' } },
    call: async (method, args) => {
      const result = await unary[method]!(decodeMessage(encodeMessage(args)), { member: name, role: 'member' })
      return decodeMessage(encodeMessage(result))
    },
    subscribe: () => ({ ended: new Promise(() => {}), cancel: () => {} }),
  }
  const mailboxes = new Mailboxes(realClockwork)
  mailboxes.add(tunnel as Tunnel)
  const store = openStore({ folder, tables: CHAT_TABLES, random: randomBytes })
  const { now, random } = realClockwork
  const chat = Chat.create({ store, mailbox: mailboxes, now, random, wake: () => {} }, name)
  t.teardown(() => {
    chat.close()
    store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { chat, records: new Records(store) }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a full shelf is published with the card; a first message takes one key of each kind, and the gateway keeps the rest', async (t) => {
  const fixture = await Fixture.create(t)
  fixture.now = Date.now()
  const [alice, bob] = [person(t, fixture, 'Alice'), person(t, fixture, 'Bob')]
  const card = await bob.chat.myCard()
  t.deepEqual([...card.prekey.starts], [5, 6])
  const { rid, rauth } = bob.records.queues()[0]!
  const stock = (): Promise<unknown> => fixture.call('prekeys.stock', { rid, rauth })
  const oneTime = async (): Promise<number> => ((await stock()) as { kem: { count: number } }).kem.count
  bob.chat.connected()
  while ((await oneTime()) < ChatLimits.oneTimeKem) await turn()
  t.like(await stock(), { dh: { count: ChatLimits.oneTime }, kem: { count: ChatLimits.oneTimeKem } })

  alice.chat.addContact(card)
  const sent = new Promise<void>((resolve) => {
    alice.chat.onEvent((event) => event.type === 'receipt' && resolve())
  })
  alice.chat.send(bob.chat.me.id, 'hello')
  await sent
  const [session] = alice.records.contacts()[0]!.sessions
  const { quantum } = decodeStart(alice.records.session(session!.id)!.start)!.header
  const { dh, kem } = bob.records.oneTimeKeys(rid)
  t.is(quantum!.oneTimeId, dh[0]!.id)
  t.is(quantum!.kemId, kem[0]!.id)
  t.like(await stock(), { dh: { count: ChatLimits.oneTime - 1 }, kem: { count: ChatLimits.oneTimeKem - 1 } })

  // Asked again for what is there, the owner publishes nothing more.
  bob.chat.connected()
  await turn()
  t.like(await stock(), { dh: { count: ChatLimits.oneTime - 1 } })
})
