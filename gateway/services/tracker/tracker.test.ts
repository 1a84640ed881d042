import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { concat, hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { readContents } from '#protocol/tracker/contents.ts'
import { epochOf, placeKey, WEEK_MS } from '#protocol/tracker/epoch.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import { makeGuard, openLock, unlockContents } from '#protocol/tracker/lock.ts'
import type { Wanted } from '#protocol/tracker/operations.ts'
import { readFound, readShown } from '#protocol/tracker/operations.ts'
import { sealQuery } from '#protocol/tracker/query.ts'
import { openQuestion } from '#protocol/tracker/question.ts'
import { isSigned, openRecord } from '#protocol/tracker/record.ts'
import { DAY, Fixture, HOUR, Person, someContents } from './fixture.ts'

const question = { text: 'Where did we meet?', salt: randomBytes(16), lock: randomBytes(48) }
const CHEAP = { memoryKiB: 64, passes: 1, parallelism: 1, length: 32 }
const nobody = (): Wanted => ({ key: randomBytes(16), seq: 0 })

test('what somebody publishes is found by who knows the root key, and by nobody else', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  t.is(await fixture.publish(fixture.record(anna)), 'done')
  const found = await fixture.find(anna.root)
  t.is(found?.head.state, 'online')
  t.deepEqual(found?.contents, someContents)
  t.is(await fixture.find(new Person().root), undefined)
  await fixture.restart()
  t.deepEqual((await fixture.find(anna.root))?.contents, someContents, 'also after a restart')
})

test('a lookup answers many at once, and says of what is known that it is as known', async (t) => {
  const fixture = await Fixture.create(t)
  const people = [new Person(), new Person()]
  for (const [i, person] of people.entries()) await fixture.publish(fixture.record(person, { seq: 5 + i }))
  const [one, two] = people.map(({ root }) => fixture.keyOf(root)) as [Uint8Array, Uint8Array]
  const wanted = [{ key: one, seq: 5 }, nobody(), { key: two, seq: 5 }, { key: one, seq: 0 }]
  const answer = await fixture.ask({ kind: 'lookup', wanted })
  const found = answer.kind === 'done' ? readFound(answer.body, 4)! : []
  t.deepEqual(
    found.map((each) => (each instanceof Uint8Array ? 'record' : each)),
    ['known', 'none', 'record', 'record'],
  )
})

test('a higher seq replaces; the same again changes nothing; a lower one or another of the same is stale', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  const [first, second] = [fixture.record(anna, { seq: 1 }), fixture.record(anna, { seq: 2, state: 'offline' })]
  t.is(await fixture.publish(first), 'done')
  t.is(await fixture.publish(second, { kind: 'none' }), 'done')
  t.is(await fixture.publish(second, { kind: 'none' }), 'done', 'a repeat whose answer was lost')
  t.is(await fixture.publish(first, { kind: 'none' }), 'stale', 'replayed')
  t.is(await fixture.publish(fixture.record(anna, { seq: 2 }), { kind: 'none' }), 'stale')
  t.is((await fixture.find(anna.root))?.head.state, 'offline')
})

test('a lease is over, or too long, or of another week: refused', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  const epoch = epochOf(anna.root, fixture.now)
  const outcome = (head: object): Promise<string> => fixture.publish(fixture.record(anna, head))
  t.is(await outcome({ leaseEnd: fixture.now - 60_000 }), 'late')
  t.is(await outcome({ leaseEnd: fixture.now + DAY + 2 * HOUR }), 'late')
  t.is(await outcome({ epoch: epoch - 2 }), 'late')
  t.is(await outcome({ epoch: epoch + 3 }), 'late')
  t.is(await outcome({ leaseEnd: fixture.now + 60_000 }), 'done')
})

test('new keys need work, known ones do not', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  const record = fixture.record(anna)
  t.is(await fixture.publish(record, { kind: 'none' }), 'work')
  t.is(fixture.store.record(fixture.keyOf(anna.root)), undefined)
  t.is(await fixture.publish(record), 'done')
  t.is(await fixture.publish(fixture.record(anna, { seq: 2 }), { kind: 'none' }), 'done')
})

