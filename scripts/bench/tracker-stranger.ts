/**
 * From an id to the first message at the gateway: the program's own time for finding a stranger, with two trackers behind
 * trunks on loopback and a gateway in the same process. Everything but the network is as it is.
 */
import type { ExecutionContext } from 'ava'
import { parseTrackerId } from '#client/finding/tracker-id.ts'
import { type Person, World } from '#test/helpers/finders.ts'
import { median } from './report.ts'

const STRANGERS = 9

async function measure(): Promise<number> {
  const ends: (() => unknown)[] = []
  // All that the stage asks of a test: to be told when it is over.
  const world = await World.create({ teardown: (end: () => unknown) => ends.push(end) } as unknown as ExecutionContext)
  const sender = world.person('sender')
  const times: number[] = []
  for (let i = 0; i < STRANGERS; i++) {
    const stranger = world.person(`stranger${i}`)
    await stranger.finding.wish('online')
    times.push(await firstMessage(world, sender, stranger.finding.id))
  }
  for (const end of ends.toReversed()) await end()
  return median(times)
}

async function firstMessage(world: World, sender: Person, id: string): Promise<number> {
  const began = performance.now()
  const put = new Promise<number>((resolve) => {
    world.gateways[0]!.before = (method) => {
      if (method === 'mailbox.put') resolve(performance.now() - began)
      return undefined
    }
  })
  const root = parseTrackerId(id)
  const card = await sender.finding.card(root, await sender.finding.find(root))
  const { id: contact } = sender.chat.addContact(card)
  sender.chat.send(contact, 'Hello')
  return await put
}

if (import.meta.main) {
  console.log(JSON.stringify({ ms: await measure() }))
  process.exit()
}
