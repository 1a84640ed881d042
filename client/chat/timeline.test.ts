import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import fc from 'fast-check'
import { SealedStore, tableSchema } from '#client/store/sealed-store.ts'
import { prng } from '#test/helpers/prng.ts'
import { Journal } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { StoredMessage } from './model.ts'
import { CHAT_TABLES, Records } from './records.ts'
import { clampTime, insertMessage } from './timeline.ts'

const contact = new Uint8Array(32).fill(1)

function history(): { records: Records; add(mine: boolean, counter: number, time: number, late?: boolean): void } {
  const database = new DatabaseSync(':memory:')
  database.exec(tableSchema(CHAT_TABLES))
  const { bytes } = prng(1)
  const store = new SealedStore(database, CHAT_TABLES, new Uint8Array(32), bytes)
  const records = new Records(store)
  const journal = new Journal(store)
  return {
    records,
    add(mine, counter, time, late = false) {
      const text = `${mine ? 'me' : 'them'} ${counter}`
      const message: StoredMessage = { id: bytes(16), contact, mine, text, time, counter, forked: false }
      journal.commit(() => insertMessage(records, message, late))
    },
  }
}

const texts = (records: Records): string[] =>
  records
    .messages(contact, 10_000)
    .map(({ message }) => message.text)
    .reverse()

test('clamped to the parent below and five minutes ahead above', (t) => {
  t.is(clampTime(500, 400, 1_000), 500)
  t.is(clampTime(300, 400, 1_000), 400)
  t.is(clampTime(9_999_999, 400, 1_000), 1_000 + ChatLimits.clockAheadMs)
})

test('between two people the time decides', (t) => {
  const { records, add } = history()
  add(true, 1, 100)
  add(false, 1, 90)
  add(true, 2, 200)
  add(false, 2, 150)
  t.deepEqual(texts(records), ['them 1', 'me 1', 'them 2', 'me 2'])
})

test('a late message goes between its own neighbours, whatever its clock says', (t) => {
  const { records, add } = history()
  add(false, 1, 100)
  add(true, 1, 110)
  add(false, 3, 120)
  add(true, 2, 130)
  add(false, 2, 999, true)
  t.deepEqual(texts(records), ['them 1', 'me 1', 'them 2', 'them 3', 'me 2'])
  const times = records.messages(contact, 9).map(({ message }) => message.time)
  t.deepEqual(
    times,
    times.toSorted((a, b) => b - a),
  )
})

test('any order of arrival, any clock: each sender’s messages stand in order', (t) => {
  const arrival = fc.record({ mine: fc.boolean(), time: fc.nat(1_000) })
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 30 }), fc.nat(), (arrivals, seed) => {
      const { records, add } = history()
      const theirs = arrivals.filter(({ mine }) => !mine).length
      const order = prng(seed)
      const counters = Array.from({ length: theirs }, (_, i) => i + 1).sort(() => order.next() - 0.5)
      let own = 0
      let newest = 0
      let highest = 0
      for (const { mine, time } of arrivals) {
        const counter = mine ? ++own : counters.pop()!
        // As the chat does it: our own are never before what is there.
        newest = Math.max(newest, time)
        add(mine, counter, mine ? newest : time, !mine && counter < highest)
        if (!mine) highest = Math.max(highest, counter)
      }
      const shown = texts(records)
      for (const sender of ['me', 'them']) {
        const numbers = shown.filter((text) => text.startsWith(sender)).map((text) => Number(text.split(' ')[1]))
        t.deepEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
        )
      }
    }),
    { numRuns: 100 },
  )
})

test('places never run out: a hundred messages into the same gap', (t) => {
  const { records, add } = history()
  add(false, 1, 0)
  add(false, 200, 1_000)
  for (let counter = 100; counter > 1; counter--) add(false, counter, 500, true)
  t.deepEqual(texts(records), ['them 1', ...Array.from({ length: 99 }, (_, i) => `them ${i + 2}`), 'them 200'])
})

test('ChatLimits.reorderWalk: beyond it the search ends, and what is there keeps its order', (t) => {
  const { records, add } = history()
  add(false, 1, 0)
  for (let i = 1; i <= ChatLimits.reorderWalk + 40; i++) add(true, i, 1_000 + i)
  const before = texts(records)
  add(false, 2, 10, true)
  const shown = texts(records)
  t.deepEqual(
    shown.filter((text) => text !== 'them 2'),
    before,
  )
  t.true(shown.indexOf('them 2') > 1)
})
