/** Being found and finding, over a gateway's services and trackers behind trunks, with everything that goes wrong. */
import test, { type ExecutionContext } from 'ava'
import { base32 } from '#client/chat/base32.ts'
import { parseTrackerId, trackerId } from '#client/finding/tracker-id.ts'
import { concat, hex, utf8 } from '#protocol/bytes.ts'
import { ed25519PublicKey } from '#protocol/crypto/ed25519.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { sealCard } from '#protocol/tracker/card-box.ts'
import { ranked } from '#protocol/tracker/choice.ts'
import { sealTrackerList } from '#protocol/tracker/tracker-list.ts'
import { type Person, type RunningTracker, World } from './helpers/finders.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

const countAt = ({ store }: RunningTracker): number => store.counts().records
const counts = ({ trackers }: World): number[] => trackers.map(countAt)

/** Looks somebody up and adds them, as `sotto friend add` does. */
async function add(by: Person, id: string): Promise<string> {
  const root = parseTrackerId(id)
  const card = await by.finding.card(root, await by.finding.find(root))
  return by.chat.addContact(card).name
}

test('a stranger is found by an id, and their card is theirs', async (t) => {
  const world = await World.create(t)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  const root = parseTrackerId(ada.finding.id)
  await t.throwsAsync(ben.finding.find(root), { code: 'E_PERSON_UNKNOWN' }, 'nobody is found who did not ask for it')
  t.is(await ada.finding.wish('online'), 2)
  t.deepEqual(counts(world), [1, 1])
  const found = await ben.finding.find(root)
  t.is(found.head.state, 'online')
  t.is(found.contents.queues[0]?.gateway, 'g0.example:443')
  t.is(await add(ben, ada.finding.id), 'ada')
  const { id } = ben.chat.contacts()[0]!
  const message = ben.chat.send(id, 'Hello, we do not know each other yet.')
  t.is(message.text, 'Hello, we do not know each other yet.')
  t.is(id, ada.chat.me.id)
})

test('two of four trackers have a record, the same two for everybody; one that is down is done without', async (t) => {
  const world = await World.create(t, 4)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  await ada.finding.wish('online')
  const keys = ranked(
    ada.chat.root,
    world.trackers.map(({ tracker }) => tracker.publicKey),
  ).map(hex)
  const named = (key: string): RunningTracker => world.trackers.find(({ tracker }) => hex(tracker.publicKey) === key)!
  t.deepEqual(
    keys.map((key) => countAt(named(key))),
    [1, 1, 0, 0],
  )
  await named(keys[0]!).server.close()
  t.is(await add(ben, ada.finding.id), 'ada')
  await named(keys[1]!).server.close()
  const cleo = world.person('cleo')
  await t.throwsAsync(cleo.finding.find(ada.chat.root), { code: 'E_TRACKER_UNREACHABLE' }, 'not: there is nobody')
})

/** The trackers, those that this person uses first. */
function rankedFor({ chat }: Person, { trackers }: World): RunningTracker[] {
  const keys = trackers.map(({ tracker }) => tracker.publicKey)
  const named = (key: Uint8Array): RunningTracker =>
    trackers.find(({ tracker }) => hex(tracker.publicKey) === hex(key))!
  return ranked(chat.root, keys).map(named)
}

/** Two gateways: ada at the first, ben at the second; their operators may know different trackers. */
async function apart(t: ExecutionContext, trackers: number) {
  const world = await World.create(t, trackers, 2)
  const [ada, ben] = world.gateways.map((gateway, i) => world.person(['ada', 'ben'][i]!, [gateway])) as [Person, Person]
  world.toBeginningOfWeek(ada.chat.root)
  // Neither week nor prekey ends by chance in the hours that follow.
  world.now += 7 * DAY
  ada.chat.tick(world.now)
  const know = (whose: number, named: readonly RunningTracker[]): void => {
    world.now += HOUR
    world.list(named, undefined, [world.gateways[whose]!])
  }
  return { world, ada, ben, know, order: rankedFor(ada, world) }
}

