import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { BUCKET_MS, Limits } from '#protocol/constants.ts'
import { openStore } from './store/store.ts'
import { USED_CONTACT_TABLES, UsedContacts } from './used-contacts.ts'

const NOW = 1_700_000_000_000
const tokenOf = (n: number): Uint8Array => new Uint8Array(16).fill(n)

test('what was used is known after a start, in order, until its token is expected no more', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-used-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const store = await openStore({ folder, key: new Uint8Array(32), tables: USED_CONTACT_TABLES, create: true })
  const used = new UsedContacts(store)
  for (let n = 0; n < 5; n++) await used.keep({ token: tokenOf(n), at: NOW + n * 1_000 })
  const known = (): number[] => new UsedContacts(store).list().map(({ token }) => token[0]!)
  t.deepEqual(known(), [0, 1, 2, 3, 4])
  const life = Limits.firstContactBuckets * BUCKET_MS
  await used.sweep(NOW + life)
  t.deepEqual(known(), [0, 1, 2, 3, 4])
  await used.sweep(NOW + life + 2_001)
  t.deepEqual(known(), [3, 4])
  t.is(used.list().length, 2)
  await store.close()
})

test('what a full disk had no room for is on disk as soon as there is some', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-used-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  let free = 1_000_000_000
  const options = { folder, key: new Uint8Array(32), tables: USED_CONTACT_TABLES, create: true, freeBytes: () => free }
  const store = await openStore(options)
  const used = new UsedContacts(store)
  const known = (): number[] => new UsedContacts(store).list().map(({ token }) => token[0]!)
  free = 1_000
  await t.throwsAsync(used.keep({ token: tokenOf(1), at: NOW }), { code: 'E_DISK_FULL' })
  await t.notThrowsAsync(used.sweep(NOW))
  t.deepEqual([known(), used.list().length], [[], 1])
  free = 1_000_000_000
  await used.sweep(NOW)
  t.deepEqual(known(), [1])
  free = 1_000
  await t.throwsAsync(used.keep({ token: tokenOf(2), at: NOW }), { code: 'E_DISK_FULL' })
  free = 1_000_000_000
  await used.sweep(NOW)
  await used.sweep(NOW + Limits.firstContactBuckets * BUCKET_MS + 1)
  t.deepEqual([known(), used.list()], [[], []])
  await store.close()
})

test('Limits.firstContacts: the oldest are forgotten on disk, too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-used-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const store = await openStore({ folder, key: new Uint8Array(32), tables: USED_CONTACT_TABLES, create: true })
  const used = new UsedContacts(store)
  await used.keep({ token: tokenOf(1), at: NOW })
  await used.keep({ token: tokenOf(2), at: NOW })
  const many = Array.from({ length: Limits.firstContacts - 1 }, () => ({ token: tokenOf(3), at: NOW }))
  ;(used as unknown as { used: unknown[] }).used.push(...many)
  await used.sweep(NOW)
  t.is(used.list().length, Limits.firstContacts)
  t.deepEqual(
    new UsedContacts(store).list().map(({ token }) => token[0]),
    [2],
  )
  await store.close()
})
