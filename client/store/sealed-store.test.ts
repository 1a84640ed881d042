import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'ava'
import { empty, utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { everyOctet, temporaryFolder } from './fixtures/temporary.ts'
import { openStore } from './open-store.ts'
import { SealedStore, tableSchema } from './sealed-store.ts'
import type { Row, Store } from './store.ts'

const tables = ['notes', 'others']
const group = utf8('a list')

function inMemory(): { store: Store; database: DatabaseSync } {
  const database = new DatabaseSync(':memory:')
  database.exec(tableSchema(tables))
  return { store: new SealedStore(database, tables, new Uint8Array(32), randomBytes), database }
}

function numbered(store: Store, count: number): void {
  store.transaction(() => {
    for (let i = 0; i < count; i++) store.put('notes', Uint8Array.of(i), Uint8Array.of(i), { group, position: i * 10 })
  })
}

const values = (rows: readonly Row[]): number[] => rows.map(({ value }) => value[0]!)

test('put, get, replace, delete', (t) => {
  const { store } = inMemory()
  const key = utf8('key')
  t.is(store.get('notes', key), undefined)
  store.transaction(() => store.put('notes', key, empty))
  t.deepEqual(store.get('notes', key), empty)
  t.is(store.get('others', key), undefined)
  store.transaction(() => store.put('notes', key, utf8('new')))
  t.deepEqual(store.get('notes', key), utf8('new'))
  store.transaction(() => store.delete('notes', key))
  t.is(store.get('notes', key), undefined)
})

test('lists: both orders, bounds, limit, position, shift', (t) => {
  const { store } = inMemory()
  numbered(store, 6)
  t.deepEqual(values(store.list('notes', group, { order: 'ascending', limit: 3 })), [0, 1, 2])
  t.deepEqual(values(store.list('notes', group, { order: 'descending', limit: 2, below: 40 })), [3, 2])
  t.deepEqual(values(store.list('notes', group, { order: 'ascending', limit: 9, above: 30 })), [4, 5])
  t.deepEqual(values(store.list('notes', utf8('another'), { order: 'ascending', limit: 9 })), [])
  t.is(store.position('notes', Uint8Array.of(4)), 40)
  store.transaction(() => store.shift('notes', group, 30, 5))
  t.is(store.position('notes', Uint8Array.of(4)), 45)
  t.is(store.position('notes', Uint8Array.of(3)), 30)
  store.transaction(() => store.put('notes', Uint8Array.of(4), empty))
  t.is(store.position('notes', Uint8Array.of(4)), undefined)
  store.transaction(() => store.deleteGroup('notes', group))
  t.deepEqual(store.list('notes', group, { order: 'ascending', limit: 9 }), [])
  t.deepEqual(store.get('notes', Uint8Array.of(4)), empty)
})

test('a transaction that throws changes nothing, and the next one works', (t) => {
  const { store } = inMemory()
  const failing = (): void =>
    store.transaction(() => {
      store.put('notes', utf8('a'), utf8('a'))
      throw new Error('stop')
    })
  t.throws(failing, { message: 'stop' })
  t.is(store.get('notes', utf8('a')), undefined)
  store.transaction(() => store.put('notes', utf8('b'), utf8('b')))
  t.deepEqual(store.get('notes', utf8('b')), utf8('b'))
})

test('changes belong in one transaction', (t) => {
  const { store } = inMemory()
  t.throws(() => store.put('notes', empty, empty), { instanceOf: RangeError })
  t.throws(() => store.transaction(() => store.transaction(() => undefined)), { instanceOf: RangeError })
  t.throws(() => store.get('unheard', empty), { instanceOf: RangeError })
})

test('a full disk: E_DISK_FULL, what was there is kept, and writing goes on when there is room', (t) => {
  const { store, database } = inMemory()
  store.transaction(() => store.put('notes', utf8('kept'), utf8('kept')))
  const pages = Number(database.prepare('PRAGMA page_count').get()?.page_count)
  database.exec(`PRAGMA max_page_count = ${pages + 2}`)
  const large = (): void =>
    store.transaction(() => {
      store.put('notes', utf8('kept'), utf8('replaced'))
      store.put('notes', utf8('large'), new Uint8Array(100_000))
    })
  const error = t.throws(large, { code: 'E_DISK_FULL' })
  t.regex(String((error as unknown as { kept: string }).kept), /kept/)
  t.deepEqual(store.get('notes', utf8('kept')), utf8('kept'))
  database.exec('PRAGMA max_page_count = 1000')
  large()
  t.deepEqual(store.get('notes', utf8('kept')), utf8('replaced'))
})

test('a damaged row is reported, never returned', (t) => {
  const { store, database } = inMemory()
  numbered(store, 2)
  database.exec("UPDATE notes SET value = x'00' || substr(value, 2) WHERE position = 10")
  t.throws(() => store.get('notes', Uint8Array.of(1)), { code: 'E_STATE_UNREADABLE' })
  t.throws(() => store.list('notes', group, { order: 'ascending', limit: 9 }), { code: 'E_STATE_UNREADABLE' })
  t.deepEqual(store.get('notes', Uint8Array.of(0)), Uint8Array.of(0))
})

test('a value moved to another row or table does not open', (t) => {
  const { store, database } = inMemory()
  store.transaction(() => {
    store.put('notes', utf8('a'), utf8('of a'), { group, position: 1 })
    store.put('notes', utf8('b'), utf8('of b'), { group, position: 2 })
  })
  database.exec('UPDATE notes SET value = (SELECT value FROM notes WHERE position = 1) WHERE position = 2')
  t.throws(() => store.get('notes', utf8('b')), { code: 'E_STATE_UNREADABLE' })
  database.exec('INSERT INTO others SELECT * FROM notes WHERE position = 1')
  t.is(store.get('others', utf8('a')), undefined)
})

test('nothing readable on disk, while open and after closing; replaced values leave the files', (t) => {
  const folder = temporaryFolder(t)
  const store = openStore({ folder, tables, random: randomBytes })
  const planted = ['planted-key', 'planted-value', 'planted-group'].map(utf8)
  store.transaction(() => store.put('notes', planted[0]!, planted[1]!, { group: planted[2]!, position: 1 }))
  for (const word of planted) t.is(everyOctet(folder).indexOf(word), -1)
  store.close()
  const sealed = sealedValues(folder)
  const again = openStore({ folder, tables, random: randomBytes })
  t.true(everyOctet(folder).indexOf(sealed[0]!) >= 0)
  again.transaction(() => again.put('notes', planted[0]!, utf8('x')))
  again.tidy()
  t.is(everyOctet(folder).indexOf(sealed[0]!), -1)
  again.close()
  for (const word of planted) t.is(everyOctet(folder).indexOf(word), -1)
})

function sealedValues(folder: string): Uint8Array[] {
  const database = new DatabaseSync(join(folder, 'chat.db'), { readOnly: true })
  const rows = database.prepare('SELECT value FROM notes').all()
  database.close()
  return rows.map(({ value }) => value as Uint8Array)
}

test('a page of a long list is found through the index', (t) => {
  const { database } = inMemory()
  const plan = database
    .prepare(
      'EXPLAIN QUERY PLAN SELECT value FROM notes WHERE list = ? AND position > ? AND position < ? ORDER BY position DESC LIMIT ?',
    )
    .all(empty, 0, 1, 1)
  t.deepEqual(
    plan.map(({ detail }) => detail),
    ['SEARCH notes USING INDEX notes_order (list=? AND position>? AND position<?)'],
  )
})
