/**
 * A member's state folder with a long history, as years of use leave it: `open-store.ts` and `records.ts` write it, so that
 * it is what the program itself would have written, and a chat has run on it, so that its contacts know who we are and where
 * they write to. Arguments: its folder, contacts, messages with each.
 */
import { join } from 'node:path'
import { readKnownCard, signCard } from '#client/chat/card.ts'
import { Chat } from '#client/chat/chat.ts'
import { newContact, withCard } from '#client/chat/contacts.ts'
import { deriveIdentity, identityOf } from '#client/chat/identity.ts'
import { keyPair } from '#client/chat/keys.ts'
import type { MailboxPort } from '#client/chat/ports.ts'
import { offerOf, rotatePrekeys } from '#client/chat/prekeys.ts'
import { startSending } from '#client/chat/ratchet.ts'
import { CHAT_TABLES, Records } from '#client/chat/records.ts'
import { createProfile } from '#client/chat/self.ts'
import { sottoSuite } from '#client/chat/sotto-suite.ts'
import { Way } from '#client/chat/start.ts'
import { gatewayName } from '#client/services/mailbox.ts'
import { openStore } from '#client/store/open-store.ts'
import type { Store } from '#client/store/store.ts'
import { systemBroker } from '#firewall/system-broker.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { encodeInvite } from '#protocol/invite.ts'

const CONTACT_AGE = 86_400_000
const TEXT = 'The museum opens at ten; bring the old tickets, they still take them. '

const [state, contacts, messages] = process.argv.slice(2)
const gateway = await admit(state!)
fill(state!, gateway, Number(contacts), Number(messages))

/** The gateway of an invite that leads nowhere, by its name: nothing listens on port 9 of this machine. */
async function admit(folder: string): Promise<Uint8Array> {
  const broker = await systemBroker(join(folder, 'firewall'))
  const key = keyPair(randomBytes(32)).publicKey
  const place = { host: 'localhost', port: 9, addresses: ['127.0.0.1'], key, cohort: randomBytes(32) }
  await broker.admitInvite(
    encodeInvite({
      name: 'Bench',
      gateways: [place],
      code: randomBytes(16),
      template: 'support-chat',
      expires: Math.floor(Date.now() / 1000) + 86_400,
      root: ed25519PublicKey(randomBytes(32)),
    }),
  )
  await broker.close()
  return gatewayName(place)
}

function fill(folder: string, gateway: Uint8Array, people: number, each: number): void {
  const store = openStore({ folder: join(folder, 'core', 'chat'), tables: CHAT_TABLES, random: randomBytes })
  const records = new Records(store)
  const began = Date.now() - CONTACT_AGE
  store.transaction(() => {
    createProfile(records, 'Bench', began, randomBytes)
    for (let i = 0; i < people; i++) befriend(records, gateway, `Friend ${i}`, each, began)
  })
  greetAll(store, gateway, records)
  store.close()
}

/** Everybody is told who we are, and has said that it came. */
function greetAll(store: Store, gateway: Uint8Array, records: Records): void {
  const chat = Chat.open({ store, mailbox: silent(gateway), random: randomBytes, now: Date.now, wake: () => {} })!
  chat.tick(Date.now())
  chat.close()
  store.transaction(() => {
    for (const { sequence } of records.outbox()) records.deleteOutboxEntry(sequence)
  })
}

/** Nobody ever answers. */
function silent(home: Uint8Array): MailboxPort {
  const [never, nothing] = [(): Promise<never> => new Promise(() => {}), (): void => {}]
  return {
    ...{ homes: () => [home], create: never, put: never, ack: never, remove: never, stock: never, publish: never },
    ...{ bundle: never, setQueues: nothing, onLost: nothing, onMessage: nothing },
  }
}

function befriend(records: Records, gateway: Uint8Array, name: string, count: number, began: number): void {
  const identity = identityOf(deriveIdentity(randomBytes(32)))
  const prekey = offerOf(rotatePrekeys([], began, randomBytes)[0]!, Way.card)
  const address = { gateway, sid: randomBytes(24), sauth: randomBytes(32), box: randomBytes(32) }
  const card = readKnownCard(signCard(identity, { name, issued: began, prekey, addresses: [address] }))
  const context = { sendContext: new Uint8Array(32), receiveContext: new Uint8Array(32) }
  const own = keyPair(randomBytes(32))
  const ratchet = startSending(sottoSuite, {
    root: randomBytes(32),
    remote: prekey.key,
    own,
    healing: undefined,
    ...context,
  })!
  const session = { id: randomBytes(16), stamp: began }
  records.putSession({ ...session, contact: card.uid, start: new Uint8Array(0), ratchet })
  records.putQueue({
    ...{ gateway, contact: card.uid, rid: randomBytes(24), rauth: randomBytes(32), sid: randomBytes(24) },
    ...{ sauth: randomBytes(32), seal: randomBytes(32), box: randomBytes(32), made: true, created: began, retired: 0 },
  })
  const contact = withCard(newContact(card, 'accepted', began), card, undefined)
  records.putContact({ ...contact, addresses: [address], sessions: [session] })
  for (let i = 0; i < count; i++) {
    const [id, text, time, counter] = [
      randomBytes(16),
      `${i} ${TEXT.repeat(1 + (i % 3))}`,
      began + i * 1_000,
      began + i,
    ]
    const mine = i % 2 === 0
    records.putMessage({ id, contact: card.uid, mine, text, time, counter, forked: false }, i + 1)
  }
}