test('a tracker that others come before is told that the person is elsewhere, once those others know them', async (t) => {
  const { world, ada, ben, know, order } = await apart(t, 4)
  const [best, , third] = order as [RunningTracker, RunningTracker, RunningTracker]
  know(0, order.slice(1))
  t.is(await ada.finding.wish('online'), 2)
  t.deepEqual(order.map(countAt), [0, 1, 1, 0])
  // One that is better comes, and is down: what there is stays, and is found.
  let isDown = true
  const toBest = (args: unknown): boolean =>
    hex((args as { tracker: Uint8Array }).tracker) === hex(best.tracker.publicKey)
  world.gateways[0]!.before = (method, args) => {
    if (method === 'tracker.ask' && isDown && toBest(args)) throw new Error('down')
    return undefined
  }
  know(0, order)
  t.is(await ada.finding.wish('online'), 1)
  know(1, [third])
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'online')
  isDown = false
  t.is(await ada.finding.wish('online'), 2)
  t.deepEqual(order.map(countAt), [1, 1, 1, 0], 'what says nothing expires in its time')
  await t.throwsAsync(ben.finding.find(ada.chat.root), { code: 'E_PERSON_UNKNOWN' })
  t.deepEqual([...(await ben.finding.newest([ada.chat.root])).keys()], [])
  know(1, order)
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'online')
  const writes = { count: 0 }
  world.gateways[0]!.before = (method) => {
    if (method === 'tracker.ask') writes.count++
    return undefined
  }
  await ada.finding.refresh()
  t.is(writes.count, 0, 'once is enough')
  // The better one goes again: the third is used again, and says so.
  know(0, order.slice(1))
  t.is(await ada.finding.refresh(), 2)
  know(1, [third])
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'online')
})

test('hiding is told to every tracker that has a record, also to one that is not used any more', async (t) => {
  const { world, ada, ben, know, order } = await apart(t, 3)
  know(0, order.slice(1))
  await ada.finding.wish('online')
  let isDown = true
  world.gateways[0]!.before = (method, args) => {
    const { tracker } = (args ?? {}) as { tracker?: Uint8Array }
    const isThird = tracker !== undefined && hex(tracker) === hex(order[2]!.tracker.publicKey)
    if (method === 'tracker.ask' && isThird && isDown) throw new Error('down')
    return undefined
  }
  know(0, order)
  t.is(await ada.finding.wish('hidden'), 2)
  know(1, [order[2]!])
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'online', 'it could not be told')
  isDown = false
  await ada.finding.refresh()
  await t.throwsAsync(ben.finding.find(ada.chat.root), { code: 'E_PERSON_UNKNOWN' }, 'told with the next look')
})

test('what a tracker still has from weeks ago is not taken while another one may have something newer', async (t) => {
  const { world, ada, ben, know, order } = await apart(t, 3)
  const [first, second, third] = order as [RunningTracker, RunningTracker, RunningTracker]
  know(0, [first, second])
  await ada.finding.wish('offline')
  // Her operator does not name them any more: she cannot take back what stands there.
  world.now += 7 * DAY
  know(0, [third])
  await ada.finding.wish('online')
  know(1, order)
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'online')
  // Where the others are silent, or have nothing newer, it is all there is.
  know(1, [first, second])
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'offline')
  await third.server.close()
  know(1, order)
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'offline')
})

const randomRoot = (): Uint8Array => ed25519PublicKey(randomBytes(32))

test('a record is written when something changes, in a new week, and before its lease ends; not else', async (t) => {
  const world = await World.create(t)
  const ada = world.person('ada')
  world.toBeginningOfWeek(ada.chat.root)
  // Another week on, the prekey is replaced now, and not by chance in the hours that follow.
  world.now += 7 * DAY
  ada.chat.tick(world.now)
  const writes = { count: 0 }
  world.gateways[0]!.before = (method, args) => {
    if (method === 'tracker.ask' && (args as { box: Uint8Array }).box.length > 500) writes.count++
    return undefined
  }
  const written = async (): Promise<number> => {
    writes.count = 0
    t.is(await ada.finding.wish('online'), 2)
    return writes.count
  }
  t.is(await written(), 4, 'two trackers, each asks for work first')
  t.is(await written(), 0)
  world.now += 17 * HOUR
  t.is(await written(), 0)
  world.now += 2 * HOUR
  t.is(await written(), 2, 'less than six hours are left of the lease')
  ada.chat.setName('Ada L.')
  t.is(await written(), 2, 'another card')
  world.now += 7 * DAY
  t.is(await written(), 2, 'another week takes the place of the old one, without work')
  t.deepEqual(counts(world), [1, 1])
  const ben = world.person('ben')
  t.is(await add(ben, ada.finding.id), 'Ada L.')
  world.now += 40 * DAY
  for (const { tracker } of world.trackers) await tracker.sweep()
  t.deepEqual(counts(world), [0, 0])
  world.list()
  t.is(await written(), 4, 'long away: the old record is gone, and there is work again')
})

test('who was away for three weeks is still found, and nobody says that they are online', async (t) => {
  const world = await World.create(t)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  await ada.finding.wish('online')
  world.now += 21 * DAY
  t.is(await add(ben, ada.finding.id), 'ada')
  t.deepEqual(
    [...(await ben.finding.presences()).values()],
    ['none'],
    'friends are looked for where a lease may still hold',
  )
})