test('a new week takes the place of the old one, and only its owner can say so', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  const epoch = epochOf(anna.root, fixture.now)
  await fixture.publish(fixture.record(anna))
  await fixture.ask({ kind: 'pose', question: fixture.question(anna, question) })
  fixture.now += WEEK_MS
  const next = fixture.record(anna)
  t.is(await fixture.publish(next, fixture.replaces(new Person(), epoch, next)), 'work', 'a key that is not here')
  const forged = fixture.replaces(anna, epoch, fixture.record(anna, { seq: 9 }))
  t.is(await fixture.publish(next, forged), 'work', 'said of another record')
  t.is(await fixture.publish(next, fixture.replaces(anna, epoch, next)), 'done')
  t.is(await fixture.publish(next, fixture.replaces(anna, epoch, next)), 'done', 'a repeat')
  t.is(await fixture.find(anna.root, epoch), undefined, 'the old one is gone')
  t.deepEqual((await fixture.find(anna.root))?.contents, someContents)
  t.deepEqual(fixture.store.counts().records, 1)
  t.deepEqual(fixture.store.counts().questions, 0, 'a question goes with its record')
})

test('a forged or damaged record is refused, whichever octet it is', async (t) => {
  const fixture = await Fixture.create(t)
  const [anna, mallory] = [new Person(), new Person()]
  const record = fixture.record(anna)
  for (let at = 0; at < record.length; at += 13) {
    const bad = record.slice()
    bad[at]! ^= 0x10
    t.true(['invalid', 'late'].includes(await fixture.publish(bad, fixture.work(bad))), `octet ${at}`)
  }
  const stolen = concat(record.subarray(0, 448), fixture.record(mallory).subarray(448))
  t.is(await fixture.publish(stolen, fixture.work(stolen)), 'invalid', 'signed by another')
  t.is(fixture.store.counts().records, 0)
})

test('who knows a uid, and even the root key, cannot write in somebody’s place', async (t) => {
  const fixture = await Fixture.create(t)
  const [anna, mallory] = [new Person(), new Person()]
  const place = fixture.place(anna.root)
  // Mallory derives Anna's key of the week, which anybody with the root key can, and signs with what she has.
  const key = placeKey(anna.root, place)!
  const own = fixture.record(mallory, { epoch: place.epoch })
  const squatting = concat(own.subarray(0, 14), key, own.subarray(46))
  t.is(await fixture.publish(squatting, fixture.work(squatting)), 'invalid')
  // Her own record stands elsewhere, whatever she does: the place is a hash of the key that signs.
  t.is(await fixture.publish(own), 'done')
  t.is(await fixture.find(anna.root), undefined, 'the place is still free')
  t.is(await fixture.publish(fixture.record(anna)), 'done')
  // Nor can she take Anna's record away by replacing it.
  const another = new Person()
  const taking = fixture.record(another, { epoch: place.epoch })
  const proof = { ...fixture.replaces(another, place.epoch, taking), key }
  t.is(await fixture.publish(taking, proof as never), 'work')
  t.deepEqual((await fixture.find(anna.root))?.contents, someContents)
  // Nor pose a question in Anna's place, or put back one that Anna has replaced.
  const first = fixture.question(anna, question, 1)
  t.is(await fixture.outcome({ kind: 'pose', question: fixture.question(anna, question, 2) }), 'done')
  const posed = fixture.store.question(fixture.keyOf(anna.root))!
  const forged = fixture.question(mallory, question, 9)
  const signature = forged.subarray(192)
  const attempts = [
    [concat(forged.subarray(0, 9), key, forged.subarray(41)), 'invalid'],
    [concat(posed.subarray(0, 5), Uint8Array.of(0xff), posed.subarray(6)), 'invalid'],
    [concat(posed.subarray(0, 192), signature), 'invalid'],
    [first, 'stale'],
  ] as const
  for (const [attempt, outcome] of attempts) t.is(await fixture.outcome({ kind: 'pose', question: attempt }), outcome)
  t.deepEqual(fixture.store.question(fixture.keyOf(anna.root)), posed)
  // And a tracker that turned would not be believed: what it makes up is not signed by the key that is looked for.
  const lie = concat(own.subarray(0, 14), key, own.subarray(46))
  t.is(openRecord(lie, { root: anna.root, place, key }), undefined)
  t.is(openRecord(own, { root: anna.root, place, key }), undefined)
})

