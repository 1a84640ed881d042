import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import fc from 'fast-check'
import { SealedStore, tableSchema } from '#client/store/sealed-store.ts'
import { prng } from '#test/helpers/prng.ts'
import { newContact } from './contacts.ts'
import type { Healing } from './healing.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { Contact, Session } from './model.ts'
import type { KeptKey } from './ratchet.ts'
import { CHAT_TABLES, Records } from './records.ts'

const { bytes } = prng(1)

function open(): { store: SealedStore; records: Records } {
  const database = new DatabaseSync(':memory:')
  database.exec(tableSchema(CHAT_TABLES))
  const store = new SealedStore(database, CHAT_TABLES, new Uint8Array(32), bytes)
  return { store, records: new Records(store) }
}

function session(kept: readonly KeptKey[]): Session {
  const context = bytes(32)
  const receiving = [
    { remote: bytes(32), chain: undefined, next: 4, kept },
    { remote: bytes(32), chain: bytes(32), next: 7, kept: [] },
  ]
  const own = keyPair(bytes(32))
  const sending = { chain: bytes(32), next: 3, mixed: true, told: false }
  const healing: Healing = {
    role: 'offers',
    number: 7,
    seed: bytes(64),
    shared: bytes(32),
    count: 49,
    mixedAt: 1_700_000_000_000,
  }
  const contexts = { sendContext: context, receiveContext: context }
  const ratchet = { root: bytes(32), own, sending, previous: 2, receiving, healing, ...contexts }
  return { id: bytes(8), contact: bytes(32), stamp: 99, start: bytes(173), ratchet }
}

test('a session comes back as it was stored, with as many kept keys as there may be', (t) => {
  const { store, records } = open()
  const kept = Array.from({ length: ChatLimits.keptKeys }, (_, number) => ({
    number,
    since: 1_700_000_000_000,
    key: bytes(32),
  }))
  for (const each of [session([]), session(kept)]) {
    store.transaction(() => records.putSession(each))
    t.deepEqual(records.session(each.id), each)
  }
})

test('when the last kept key is used, it is gone from the disk', (t) => {
  const { store, records } = open()
  const before = session([{ number: 1, since: 5, key: bytes(32) }])
  store.transaction(() => records.putSession(before))
  t.is(records.sessionsWithKept().length, 1)
  const receiving = before.ratchet.receiving.map((chain) => ({ ...chain, kept: [] }))
  const after = { ...before, ratchet: { ...before.ratchet, receiving } }
  store.transaction(() => records.putSession(after, before))
  t.deepEqual(records.session(before.id), after)
  t.is(records.sessionsWithKept().length, 0)
  store.transaction(() => records.deleteSession(before.id))
  t.is(records.session(before.id), undefined)
})

const step = fc.record({
  who: fc.integer({ min: 0, max: 4 }),
  what: fc.constantFrom('put', 'put', 'delete', 'get', 'all'),
})
const change = fc.record({ steps: fc.array(step, { maxLength: 6 }), fails: fc.boolean(), looks: fc.boolean() })

const put = (...whom: number[]): { who: number; what: 'put' }[] => whom.map((who) => ({ who, what: 'put' }))
/** One who is written for good only after another has come. */
const returned = [
  { steps: put(2), fails: false, looks: true },
  { steps: put(0), fails: true, looks: false },
  { steps: put(1, 0), fails: false, looks: true },
]

test('contacts that are kept are those that are stored, whatever was taken back', (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const { store, records } = open()
      // One that was never asked keeps nothing.
      const stored = (): Contact[] => new Records(store).contacts()
      let unread = 0
      const look = (who: number): void =>
        void t.deepEqual(records.contact(person(who).uid), new Records(store).contact(person(who).uid))
      for (const { steps, fails, looks } of changes) {
        const work = (): void => {
          for (const { who, what } of steps) {
            if (what === 'put') records.putContact({ ...person(who), unread: ++unread })
            else if (what === 'delete') records.deleteContact(person(who))
            else if (what === 'get') look(who)
            else t.deepEqual(records.contacts(), stored())
          }
          if (fails) throw new Error('taken back')
        }
        if (fails) t.throws(() => store.transaction(work), { message: 'taken back' })
        else store.transaction(work)
        if (looks) t.deepEqual(records.contacts(), stored())
        for (let who = 0; who < 5; who++) look(who)
      }
      t.deepEqual(records.contacts(), stored())
    }),
    { numRuns: process.env.SOTTO_LONG ? 3_000 : 150, examples: [[returned]] },
  )
})

function person(who: number): Contact {
  const key = new Uint8Array(32).fill(who + 1)
  return newContact({ uid: key, root: key, dh: key, chain: key }, 'accepted', 1)
}
