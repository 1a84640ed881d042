/** What real trackers, behind real trunks, say of friends who do not answer. */
import test from 'ava'
import { parseTrackerId } from '#client/finding/tracker-id.ts'
import { PresenceChecker } from '#client/presence/checker.ts'
import { type Person, World } from './helpers/finders.ts'

const DAY = 86_400_000

async function add(by: Person, id: string): Promise<void> {
  const root = parseTrackerId(id)
  by.chat.addContact(await by.finding.card(root, await by.finding.find(root)))
}

test('online, offline, invisible, gone: a record that nobody confirms is no proof', async (t) => {
  const world = await World.create(t)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  await ada.finding.wish('online')
  await add(ben, ada.finding.id)
  const checker = new PresenceChecker({ chat: ben.chat, finding: ben.finding, clockwork: world.clockwork })
  const [friend] = ben.chat.friends()
  const state = async (): Promise<string> => (await checker.check(friend!.id)).state
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
