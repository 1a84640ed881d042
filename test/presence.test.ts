/** Presence over real tunnels and mailboxes; and what real trackers, behind real trunks, say of friends who do not answer. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Chat } from '#client/chat/chat.ts'
import { CHAT_TABLES } from '#client/chat/records.ts'
import { realClockwork } from '#client/clockwork.ts'
import { parseTrackerId } from '#client/finding/tracker-id.ts'
import { PresenceChecker } from '#client/presence/checker.ts'
import { Mailboxes } from '#client/services/mailbox.ts'
import { openStore } from '#client/store/open-store.ts'
import { Fixture } from '#gateway/services/prekeys/fixture.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { type Person, World } from './helpers/finders.ts'
import { openTunnel, startGateway, type TestGateway } from './helpers/pair.ts'

const DAY = 86_400_000
/** For what takes seconds of work, on a machine that may be doing much else. */
const LONG_MS = 600_000

async function add(by: Person, id: string): Promise<void> {
  const root = parseTrackerId(id)
  by.chat.addContact(await by.finding.card(root, await by.finding.find(root)))
}

test('online, offline, invisible, gone: a record that nobody confirms is no proof', async (t) => {
  t.timeout(LONG_MS)
  const world = await World.create(t)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  await ada.finding.wish('online')
  await add(ben, ada.finding.id)
  const checker = new PresenceChecker({ chat: ben.chat, finding: ben.finding, clockwork: world.clockwork })
  const [friend] = ben.chat.friends()
  const state = async (): Promise<string> => {
    const found = checker.check(friend!.id)
    // She does not know him, and does not answer.
    world.now += PresenceLimits.waitMs
    ben.chat.tick(world.now)
    return (await found).state
  }
  t.is(await state(), 'unknown', 'the tracker says online, and nobody answers')
  await ada.finding.wish('offline')
  t.is(await state(), 'offline')
  await ada.finding.wish('online')
  ada.chat.presence.setShowing('invisible')
  await ada.finding.refresh()
  t.is(await state(), 'offline', 'who is invisible is offline to trackers, whatever was wished before')
  t.is(ada.finding.wished, 'online')
  ada.chat.presence.setShowing('visible')
  await ada.finding.refresh()
  t.is(await state(), 'unknown')
  await ada.finding.wish('offline')
  world.now += DAY
  t.is(await state(), 'unknown', 'too long ago')
  for (const { server } of world.trackers) await server.close()
  t.is(await state(), 'unknown')
})

/** A chat on a tunnel of its own. */
function member(t: ExecutionContext, gateway: TestGateway, name: string): Chat {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-presence-'))
  const store = openStore({ folder, tables: CHAT_TABLES, random: realClockwork.random })
  const mailboxes = new Mailboxes(realClockwork)
  const tunnel = openTunnel(gateway.port)
  mailboxes.add(tunnel)
  let cancel = (): void => {}
  const wake = (at: number): void => {
    cancel()
    cancel = realClockwork.after(Math.max(0, at - Date.now()), () => chat.tick(Date.now()))
  }
  const { random, now } = realClockwork
  const chat: Chat = Chat.create({ store, mailbox: mailboxes, random, now, wake, shelf: { dh: 1, kem: 1 } }, name)
  t.teardown(async () => {
    cancel()
    chat.close()
    await tunnel.stop()
    store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return chat
}

test('over a real gateway: friends who have written to each other see each other', async (t) => {
  t.timeout(LONG_MS)
  const fixture = await Fixture.create(t)
  fixture.now = Date.now()
  const gateway = await startGateway([fixture.mailbox.service, fixture.prekeys.service])
  t.teardown(() => gateway.stop())
  const [ada, ben] = [member(t, gateway, 'Ada'), member(t, gateway, 'Ben')]
  const [cardA, cardB] = await Promise.all([ada.myCard(), ben.myCard()])
  const heard = (chat: Chat): Promise<void> =>
    new Promise((resolve) => chat.onEvent(({ type }) => type === 'message' && resolve()))
  ada.addContact(cardB)
  ben.addContact(cardA)
  const both = Promise.all([heard(ada), heard(ben)])
  ada.send(ben.me.id, 'hello')
  ben.send(ada.me.id, 'hello')
  await both
  // A busy machine may take longer than anybody waits for an answer.
  while ((await ada.presence.probe(ben.me.id)) !== 'online') await new Promise((resolve) => setTimeout(resolve, 1_000))
  t.is(ada.presence.of(ben.me.id)?.by, 'themselves')
  t.is(ben.presence.of(ada.me.id)?.state, 'online')
  const gone = new Promise<string>((resolve) => {
    ben.onEvent((event) => event.type === 'presence' && event.presence.state === 'offline' && resolve(event.contact))
  })
  ada.presence.setShowing('invisible')
  t.is(await gone, ada.me.id, 'who was told hears it at once')
})