test('the operator, with disk, key and code, reads nobody whose root key is not known to it', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  const contents = {
    ...someContents,
    queues: [{ ...someContents.queues[0]!, gateway: 'planted.example:443' }],
    endpoints: [{ ...someContents.endpoints[0]!, host: 'planted-endpoint.example' }],
  }
  const planted = makeGuard('planted question', utf8('planted answer'), randomBytes, CHEAP)
  await fixture.publish(fixture.record(anna, {}, contents))
  await fixture.ask({ kind: 'pose', question: fixture.question(anna, planted) })
  // Boris lets only those in who answer: the same, once more sealed.
  const boris = new Person()
  await fixture.publish(fixture.guarded(boris, planted, contents))
  await fixture.find(anna.root)
  await fixture.store.close()
  const uid = sha256(anna.root)
  const secrets = [
    ...['planted.example', 'planted-endpoint', 'planted question', 'planted answer', 'planted'].map(utf8),
    ...[anna.root, uid, anna.root.subarray(0, 8), uid.subarray(0, 8), contents.bundle, contents.document],
    ...[contents.queues[0]!.sid, contents.queues[0]!.sauth, contents.endpoints[0]!.key, planted.lock],
    ...[planted.salt, planted.contactKey],
  ]
  const files = readdirSync(fixture.folder)
  t.deepEqual(files.toSorted(), ['records.mdb', 'records.mdb-lock'])
  for (const file of files) {
    const disk = readFileSync(join(fixture.folder, file))
    for (const secret of secrets) t.is(disk.indexOf(secret), -1, `${file} has ${hex(secret)}`)
  }
  await fixture.open()
  // All that is there: two records and a question. A key is what the operator sees; no guess at a uid leads to it, only the root key.
  t.like(fixture.store.counts(), { records: 2, questions: 1 })
  const record = fixture.store.record(fixture.keyOf(anna.root))
  const posed = fixture.store.question(fixture.keyOf(anna.root))
  t.true(isSigned(record!))
  const place = fixture.place(anna.root)
  const key = record!.slice(14, 46)
  for (const root of [uid, key, fixture.secret, fixture.tracker.publicKey]) {
    t.is(openRecord(record!, { root, place, key }), undefined)
    t.is(openQuestion(posed!, { root, place, key }), undefined)
    t.notDeepEqual(placeKey(root, place), key)
  }
  t.truthy(openRecord(record!, { root: anna.root, place, key }), 'the root key opens it')
  t.truthy(openQuestion(posed!, { root: anna.root, place, key }), 'and the question')
  // Where answers guard it, root key, record and question together do not say where somebody is reached.
  const behind = fixture.store.record(fixture.keyOf(boris.root))!
  const [from, at] = [fixture.place(boris.root), placeKey(boris.root, fixture.place(boris.root))!]
  const locked = openRecord(behind, { root: boris.root, place: from, key: at })!.contents
  t.is(readContents(locked), undefined)
  t.is(Buffer.from(locked).indexOf(utf8('planted')), -1)
  for (const guess of [boris.root, at, planted.lock.slice(0, 32), sha256(planted.salt)])
    t.is(unlockContents(guess, locked), undefined)
  t.is(openLock(planted, utf8('planted'), CHEAP), undefined)
  t.deepEqual(unlockContents(openLock(planted, utf8('planted answer'), CHEAP)!, locked), contents)
})

test('the same person looks different at each tracker and in each week', async (t) => {
  const [one, other] = [await Fixture.create(t), await Fixture.create(t)]
  const anna = new Person()
  const epoch = epochOf(anna.root, one.now)
  const keys = [one.keyOf(anna.root), other.keyOf(anna.root), one.keyOf(anna.root, epoch + 1)].map(hex)
  t.is(new Set(keys).size, 3)
  const [a, b] = [one.record(anna), other.record(anna)]
  for (const [from, to] of [
    [14, 46],
    [46, 512],
  ] as const)
    t.notDeepEqual(a.subarray(from, to), b.subarray(from, to))
  t.is(await other.publish(a, other.work(a)), 'done', 'a record is not bound to a tracker by its signature ...')
  t.is(await other.find(anna.root), undefined, '... but nobody looks for it there')
})

