/** Being reached by an id only by who answers questions: over a gateway's services and trackers behind trunks. */
import test, { type ExecutionContext } from 'ava'
import { questionsOf } from '#client/finding/answers.ts'
import { hex } from '#protocol/bytes.ts'
import { ranked } from '#protocol/tracker/choice.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import { type Person, type RunningTracker, World } from './helpers/finders.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const QUESTIONS = ['Which cat?', 'Where?']
/** Of a question sent to a tracker, sealed: between a lookup's and a record's. */
const POSE_LENGTH = 1 + 256 + 48
const ANSWERS = ['Murka the Second', 'behind the old mill']

interface Scene {
  readonly world: World
  readonly ada: Person
  readonly ben: Person
}

async function guarded(t: ExecutionContext, trackers?: number): Promise<Scene> {
  const world = await World.create(t, trackers)
  const [ada, ben] = [world.person('ada'), world.person('ben')]
  world.toBeginningOfWeek(ada.chat.root)
  await ada.finding.wish('online')
  t.is((await ada.finding.ask(QUESTIONS, ANSWERS)).trackers, 2)
  return { world, ada, ben }
}

/** Looks somebody up, answers what they ask, and adds them, as `sotto friend add` does. */
async function add(by: Person, ada: Person, answers = ANSWERS): Promise<string> {
  const { root } = ada.chat
  const found = await by.finding.find(root)
  const open = found.locked ? by.finding.answer(found, await by.finding.question(root, found), answers) : found
  return by.chat.addContact(await by.finding.card(root, open)).name
}

const questionsAt = ({ trackers }: World): number[] => trackers.map(({ store }) => store.counts().questions)

test('who has the id sees that there is a question and nothing else; who answers it has the card', async (t) => {
  const { world, ada, ben } = await guarded(t)
  const { root } = ada.chat
  t.deepEqual(questionsAt(world), [1, 1])
  t.deepEqual(ada.finding.questions, QUESTIONS)
  const found = await ben.finding.find(root)
  t.is(found.head.state, 'online')
  t.deepEqual(found.contents.queues, [])
  t.true(found.contents.bundle.every((octet) => octet === 0))
  await t.throwsAsync(ben.finding.card(root, found), { code: 'E_PERSON_ASKS' })
  const question = await ben.finding.question(root, found)
  t.deepEqual(questionsOf(question.text), QUESTIONS)
  t.throws(() => ben.finding.answer(found, question, ['Murka', 'the mill']), { code: 'E_ANSWER_WRONG' })
  t.is(await add(ben, ada), 'ada')
  ben.chat.send(ben.chat.contacts()[0]!.id, 'Hello, we met behind the mill.')
  t.deepEqual([...(await ben.finding.presences()).values()], ['online'], 'and is a friend like others')
})

test('nothing that a gateway carries tells a question from a lookup by its length', async (t) => {
  const { world, ada, ben } = await guarded(t)
  const lengths: [number, number][] = []
  const [gateway] = world.gateways
  const call = gateway!.call.bind(gateway)
  gateway!.call = async (method, args, member) => {
    const result = await call(method, args, member)
    if (method === 'tracker.ask')
      lengths.push([(args as { box: Uint8Array }).box.length, (result as { box: Uint8Array }).box.length])
    return result
  }
  const found = await ben.finding.find(ada.chat.root)
  const lookup = lengths[0]
  lengths.length = 0
  await ben.finding.question(ada.chat.root, found)
  t.deepEqual(lengths, [lookup!, lookup!], 'of both trackers, as with a lookup')
})

test('weak answers and what is no question change nothing', async (t) => {
  const { ada, ben } = await guarded(t)
  await t.throwsAsync(ada.finding.ask(['Pet?'], ['Murka']), { code: 'E_ANSWER_WEAK' })
  await t.throwsAsync(ada.finding.ask(['x'.repeat(47)], ANSWERS), { code: 'E_PROOF_SECRET' })
  await t.throwsAsync(ada.finding.ask(QUESTIONS, ANSWERS.slice(1)), { code: 'E_PROOF_SECRET' })
  t.deepEqual(ada.finding.questions, QUESTIONS)
  t.is(await add(ben, ada), 'ada')
})