test('friends: what they say is asked for many at once, and what is known is not sent again', async (t) => {
  const world = await World.create(t, 1)
  const ben = world.person('ben')
  const people = ['ada', 'cleo', 'dan'].map((name) => world.person(name))
  for (const person of people) {
    await person.finding.wish('online')
    await add(ben, person.finding.id)
  }
  const answers: number[] = []
  const gateway = world.gateways[0]!
  const call = gateway.call.bind(gateway)
  gateway.call = async (method, args, member) => {
    const result = await call(method, args, member)
    if (method === 'tracker.ask') answers.push((result as { box: Uint8Array }).box.length)
    return result
  }
  const states = async (): Promise<string[]> => [...(await ben.finding.presences()).values()]
  t.deepEqual(await states(), ['online', 'online', 'online'])
  t.deepEqual(answers, [1 + 8 + 16], 'one question, an octet for each of eight keys: known, or none')
  await people[1]!.finding.wish('hidden')
  t.deepEqual((await states()).toSorted(), ['offline', 'online', 'online'])
  t.is(answers.at(-1), 1 + 8 + 512 + 16)
  world.now += DAY + HOUR
  t.deepEqual(await states(), ['unknown', 'unknown', 'unknown'])
})

test('hiding: the record says offline and nothing more; who never wished to be found leaves none', async (t) => {
  const world = await World.create(t)
  const [ada, ben, cleo] = [world.person('ada'), world.person('ben'), world.person('cleo')]
  await ada.finding.wish('online')
  t.is(ada.finding.wished, 'online')
  await ada.finding.wish('hidden')
  t.is(ada.finding.wished, 'hidden')
  const found = await ben.finding.find(ada.chat.root)
  t.is(found.head.state, 'offline')
  t.deepEqual(found.contents.queues, [])
  await t.throwsAsync(ben.finding.card(ada.chat.root, found), { code: 'E_PERSON_UNKNOWN' })
  await cleo.finding.wish('hidden')
  t.deepEqual(counts(world), [1, 1])
})

test('hiding is told to a tracker that was out of reach as soon as it is there, and then to nobody any more', async (t) => {
  const world = await World.create(t)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  await ada.finding.wish('online')
  let isAway = true
  let asked = 0
  const [first] = ranked(
    ada.chat.root,
    world.trackers.map(({ tracker }) => tracker.publicKey),
  )
  world.gateways[0]!.before = (method, args) => {
    if (method === 'tracker.ask') asked++
    const isFirst = method === 'tracker.ask' && hex((args as { tracker: Uint8Array }).tracker) === hex(first!)
    if (isFirst && isAway) throw new Error('the gateway cannot reach it')
    return undefined
  }
  t.is(await ada.finding.wish('hidden'), 1)
  isAway = false
  t.is(await ada.finding.refresh(), 0)
  world.gateways[0]!.before = (method, args) => {
    const isOther = method === 'tracker.ask' && hex((args as { tracker: Uint8Array }).tracker) !== hex(first!)
    if (isOther) throw new Error('only the first one answers')
    if (method === 'tracker.ask') asked++
    return undefined
  }
  t.deepEqual((await ben.finding.find(ada.chat.root)).contents.queues, [], 'at the first one, too')
  asked = 0
  t.is(await ada.finding.refresh(), 0)
  world.now += 8 * DAY
  t.is(await ada.finding.refresh(), 0)
  t.is(asked, 0)
})

test('found, and not said to be online', async (t) => {
  const world = await World.create(t)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  await ada.finding.wish('online')
  await ada.finding.wish('offline')
  t.is((await ben.finding.find(ada.chat.root)).head.state, 'offline')
  t.is(await add(ben, ada.finding.id), 'ada')
  t.deepEqual([...(await ben.finding.presences()).values()], ['offline'])
})

test('a person who receives elsewhere is found, and it is said where one needs an invite', async (t) => {
  const world = await World.create(t, 2, 2)
  const [one, other] = world.gateways
  const [ada, ben] = [world.person('ada', [one!]), world.person('ben', [other!])]
  await ada.finding.wish('online')
  const error = await t.throwsAsync(add(ben, ada.finding.id), { code: 'E_NO_GATEWAY' })
  t.regex(error!.message, /g0\.example:443/)
})

test('of two gateways one is enough: to ask, and to have the card', async (t) => {
  const world = await World.create(t, 2, 2)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  // One queue is enough for a card; here there are to be both.
  while ((await ada.chat.findable()).queues.length < 2) await new Promise((resolve) => setImmediate(resolve))
  await ada.finding.wish('online')
  world.gateways[0]!.ready = false
  t.is(await add(ben, ada.finding.id), 'ada')
  world.gateways[1]!.ready = false
  await t.throwsAsync(ben.finding.find(ada.chat.root), { code: 'E_TRACKER_UNREACHABLE' })
})