test('questions stand beside a record, replace each other, and are shown a few times an hour', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  const posed = fixture.question(anna, question)
  t.is(await fixture.outcome({ kind: 'pose', question: posed }), 'unknown', 'no record yet')
  await fixture.publish(fixture.record(anna))
  t.is(await fixture.outcome({ kind: 'pose', question: posed }), 'done')
  t.is(await fixture.outcome({ kind: 'pose', question: fixture.question(anna, question, 0) }), 'stale')
  const bad = posed.slice()
  bad[100]! ^= 1
  t.is(await fixture.outcome({ kind: 'pose', question: bad }), 'invalid')
  const key = fixture.keyOf(anna.root)
  const place = fixture.place(anna.root)
  const answer = await fixture.ask({ kind: 'question', key })
  const owner = { root: anna.root, place, key: placeKey(anna.root, place)! }
  t.deepEqual(openQuestion((answer.kind === 'done' && readShown(answer.body)) || new Uint8Array(0), owner), question)
  t.is(await fixture.outcome({ kind: 'question', key: randomBytes(16) }), 'unknown')
  let shown = 1
  for (let minute = 0; minute < 60; minute++) {
    if ((await fixture.outcome({ kind: 'question', key })) === 'done') shown++
    fixture.now += 59_000
  }
  t.true(shown >= 5 && shown <= TrackerLimits.questionsPerHour, `${shown} times in an hour`)
  t.is(await fixture.outcome({ kind: 'question', key }, '198.51.100'), 'done', 'another network has its own count')
})

test('TrackerLimits.questionCounts: so many counts are kept, and the one that was not used for longest goes', async (t) => {
  const fixture = await Fixture.create(t, { questionCounts: 2 })
  const keys: Uint8Array[] = []
  for (const person of Array.from({ length: 3 }, () => new Person())) {
    await fixture.publish(fixture.record(person))
    t.is(await fixture.outcome({ kind: 'pose', question: fixture.question(person, question) }), 'done')
    keys.push(fixture.keyOf(person.root))
  }
  const ask = (i: number): Promise<string> => fixture.outcome({ kind: 'question', key: keys[i]! })
  for (let i = 0; i < TrackerLimits.questionsPerHour / 2; i++) t.is(await ask(0), 'done')
  t.is(await ask(0), 'busy')
  t.is(await ask(1), 'done')
  t.is(await ask(0), 'busy', 'within the bound nothing is forgotten')
  t.is(await ask(1), 'done')
  t.is(await ask(2), 'done')
  t.is(await ask(0), 'done', 'beyond it the first one is')
})

test('what is kept beyond its time is swept, and what was renewed stays', async (t) => {
  const fixture = await Fixture.create(t)
  const people = Array.from({ length: 5 }, () => new Person())
  for (const person of people) await fixture.publish(fixture.record(person))
  fixture.now += 20 * DAY
  await fixture.publish(fixture.record(people[0]!))
  fixture.now += 10 * DAY
  t.is(await fixture.tracker.sweep(), 0, 'within 30 days of the lease')
  fixture.now += 1.1 * DAY
  t.is(await fixture.tracker.sweep(), 5, 'the record of an old week too')
  t.is(fixture.store.counts().records, 1)
})

test('a sweep goes on where it was, and begins anew at the end', async (t) => {
  const fixture = await Fixture.create(t)
  for (let i = 0; i < 7; i++) await fixture.publish(fixture.record(new Person()))
  fixture.now += 40 * DAY
  const swept: number[] = []
  for (let i = 0; i < 5; i++) swept.push(await fixture.store.sweep(fixture.now, 3))
  t.deepEqual(swept, [3, 3, 1, 0, 0])
})