test('the question is renewed with the record, and written only when something changes', async (t) => {
  const { world, ada, ben } = await guarded(t)
  let writes = 0
  world.gateways[0]!.before = (method, args) => {
    const length = method === 'tracker.ask' ? (args as { box: Uint8Array }).box.length : 0
    if (length === POSE_LENGTH) writes++
    return undefined
  }
  await ada.finding.wish('online')
  t.is(writes, 0)
  world.now += 20 * HOUR
  await ada.finding.wish('online')
  t.is(writes, 0, 'the lease is renewed, the question stays')
  world.now += 7 * DAY
  t.is(await ada.finding.wish('online'), 2)
  t.is(writes, 2, 'a new week')
  t.deepEqual(questionsAt(world), [1, 1])
  t.is(await add(ben, ada), 'ada')
  await ada.finding.ask(['Another one?'], ['three unlikely words'])
  t.is(writes, 4)
  const cleo = world.person('cleo')
  await t.throwsAsync(add(cleo, ada), { code: 'E_PROOF_SECRET' }, 'two answers to one question')
  t.is(await add(cleo, ada, ['Three unlikely words']), 'ada')
})

test('it is withdrawn: by word, and with the record of who hides', async (t) => {
  const { world, ada, ben } = await guarded(t)
  const { root } = ada.chat
  const before = await ben.finding.find(root)
  const question = await ben.finding.question(root, before)
  t.is(await ada.finding.askNothing(), 2)
  t.deepEqual(ada.finding.questions, [])
  const after = await ben.finding.find(root)
  t.is(after.locked, undefined)
  await t.throwsAsync(ben.finding.question(root, after), { code: 'E_PERSON_UNKNOWN' })
  t.is(await add(ben, ada), 'ada')
  await ada.finding.ask(QUESTIONS, ANSWERS)
  await ada.finding.wish('hidden')
  t.deepEqual(ada.finding.questions, QUESTIONS, 'for when they are found again')
  const cleo = world.person('cleo')
  const hidden = await cleo.finding.find(root)
  t.is(hidden.locked, undefined)
  await t.throwsAsync(cleo.finding.card(root, hidden), { code: 'E_PERSON_UNKNOWN' })
  await t.throwsAsync(cleo.finding.question(root, hidden), { code: 'E_PERSON_UNKNOWN' })
  t.throws(() => cleo.finding.answer(hidden, question, ANSWERS), { code: 'E_PERSON_UNKNOWN' })
  await ada.finding.wish('online')
  t.is(await add(cleo, ada), 'ada')
})

test('one of the two trackers is enough, and one that lost everything is told again', async (t) => {
  const { world, ada, ben } = await guarded(t, 4)
  const keys = world.trackers.map(({ tracker }) => tracker.publicKey)
  const [first, second] = ranked(ada.chat.root, keys).map(
    (key) => world.trackers.find(({ tracker }) => hex(tracker.publicKey) === hex(key))!,
  ) as [RunningTracker, RunningTracker]
  await first.server.close()
  t.is(await add(ben, ada), 'ada')
  await second.store.sweep(world.now + 90 * DAY, 10)
  t.deepEqual([second.store.counts().records, second.store.counts().questions], [0, 0])
  const changed = await ada.finding.ask(['Another one?'], ['three unlikely words'])
  t.is(changed.trackers, 1)
  t.deepEqual([second.store.counts().records, second.store.counts().questions], [1, 1])
  t.is(await add(world.person('cleo'), ada, ['three unlikely words']), 'ada')
})

