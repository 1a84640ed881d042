import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { SealedStore, tableSchema } from '#client/store/sealed-store.ts'
import { prng } from '#test/helpers/prng.ts'
import type { Healing } from './healing.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { Session } from './model.ts'
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