test('garbage, other trackers’ queries and too many keys are refused', async (t) => {
  const fixture = await Fixture.create(t)
  const other = sealQuery(new Person().root, { kind: 'lookup', wanted: [nobody()] }, randomBytes(32))!
  t.is(await fixture.tracker.answer(other.box, 'n'), undefined)
  t.is(await fixture.tracker.answer(randomBytes(700), 'n'), undefined)
  t.is(await fixture.tracker.answer(randomBytes(10), 'n'), undefined)
  const many = (count: number): Wanted[] => Array.from({ length: count }, nobody)
  t.is(await fixture.outcome({ kind: 'lookup', wanted: many(32) }), 'done')
  t.is(await fixture.outcome({ kind: 'lookup', wanted: many(33) }), 'invalid', 'TrackerLimits.idsPerQuery')
  t.is(await fixture.outcome({ kind: 'lookup', wanted: [] }), 'invalid')
  const long = sealQuery(fixture.tracker.publicKey, { kind: 'lookup', wanted: many(50) }, randomBytes(32))!
  t.true(long.box.length > TrackerLimits.queryBytes)
  t.is(await fixture.tracker.answer(long.box, 'n'), undefined, 'TrackerLimits.queryBytes')
})

test('an answer is for one query', async (t) => {
  const fixture = await Fixture.create(t)
  const seal = () => sealQuery(fixture.tracker.publicKey, { kind: 'lookup', wanted: [nobody()] }, randomBytes(32))!
  const [one, two] = [seal(), seal()]
  const answer = (await fixture.tracker.answer(one.box, 'n'))!
  t.is(one.open(answer)?.kind, 'done')
  t.is(two.open(answer), undefined)
  t.is(one.open(answer.slice(1)), undefined)
})

test('TrackerLimits.lookupBurst, .writeBurst: a network waits, others do not, and it is told how long', async (t) => {
  const fixture = await Fixture.create(t, { lookups: 2, lookupBurst: 10, writes: 1, writeBurst: 2 })
  const lookup = { kind: 'lookup', wanted: Array.from({ length: 8 }, nobody) } as const
  t.is(await fixture.outcome(lookup, 'a'), 'done')
  t.deepEqual(await fixture.ask(lookup, 'a'), { kind: 'refused', why: 'busy', seconds: 3 })
  t.is(await fixture.outcome(lookup, 'b'), 'done')
  fixture.now += 3_000
  t.is(await fixture.outcome(lookup, 'a'), 'done')
  const records = [1, 2, 3].map(() => fixture.record(new Person()))
  const outcomes = []
  for (const record of records) outcomes.push(await fixture.publish(record))
  t.deepEqual(outcomes, ['done', 'done', 'busy'])
})

test('TrackerLimits.bytes: nobody new is taken in, those known still change', async (t) => {
  const fixture = await Fixture.create(t)
  const anna = new Person()
  await fixture.publish(fixture.record(anna))
  fixture.limits = { ...fixture.limits, bytes: 1 }
  await fixture.restart()
  t.is(await fixture.publish(fixture.record(new Person())), 'full')
  t.is(await fixture.outcome({ kind: 'pose', question: fixture.question(anna, question) }), 'full')
  const update = fixture.record(anna, { seq: 2, state: 'offline' })
  t.is(await fixture.publish(update, { kind: 'none' }), 'done')
  t.is((await fixture.find(anna.root))?.head.state, 'offline')
})

test('a full disk: nothing is written, what was there is still found, and it goes on when there is room', async (t) => {
  const fixture = await Fixture.create(t)
  const [anna, boris] = [new Person(), new Person()]
  await fixture.publish(fixture.record(anna))
  let free = Number.MAX_SAFE_INTEGER
  await fixture.restart({ freeBytes: () => free })
  free = TrackerLimits.reserveBytes - 1
  t.is(await fixture.publish(fixture.record(boris)), 'full')
  t.is(await fixture.publish(fixture.record(anna, { seq: 2 }), { kind: 'none' }), 'full')
  t.is(fixture.faults.length, 2)
  t.is((await fixture.find(anna.root))?.head.seq, 1)
  free = Number.MAX_SAFE_INTEGER
  t.is(await fixture.publish(fixture.record(boris)), 'done')
})

test('a damaged file is refused, and left alone', async (t: ExecutionContext) => {
  const fixture = await Fixture.create(t)
  await fixture.publish(fixture.record(new Person()))
  await fixture.store.close()
  const { truncateSync, statSync } = await import('node:fs')
  const { size } = statSync(fixture.file)
  truncateSync(fixture.file, 5_000)
  await t.throwsAsync(() => fixture.open(), { code: 'E_STATE_UNREADABLE' })
  t.true(size > 5_000)
  t.is(statSync(fixture.file).size, 5_000)
})
