import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openStore, type Store, type StoreOptions } from './store/store.ts'
import { USED_CONTACT_TABLES, UsedContacts } from './used-contacts.ts'

const NOW = 1_700_000_000_000
const tokenOf = (n: number): Uint8Array => new Uint8Array(16).fill(n)

async function storeFor(t: ExecutionContext, options: Partial<StoreOptions> = {}): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-used-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return await openStore({ folder, key: new Uint8Array(32), tables: USED_CONTACT_TABLES, create: true, ...options })
}

const known = (store: Store): number[] => new UsedContacts(store).list().map(({ token }) => token[0]!)

test('what was used is known after a start, in order, until it is forgotten; and up to when that was', async (t) => {
  const store = await storeFor(t)
  const used = new UsedContacts(store)
  for (const n of [3, 1, 4, 0, 2]) await used.keep({ token: tokenOf(n), at: NOW + n * 1_000 })
  t.deepEqual(known(store), [0, 1, 2, 3, 4])
  await used.forget({ tokens: [], until: NOW })
  t.deepEqual([known(store), used.until()], [[0, 1, 2, 3, 4], undefined])
  await used.forget({ tokens: [tokenOf(0), tokenOf(2)], until: NOW + 2_000 })
  t.deepEqual([known(store), new UsedContacts(store).until()], [[1, 3, 4], NOW + 2_000])
  await used.forget({ tokens: [tokenOf(1)], until: Number.NEGATIVE_INFINITY })
  t.deepEqual([known(store), used.until()], [[3, 4], NOW + 2_000], 'one of too many')
  await store.close()
})

test('what a full disk had no room for is on disk as soon as there is some', async (t) => {
  let free = 1_000_000_000
  const store = await storeFor(t, { freeBytes: () => free })
  const used = new UsedContacts(store)
  const nothing = { tokens: [], until: NOW }
  free = 1_000
  await t.throwsAsync(used.keep({ token: tokenOf(1), at: NOW }), { code: 'E_DISK_FULL' })
  await t.notThrowsAsync(used.forget(nothing))
  t.deepEqual(known(store), [])
  free = 1_000_000_000
  await Promise.all([used.forget(nothing), used.forget(nothing)])
  t.deepEqual(known(store), [1])
  free = 1_000
  await t.throwsAsync(used.keep({ token: tokenOf(2), at: NOW }), { code: 'E_DISK_FULL' })
  await t.throwsAsync(used.keep({ token: tokenOf(3), at: NOW }), { code: 'E_DISK_FULL' })
  free = 1_000_000_000
  await used.forget({ tokens: [tokenOf(1), tokenOf(3)], until: NOW })
  await used.forget(nothing)
  t.deepEqual(known(store), [2], 'the third was forgotten before there was room')
  await store.close()
})
