/** Bounds of `PresenceLimits` that one conversation does not reach. */
import test from 'ava'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { NOTE_LENGTH } from '#protocol/presence/note.ts'
import { prng } from '#test/helpers/prng.ts'
import { newContact } from '../contacts.ts'
import { identityFrom } from '../fixtures/people.ts'
import type { Contact } from '../model.ts'
import { between, share, some } from './draw.ts'
import { FriendKeys } from './friend-keys.ts'
import { Gossip } from './gossip.ts'
import { AnswerPace } from './pace.ts'

const NOW = 1_800_000_000_000
const MINUTE = 60_000

const friend = (octet: number): Contact => newContact(identityFrom(octet), 'accepted', NOW)

test('PresenceLimits.answersPerMinute: many friends together get no more; a minute later they do', (t) => {
  const pace = new AnswerPace()
  const answers = (now: number): number =>
    Array.from({ length: 500 }, (_, i) => pace.mayAnswer(`friend ${i}`, now)).filter(Boolean).length
  t.is(answers(NOW), PresenceLimits.answersPerMinute)
  t.is(answers(NOW + MINUTE - 1), 0)
  t.is(answers(NOW + MINUTE), PresenceLimits.answersPerMinute)
  t.is(answers(NOW - MINUTE), PresenceLimits.answersPerMinute, 'a clock that was set back silences nobody')
})

test('PresenceLimits.greetingMs: asked, and said again, once an hour and friend', (t) => {
  const pace = new AnswerPace()
  for (const may of ['mayGreet', 'mayAsk'] as const) {
    t.true(pace[may]('ada', NOW))
    t.false(pace[may]('ada', NOW + PresenceLimits.greetingMs - 1))
    t.true(pace[may]('ben', NOW + 1))
    t.true(pace[may]('ada', NOW + PresenceLimits.greetingMs))
  }
})

test('PresenceLimits.keptNotes: the oldest go; of one author only the latest are kept, and none for long', (t) => {
  const { bytes } = prng(5)
  const gossip = new Gossip(new FriendKeys(identityFrom(1), () => []), bytes)
  const four = (): Uint8Array[] => Array.from({ length: PresenceLimits.notesEach }, () => bytes(NOTE_LENGTH))
  for (let i = 0; i < 500; i++) gossip.keep(`author ${i}`, four(), NOW + i)
  t.is(gossip.count, PresenceLimits.keptNotes)
  for (let i = 0; i < 50; i++) gossip.keep('author 499', four(), NOW + 500)
  t.is(gossip.count, PresenceLimits.keptNotes)
  t.is(gossip.passedTo('ada', NOW + 600).length, PresenceLimits.notesEach)
  t.deepEqual(gossip.passedTo('ada', NOW + 600 + PresenceLimits.lifeMs), [])
  const only = new Gossip(new FriendKeys(identityFrom(1), () => []), bytes)
  only.keep('ada', four(), NOW)
  t.deepEqual(only.passedTo('ada', NOW), [], 'nobody is handed their own')
})

test('PresenceLimits.searchMs: marks of nobody make us look through all friends once a minute', (t) => {
  const own = identityFrom(1)
  const friends = [friend(2), friend(3)]
  let looked = 0
  const keys = new FriendKeys(own, () => {
    looked++
    return friends
  })
  const theirs = new FriendKeys(identityFrom(2), () => [])
  const me = newContact(own, 'accepted', NOW)
  const mark = theirs.to(me, NOW)!.mark
  t.deepEqual(keys.whose(mark, NOW), friends[0]!.uid)
  t.deepEqual(keys.whose(theirs.to(me, NOW - 86_400_000)!.mark, NOW), friends[0]!.uid, 'of the day before, too')
  for (let i = 0; i < 100; i++) t.is(keys.whose(new Uint8Array(8).fill(i), NOW + i), undefined)
  t.is(looked, 1)
  t.is(keys.whose(new Uint8Array(8), NOW + PresenceLimits.searchMs), undefined)
  t.is(looked, 2)
})

test('chance: within its bounds, and everybody is drawn in the end', (t) => {
  const { bytes } = prng(9)
  const drawn = new Set<number>()
  for (let i = 0; i < 300; i++) {
    const part = share(bytes)
    t.true(part >= 0 && part < 1)
    const number = between([10, 20], bytes)
    t.true(number >= 10 && number < 20)
    const chosen = some([1, 2, 3, 4, 5, 6, 7], 3, bytes)
    t.is(new Set(chosen).size, 3)
    for (const each of chosen) drawn.add(each)
  }
  t.is(drawn.size, 7)
  t.deepEqual(some([1, 2], 5, bytes).toSorted(), [1, 2])
})