test('a gateway that turned: another card, an old card, made-up answers, and lists of its own are not believed', async (t) => {
  const world = await World.create(t)
  const [ada, ben, mallory] = [world.person('ada'), world.person('ben'), world.person('mallory')]
  const [gateway] = world.gateways
  const old = (await ada.chat.myCard()).bytes
  world.now += 10 * DAY
  ada.chat.tick(world.now)
  await ada.finding.wish('online')
  const instead = (method: string, answer: unknown): void => {
    gateway!.before = (asked) => (asked === method ? answer : undefined)
  }
  const { root } = ada.chat
  const cards = [sealCard(root, (await mallory.chat.myCard()).bytes, randomBytes), sealCard(root, old, randomBytes)]
  for (const box of [...cards, randomBytes(500), new Uint8Array(0), 'text']) {
    instead('cards.fetch', { box })
    await t.throwsAsync(add(ben, ada.finding.id), { code: 'E_PERSON_UNKNOWN' })
  }
  for (const answer of [{ box: randomBytes(600) }, {}, null, 7]) {
    instead('tracker.ask', answer)
    await t.throwsAsync(ben.finding.find(root), { code: 'E_TRACKER_UNREACHABLE' })
  }
  const from = Math.floor(world.now / 1000) - 10
  const own = sealTrackerList(randomBytes(32), {
    version: from,
    from,
    until: from + 100,
    items: [{ key: randomBytes(32) }],
  })
  const cleo = world.person('cleo')
  for (const list of [own, randomBytes(100), 'text', new Uint8Array(0)]) {
    instead('tracker.list', { list })
    await t.throwsAsync(cleo.finding.find(root), { code: 'E_TRACKER_NONE' })
    world.now += HOUR
  }
  gateway!.before = () => undefined
  t.is(await add(cleo, ada.finding.id), 'ada', 'and all is well with an honest one')
})

test('a list of trackers is kept, and no older one is taken after it', async (t) => {
  const world = await World.create(t, 3)
  const ben = world.person('ben')
  const ask = (): Promise<unknown> => ben.finding.find(randomRoot())
  await t.throwsAsync(ask(), { code: 'E_PERSON_UNKNOWN' })
  const asked = new Set<string>()
  const [gateway] = world.gateways
  gateway!.before = (method, args) => {
    if (method === 'tracker.ask') asked.add(hex((args as { tracker: Uint8Array }).tracker))
    return undefined
  }
  const known = async (): Promise<number> => {
    asked.clear()
    world.now += HOUR
    await ask().catch(() => {})
    return asked.size
  }
  t.is(await known(), 3)
  world.list(world.trackers.slice(0, 1))
  t.is(await known(), 1, 'a newer list replaces it')
  world.list(world.trackers, Math.floor(world.now / 1000) - 1_000_000)
  t.is(await known(), 1, 'an older one does not')
})

test('a tracker that lost everything, or has a newer record than ours, is written to again', async (t) => {
  const world = await World.create(t)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  await ada.finding.wish('online')
  for (const { store } of world.trackers) await store.sweep(world.now + 90 * DAY, 10)
  t.deepEqual(counts(world), [0, 0])
  world.now += 20 * HOUR
  t.is(await ada.finding.wish('online'), 2, 'refused without work, then with it')
  t.is(await add(ben, ada.finding.id), 'ada')
})

test('busy trackers are said to be so', async (t: ExecutionContext) => {
  const world = await World.create(t, 1)
  const ben = world.person('ben')
  const outcomes = new Set<string>()
  for (let i = 0; i < 62; i++) {
    const error = await ben.finding.find(randomRoot()).catch((reason: { code: string }) => reason)
    outcomes.add((error as { code: string }).code)
  }
  t.deepEqual([...outcomes], ['E_PERSON_UNKNOWN', 'E_TRACKER_BUSY'])
})

test('ids are read as people write them, and nothing else is taken for one', (t) => {
  const root = randomRoot()
  const id = trackerId(root)
  t.regex(id, /^([A-Z2-7]{4} ){13}[A-Z2-7]{4}$/)
  for (const text of [id, id.replaceAll(' ', ''), id.toLowerCase(), `  ${id.replaceAll(' ', '-')}\n`]) {
    t.deepEqual(parseTrackerId(text), root)
  }
  const wrong = id[0] === 'A' ? 'B' : 'A'
  for (const text of ['', id.slice(1), `${id}A`, wrong + id.slice(1), id.replace(id[9]!, '1')]) {
    t.throws(() => parseTrackerId(text), { code: 'E_PERSON_ID' })
  }
  const uid = sha256(root)
  const shown = base32(uid) + base32(sha256(concat(utf8('sotto/1/uid'), uid))).slice(0, 4)
  const error = t.throws(() => parseTrackerId(shown), { code: 'E_PERSON_ID' })
  t.regex(error!.message, /who somebody is/)
})
