import test from 'ava'
import fc from 'fast-check'
import { concat, hex, utf8 } from '../bytes.ts'
import { ed25519PublicKey } from '../crypto/ed25519.ts'
import { randomBytes } from '../crypto/random.ts'
import { x25519PublicKey } from '../crypto/x25519.ts'
import { ranked, TRACKERS_USED } from './choice.ts'
import { type Contents, encodeContents, fitting, readContents } from './contents.ts'
import { epochOf, mayBeNow, placeKey, placeSigner, WEEK_MS } from './epoch.ts'
import { areLocked, LOCKED_LENGTH, lockContents, makeGuard, openLock, unlockContents } from './lock.ts'
import type { Found, TrackerAnswer, TrackerRequest } from './operations.ts'
import {
  encodeAnswer,
  encodeFound,
  encodeRequest,
  encodeShown,
  readAnswer,
  readFound,
  readRequest,
  readShown,
  refusals,
} from './operations.ts'
import { openQuery, sealQuery } from './query.ts'
import { openQuestion, QUESTION_TEXT_LENGTH, signQuestion } from './question.ts'
import { CONTENTS_LENGTH, openRecord, RECORD_LENGTH, recordKey, signRecord } from './record.ts'
import { openTrackerList, parseTrackerLine, sealTrackerList, TrackerListLimits, trackerLine } from './tracker-list.ts'
import { encodeItem, FRAME_ITEMS, TrunkOpener, TrunkSealer } from './trunk.ts'
import { isWork, seekWork } from './work.ts'

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const u32s = fc.integer({ min: 0, max: 0xffffffff })
const some = { numRuns: 200 }
const few = { numRuns: 10 }

const queue = { gateway: `${'g'.repeat(26)}:443`, sid: randomBytes(24), sauth: randomBytes(32) }
const someContents: Contents = {
  ...{ bundle: randomBytes(32), document: randomBytes(32), profile: randomBytes(16), queues: [queue], endpoints: [] },
}
const host = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme-ascii' })
const contents: fc.Arbitrary<Contents> = fc.record({
  bundle: octets(32),
  document: octets(32),
  profile: octets(16),
  queues: fc.array(fc.record({ gateway: host, sid: octets(24), sauth: octets(32) }), { maxLength: 3 }),
  endpoints: fc.array(fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }), key: octets(32) }), {
    maxLength: 5,
  }),
})

test('contents: what fits is read back, in one length', (t) => {
  const holds = (wanted: Contents): void => {
    const fitted = fitting(wanted)
    const bytes = encodeContents(fitted)
    t.is(bytes.length, CONTENTS_LENGTH)
    t.deepEqual(readContents(bytes), fitted)
    t.true(fitted.queues.length >= Math.min(1, wanted.queues.length))
  }
  fc.assert(fc.property(contents, holds), some)
})

test('contents: two queues and two endpoints fit; what does not is left out, endpoints first', (t) => {
  const queue = (length: number) => ({ gateway: 'g'.repeat(length), sid: randomBytes(24), sauth: randomBytes(32) })
  const endpoint = (length: number) => ({ host: 'h'.repeat(length), port: 443, key: randomBytes(32) })
  const base = { bundle: randomBytes(32), document: randomBytes(32), profile: randomBytes(16) }
  const usual = { ...base, queues: [queue(30), queue(30)], endpoints: [endpoint(15), endpoint(15)] }
  t.deepEqual(fitting(usual), usual)
  const more = { ...usual, endpoints: [...usual.endpoints, endpoint(15)] }
  t.throws(() => encodeContents(more), { instanceOf: RangeError })
  t.deepEqual(fitting(more), usual)
  const long = { ...usual, queues: [queue(150), queue(150)] }
  t.deepEqual(fitting(long), { ...long, queues: [long.queues[0]], endpoints: [] })
})

test('contents, requests, answers, lines: no octets whatever make the readers throw', (t) => {
  const holds = (bytes: Uint8Array): void => {
    const padded = concat(bytes, new Uint8Array(Math.max(0, CONTENTS_LENGTH - bytes.length)))
    for (const read of [readContents, readRequest, readAnswer]) read(bytes)
    readContents(padded)
    readFound(bytes, 3)
    new TrunkOpener(new Uint8Array(32)).open(bytes)
    parseTrackerLine(`sotto-tracker:${hex(bytes)}`)
    t.pass()
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), holds), { numRuns: 500 })
})