test('a tracker that lost the record alone gets both, and one that did not pose is asked again', async (t) => {
  const { world, ada, ben } = await guarded(t)
  let lost = 0
  world.gateways[0]!.before = (method, args) => {
    const isPose = method === 'tracker.ask' && (args as { box: Uint8Array }).box.length === POSE_LENGTH
    if (isPose && lost++ < 2) throw new Error('the gateway is gone')
    return undefined
  }
  await t.throwsAsync(ada.finding.ask(['Another one?'], ['three unlikely words']), { code: 'E_TRACKER_UNREACHABLE' })
  t.is(await ada.finding.wish('online'), 2, 'with the next look')
  t.is(await add(ben, ada, ['three unlikely words']), 'ada')
  for (const { store } of world.trackers) await store.sweep(world.now + 90 * DAY, 10)
  world.now += 20 * HOUR
  t.is(await ada.finding.wish('online'), 2)
  t.deepEqual(questionsAt(world), [1, 1])
})

test('a tracker that shows the question of before keeps nobody from who has told the other one', async (t) => {
  for (const at of [0, 1]) {
    const { world, ada, ben } = await guarded(t)
    const key = ranked(
      ada.chat.root,
      world.trackers.map(({ tracker }) => tracker.publicKey),
    )[at]!
    world.now += HOUR
    let missed = 0
    world.gateways[0]!.before = (method, args) => {
      const { tracker, box } = args as { tracker: Uint8Array; box: Uint8Array }
      const isPose = method === 'tracker.ask' && box.length === POSE_LENGTH && hex(tracker) === hex(key)
      if (isPose && missed++ === 0) throw new Error('the gateway is gone')
      return undefined
    }
    t.is((await ada.finding.ask(['Another one?'], ['three unlikely words'])).trackers, 1)
    t.is(missed, 1)
    t.is(await add(ben, ada, ['three unlikely words']), 'ada')
  }
})

test('a clock that jumps, weeks forward or back, leaves question and record beside each other', async (t) => {
  const { world, ada, ben } = await guarded(t)
  for (const jump of [15 * DAY, -8 * DAY, 7 * DAY, -HOUR]) {
    world.now += jump
    t.is(await ada.finding.wish('online'), 2)
    const found = await ben.finding.find(ada.chat.root)
    t.truthy(ben.finding.answer(found, await ben.finding.question(ada.chat.root, found), ANSWERS).contents.queues[0])
  }
})

test('TrackerLimits.questionsPerHour: who asks too often is told to wait, by a precise error', async (t) => {
  const { world, ada, ben } = await guarded(t)
  const { root } = ada.chat
  const found = await ben.finding.find(root)
  const outcomes: string[] = []
  for (let i = 0; i < 2 * TrackerLimits.questionsPerHour; i++) {
    world.now += 10_000
    const asked = ben.finding.question(root, found)
    outcomes.push(
      await asked.then(
        () => 'shown',
        ({ code }: { code: string }) => code,
      ),
    )
  }
  const shown = outcomes.filter((outcome) => outcome === 'shown').length
  t.true(shown >= 5 && shown <= 2 * TrackerLimits.questionsPerHour, `${shown} by both trackers`)
  t.is(outcomes.at(-1), 'E_TRACKER_BUSY')
  world.now += HOUR
  t.truthy(await ben.finding.question(root, found))
})

test('a tracker or gateway that turned: nothing that they make up is shown or believed', async (t) => {
  const { ada, ben } = await guarded(t)
  const { root } = ada.chat
  const found = await ben.finding.find(root)
  const question = await ben.finding.question(root, found)
  // An older question of hers, kept by a tracker and shown instead: its answers open, what they open does not.
  await ada.finding.ask(['Another one?'], ['three unlikely words'])
  const now = await ben.finding.find(root)
  t.throws(() => ben.finding.answer(now, question, ANSWERS), { code: 'E_PERSON_UNKNOWN' })
  const strange = { ...question, lock: question.lock.map((octet) => octet ^ 1) }
  t.throws(() => ben.finding.answer(now, strange, ANSWERS), { code: 'E_ANSWER_WRONG' })
})