test('a record opens for who knows the root key, and for no other person, week, tracker or octets', (t) => {
  const holds = (seed: Uint8Array, tracker: Uint8Array, plain: Uint8Array, at: number): void => {
    const [root, place] = [ed25519PublicKey(seed), { tracker, epoch: 2_900 }]
    const author = { root, place, signer: placeSigner(seed, place) }
    const head = { state: 'online', seq: 7, leaseEnd: 1_800_000_000_000 } as const
    const record = signRecord(author, head, plain, randomBytes)
    const key = placeKey(root, place)!
    t.is(record.length, RECORD_LENGTH)
    const opened = openRecord(record, { root, place, key })
    t.deepEqual(opened, { head: { ...head, epoch: 2_900, key }, contents: plain })
    const bad = record.slice()
    bad[at]! ^= 1
    t.is(openRecord(bad, { root, place, key }), undefined)
    const later = { tracker, epoch: 2_901 }
    t.is(openRecord(record, { root, place: later, key: placeKey(root, later)! }), undefined)
    t.is(openRecord(record, { root: ed25519PublicKey(randomBytes(32)), place, key }), undefined)
    t.notDeepEqual(recordKey(key), recordKey(placeKey(root, later)!))
  }
  fc.assert(fc.property(octets(32), octets(32), octets(CONTENTS_LENGTH), fc.nat({ max: 511 }), holds), few)
})

test('a question opens for who knows the root key', (t) => {
  const holds = (seed: Uint8Array, text: string, at: number): void => {
    const [root, place] = [ed25519PublicKey(seed), { tracker: new Uint8Array(32), epoch: 2_900 }]
    const question = { text, salt: randomBytes(16), lock: randomBytes(48) }
    const record = signQuestion({ root, place, signer: placeSigner(seed, place) }, 1, question, randomBytes)
    const owner = { root, place, key: placeKey(root, place)! }
    t.deepEqual(openQuestion(record, owner), question)
    const bad = record.slice()
    bad[at]! ^= 1
    t.is(openQuestion(bad, owner), undefined)
  }
  const text = fc.string({ maxLength: QUESTION_TEXT_LENGTH, unit: 'grapheme-ascii' })
  fc.assert(fc.property(octets(32), text, fc.nat({ max: 255 }), holds), few)
  const place = { tracker: new Uint8Array(32), epoch: 1 }
  const author = { root: ed25519PublicKey(new Uint8Array(32)), place, signer: placeSigner(new Uint8Array(32), place) }
  const long = { text: 'ä'.repeat(24), salt: randomBytes(16), lock: randomBytes(48) }
  t.throws(() => signQuestion(author, 1, long, randomBytes), { instanceOf: RangeError })
})

test('behind a lock: as much as fits, for the contact key alone, and for the answers and text alone', (t) => {
  const cheap = { memoryKiB: 8, passes: 1, parallelism: 1, length: 32 }
  fc.assert(
    fc.property(contents, octets(32), fc.nat(CONTENTS_LENGTH - 1), (wanted, other, at) => {
      const guard = makeGuard('Who?', utf8('nobody'), randomBytes, cheap)
      const fitted = fitting(wanted, LOCKED_LENGTH)
      const locked = lockContents(guard.contactKey, fitted, randomBytes)
      t.is(locked.length, CONTENTS_LENGTH)
      t.true(areLocked(locked))
      t.is(readContents(locked), undefined)
      t.deepEqual(unlockContents(guard.contactKey, locked), fitted)
      t.is(unlockContents(other, locked), undefined)
      locked[at]! ^= 1
      t.is(unlockContents(guard.contactKey, locked), undefined)
      t.deepEqual(openLock(guard, utf8('nobody'), cheap), guard.contactKey)
      t.is(openLock(guard, utf8('somebody'), cheap), undefined)
      t.is(openLock({ ...guard, text: 'Who' }, utf8('nobody'), cheap), undefined)
      t.is(openLock({ ...guard, salt: other.slice(16) }, utf8('nobody'), cheap), undefined)
    }),
    some,
  )
  t.false(areLocked(encodeContents(fitting(someContents))))
  const longest = { ...someContents, queues: [queue, queue], endpoints: [] }
  t.is(fitting(longest, LOCKED_LENGTH).queues.length, 2, 'two queues of gateways with the longest usual names')
})

test('a shown question is read back; what is no such body is none', (t) => {
  const question = randomBytes(256)
  const shown = encodeShown(question)
  t.deepEqual(readShown(shown), question)
  for (const body of [question, shown.slice(1), concat(shown, Uint8Array.of(0)), shown.with(-1, 1)])
    t.is(readShown(body), undefined)
  const asked = encodeRequest({ kind: 'question', key: randomBytes(16) })
  t.is(asked.length, encodeRequest({ kind: 'lookup', wanted: Array(8).fill({ key: randomBytes(16), seq: 0 }) }).length)
  t.is(readRequest(asked.with(-1, 1)), undefined)
})

test('weeks begin at a time of one’s own, last a week, and a tracker takes all that may be now', (t) => {
  const holds = (root: Uint8Array, now: number): void => {
    const epoch = epochOf(root, now)
    t.is(epochOf(root, now + WEEK_MS), epoch + 1)
    t.true(mayBeNow(epoch, now))
    t.false(mayBeNow(epoch - 2, now))
    t.false(mayBeNow(epoch + 3, now))
  }
  fc.assert(fc.property(octets(32), fc.integer({ min: 1e12, max: 4e12 }), holds), some)
  const begins = Array.from({ length: 200 }, () => {
    const root = randomBytes(32)
    const epoch = epochOf(root, 1.8e12)
    for (let day = 0; ; day++) if (epochOf(root, 1.8e12 + day * 86_400_000) > epoch) return day
  })
  t.is(new Set(begins).size, 7, 'on every day somebody’s')
})

const proof = fc.oneof(
  fc.constant({ kind: 'none' } as const),
  fc.record({ kind: fc.constant('work' as const), nonce: octets(8) }),
  fc.record({ kind: fc.constant('replaces' as const), key: octets(32), signature: octets(64) }),
)
const wanted = fc.array(fc.record({ key: octets(16), seq: u32s }), { minLength: 1, maxLength: 32 })
const request: fc.Arbitrary<TrackerRequest> = fc.oneof(
  fc.record({ kind: fc.constant('lookup' as const), wanted }),
  fc.record({ kind: fc.constant('publish' as const), record: octets(RECORD_LENGTH), proof }),
  fc.record({ kind: fc.constant('question' as const), key: octets(16) }),
  fc.record({ kind: fc.constant('pose' as const), question: octets(256) }),
)

test('requests are read back, sealed and unsealed, by the tracker alone', (t) => {
  const holds = (asked: TrackerRequest, secret: Uint8Array): void => {
    t.deepEqual(readRequest(encodeRequest(asked)), asked)
    const tracker = x25519PublicKey(secret)
    const query = sealQuery(tracker, asked, randomBytes(32))!
    t.deepEqual(openQuery(secret, tracker, query.box)?.request, encodeRequest(asked))
    const bad = query.box.slice()
    bad[bad.length - 1]! ^= 1
    t.is(openQuery(secret, tracker, bad), undefined)
    const other = randomBytes(32)
    t.is(openQuery(other, x25519PublicKey(other), query.box), undefined)
  }
  fc.assert(fc.property(request, octets(32), holds), { numRuns: 50 })
  t.is(sealQuery(new Uint8Array(32), { kind: 'question', key: randomBytes(16) }, randomBytes(32)), undefined)
})

test('answers are read back', (t) => {
  const found = fc.array(fc.oneof(fc.constantFrom<Found>('none', 'known'), octets(RECORD_LENGTH)), { maxLength: 32 })
  const holds = (each: Found[]): void => {
    t.deepEqual(readFound(encodeFound(each), each.length), each)
    t.is(readFound(encodeFound(each), each.length + 1), undefined)
  }
  fc.assert(fc.property(found, holds), some)
  for (const why of refusals) {
    const answer: TrackerAnswer = { kind: 'refused', why, seconds: why === 'busy' ? 77 : 0 }
    t.deepEqual(readAnswer(encodeAnswer(answer)), answer)
  }
})

test('frames of a trunk arrive whole however they are cut, and none that was changed, lost or repeated', (t) => {
  const items = fc.array(fc.record({ id: fc.nat(), bytes: fc.uint8Array({ maxLength: 100 }) }), { maxLength: 20 })
  const holds = (groups: { id: number; bytes: Uint8Array }[][], cuts: number[]): void => {
    const key = randomBytes(32)
    const sealer = new TrunkSealer(key)
    const frames = groups.map((group) => sealer.seal(group.map(encodeItem)))
    const stream = concat(...frames)
    const opener = new TrunkOpener(key)
    const got: unknown[] = []
    for (let at = 0, i = 0; at < stream.length; i++) {
      const end = at + 1 + (cuts[i % cuts.length] ?? 0)
      got.push(...opener.open(stream.subarray(at, end))!)
      at = end
    }
    t.deepEqual(got, groups.flat())
    if (frames.length < 2) return
    t.is(new TrunkOpener(key).open(frames[1]!), undefined, 'lost')
    t.is(new TrunkOpener(key).open(concat(frames[0]!, frames[0]!)), undefined, 'repeated')
    t.is(new TrunkOpener(randomBytes(32)).open(stream), undefined)
  }
  const cuts = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 10 })
  fc.assert(fc.property(fc.array(items, { minLength: 1, maxLength: 5 }), cuts, holds), { numRuns: 100 })
  const largest = new TrunkSealer(randomBytes(32)).seal([new Uint8Array(FRAME_ITEMS)])
  t.true(largest.length <= 0xffff)
})

test('work is found, and is for one key at one tracker', (t) => {
  const [tracker, key] = [randomBytes(32), randomBytes(16)]
  const nonce = seekWork(tracker, key, 0, 1_000_000, 10)!
  t.true(isWork(tracker, key, nonce, 10))
  t.false(isWork(tracker, key, nonce.slice(1), 10))
  const others = Array.from({ length: 64 }, () => isWork(tracker, randomBytes(16), nonce, 30))
  t.false(others.some(Boolean))
  t.is(seekWork(tracker, key, 0, 10, 32), undefined)
  t.true(isWork(tracker, key, randomBytes(8), 0), 'a tracker that asks for none')
})

test('everybody who knows the same trackers looks at the same two; one more moves few people', (t) => {
  const trackers = Array.from({ length: 5 }, () => randomBytes(32))
  const people = Array.from({ length: 300 }, () => randomBytes(32))
  const used = (root: Uint8Array, of: Uint8Array[]): string[] => ranked(root, of).slice(0, TRACKERS_USED).map(hex)
  for (const root of people.slice(0, 20)) t.deepEqual(used(root, trackers), used(root, trackers.toReversed()))
  const more = [...trackers, randomBytes(32)]
  const kept = people.map((root) => used(root, more).filter((key) => used(root, trackers).includes(key)).length)
  const moved = kept.reduce((sum, count) => sum + TRACKERS_USED - count, 0) / (TRACKERS_USED * people.length)
  t.true(moved > 0 && moved < 0.35, `${moved} of all records move; one in six is expected`)
  t.true(
    kept.every((count) => count >= 1),
    'one of the two is always the same',
  )
})

test('lists of trackers: as signed, under one root key; lines are read back', (t) => {
  const [seed, other] = [randomBytes(32), randomBytes(32)]
  const items = [{ key: randomBytes(32), host: 'tracker.example', port: 7443 }, { key: randomBytes(32) }]
  const list = { version: 3, from: 100, until: 200, items }
  const bytes = sealTrackerList(seed, list)
  t.deepEqual(openTrackerList(ed25519PublicKey(seed), bytes), list)
  t.is(openTrackerList(ed25519PublicKey(other), bytes), undefined)
  for (let at = 0; at < bytes.length; at += 7) {
    const bad = bytes.slice()
    bad[at]! ^= 4
    t.is(openTrackerList(ed25519PublicKey(seed), bad), undefined)
  }
  const many = { ...list, items: Array.from({ length: TrackerListLimits.items + 1 }, () => ({ key: randomBytes(32) })) }
  t.throws(() => sealTrackerList(seed, many), { instanceOf: RangeError })
  for (const tracker of items) {
    t.deepEqual(parseTrackerLine(trackerLine(tracker)), tracker)
    t.is(parseTrackerLine(trackerLine(tracker).slice(0, -1)), undefined)
  }
  t.is(parseTrackerLine(trackerLine({ key: randomBytes(32), host: 'UPPER', port: 1 })), undefined)
})
