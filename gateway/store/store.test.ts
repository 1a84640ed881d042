import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { appendFile, chmod, readFile, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { fromUtf8, utf8 } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { holdStore } from './holder.ts'
import { openStore, type Store, type StoreOptions } from './store.ts'

const key = new Uint8Array(32).fill(7)

function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-store-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function opened(t: ExecutionContext, options: Partial<StoreOptions> = {}): Promise<Store> {
  const folder = options.folder ?? join(temporaryFolder(t), 'store')
  const store = await openStore({ folder, key, tables: ['one', 'two', 'holder'], create: true, ...options })
  t.teardown(() => store.close())
  return store
}

const text = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : fromUtf8(bytes))

async function refused(t: ExecutionContext, run: () => Promise<unknown>, code: string, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(run)
  t.true(isSottoError(error), String(error))
  t.is((error as { code?: string }).code, code)
  t.regex(error.message, message)
}

test('what was written is there after closing and opening again', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  const store = await openStore({ folder, key, tables: ['one', 'two'], create: true })
  await store.transaction(() => store.table('one').put(utf8('a'), utf8('first')))
  await store.close()
  const again = await opened(t, { folder, tables: ['one', 'two'], create: false })
  t.is(text(again.table('one').get(utf8('a'))), 'first')
  t.is(again.table('two').get(utf8('a')), undefined, 'tables are apart')
  t.true(again.table('one').has(utf8('a')))
  t.true(await again.transaction(() => again.table('one').remove(utf8('a'))))
  t.false(await again.transaction(() => again.table('one').remove(utf8('a'))))
  t.is(again.table('one').get(utf8('a')), undefined)
})

test('folder and files are for their owner alone', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  await opened(t, { folder })
  t.is(statSync(folder).mode & 0o777, 0o700)
  for (const file of readdirSync(folder)) t.is(statSync(join(folder, file)).mode & 0o777, 0o600, file)
  t.is(readdirSync(folder).length, 2)
})

test('neither ids nor values stand on disk', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  const store = await opened(t, { folder })
  await store.transaction(() => store.table('one').put(utf8('planted-identifier'), utf8('planted-secret-value')))
  for (const file of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, file))
    t.is(bytes.indexOf('planted'), -1, file)
  }
})

test('equal values look different, and a record moved to another key or table does not open', async (t) => {
  const store = await opened(t)
  const one = store.table('one')
  await store.transaction(() => {
    one.put(utf8('a'), utf8('same'))
    one.put(utf8('b'), utf8('same'))
  })
  const { createSealer } = await import('./seal.ts')
  const { randomBytes } = await import('#protocol/crypto/random.ts')
  const sealer = createSealer(key, 'one', randomBytes)
  const [a, b] = [sealer.locate(utf8('a')), sealer.locate(utf8('b'))]
  const sealed = sealer.seal(a, utf8('same'))
  t.notDeepEqual(sealed, sealer.seal(a, utf8('same')))
  t.is(text(sealer.open(a, sealed)), 'same')
  t.is(sealer.open(b, sealed), undefined)
  t.is(createSealer(key, 'two', randomBytes).open(a, sealed), undefined)
  t.is(sealer.open(a, sealed.subarray(0, 10)), undefined)
  for (let at = 0; at < sealed.length; at++) {
    const flipped = Uint8Array.from(sealed)
    flipped[at]! ^= 1
    t.is(sealer.open(a, flipped), undefined)
  }
})

test('a transaction takes effect whole or not at all, and passes on what was thrown', async (t) => {
  const store = await opened(t)
  const one = store.table('one')
  const fault = new Error('on purpose')
  const change = (): void => {
    one.put(utf8('a'), utf8('1'))
    throw fault
  }
  const [failed, kept] = await Promise.allSettled([
    store.transaction(change),
    store.transaction(() => one.put(utf8('b'), utf8('2'))),
  ])
  t.is((failed as PromiseRejectedResult).reason, fault)
  t.is(kept.status, 'fulfilled')
  t.is(one.get(utf8('a')), undefined)
  t.is(text(one.get(utf8('b'))), '2')
})

test('transactions see what earlier ones did', async (t) => {
  const store = await opened(t)
  const one = store.table('one')
  const increment = (): number => {
    const next = Number(text(one.get(utf8('n'))) ?? '0') + 1
    one.put(utf8('n'), utf8(String(next)))
    return next
  }
  const results = await Promise.all(Array.from({ length: 200 }, () => store.transaction(increment)))
  t.deepEqual(
    results,
    results.map((_, index) => index + 1),
  )
})

test('writing outside a transaction is refused loudly', async (t) => {
  const store = await opened(t)
  t.throws(() => store.table('one').put(utf8('a'), utf8('1')), { message: /outside a transaction/ })
  t.throws(() => store.table('one').remove(utf8('a')), { message: /outside a transaction/ })
  t.throws(() => store.table('none'), { instanceOf: RangeError })
})

test('scan visits every record once, in slices', async (t) => {
  const store = await opened(t)
  const one = store.table('one')
  const all = Array.from({ length: 50 }, (_, n) => `value ${n}`)
  await store.transaction(() => {
    for (const value of all) one.put(utf8(value), utf8(value))
  })
  const seen: string[] = []
  let after: Uint8Array | undefined
  for (;;) {
    const slice = one.scan(after, 7)
    seen.push(...slice.map(({ value }) => text(value)!))
    if (slice.length < 7) break
    after = slice.at(-1)!.location
  }
  t.deepEqual(seen.toSorted(), all.toSorted())
})

test('the limit refuses more, lets what frees pass, and then takes more again', async (t) => {
  const store = await opened(t, { limits: { bytes: 400_000 } })
  const one = store.table('one')
  const id = (n: number): Uint8Array => utf8(`message ${n}`)
  let stored = 0
  await refused(
    t,
    async () => {
      for (; stored < 500; stored++) await store.transaction(() => one.put(id(stored), new Uint8Array(5_000)))
    },
    'E_DISK_FULL',
    /no space is left/,
  )
  t.true(stored > 30 && stored < 120, `${stored}`)
  t.is(one.get(id(0))?.length, 5_000, 'what was stored is kept')
  for (let n = 0; n < stored; n++) await store.transaction(() => one.remove(id(n)), { frees: true })
  await store.transaction(() => one.put(id(0), new Uint8Array(5_000)))
  t.is(one.get(id(0))?.length, 5_000)
})

test('a file system that is nearly full is refused before LMDB meets it', async (t) => {
  let free = 10 ** 9
  const store = await opened(t, { freeBytes: () => free, limits: { reserveBytes: 1_000 } })
  const one = store.table('one')
  await store.transaction(() => one.put(utf8('a'), utf8('1')))
  free = 999
  await refused(t, () => store.transaction(() => one.put(utf8('b'), utf8('2'))), 'E_DISK_FULL', /no space/)
  t.true(await store.transaction(() => one.remove(utf8('a')), { frees: true }))
  free = 400
  await refused(t, () => store.transaction(() => one.remove(utf8('b')), { frees: true }), 'E_DISK_FULL', /no space/)
  await refused(t, () => opened(t, { freeBytes: () => 10, limits: { reserveBytes: 1_000 } }), 'E_DISK_FULL', /open/)
})

test('what is under way counts: a crowd of writers does not overrun the reserve', async (t) => {
  const store = await opened(t, { freeBytes: () => 1_000_000, limits: { reserveBytes: 500_000 } })
  const one = store.table('one')
  const put = (n: number): Promise<void> => store.transaction(() => one.put(utf8(`${n}`), new Uint8Array(17_000)))
  const results = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => put(n)))
  const stored = results.filter(({ status }) => status === 'fulfilled').length
  t.true(stored >= 5 && stored <= 8, `${stored}`)
  for (const result of results) {
    if (result.status === 'rejected') t.true(isSottoError(result.reason, 'E_DISK_FULL'))
  }
  await t.notThrowsAsync(put(60), 'and goes on when they are done')
})

test('a store that is not there is not made by accident', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  await refused(t, () => opened(t, { folder, create: false }), 'E_STATE_UNREADABLE', /There is no store/)
  t.throws(() => statSync(folder))
})

test('another key is refused and changes nothing', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  const store = await openStore({ folder, key, tables: ['one'], create: true })
  await store.transaction(() => store.table('one').put(utf8('a'), utf8('1')))
  await store.close()
  const options = { folder, key: new Uint8Array(32), tables: ['one'] }
  for (const create of [false, true]) {
    await refused(t, () => opened(t, { ...options, create }), 'E_STATE_UNREADABLE', /another store.key/)
  }
  t.is(text((await opened(t, { folder, tables: ['one'] })).table('one').get(utf8('a'))), '1')
})

const damages: Record<string, (file: string) => Promise<void>> = {
  'cut off': async (file) => truncate(file, statSync(file).size - 4096),
  'cut off in the header': async (file) => truncate(file, 100),
  'cut off behind the first header': async (file) => truncate(file, 4096),
  empty: async (file) => truncate(file, 0),
  'of another program': async (file) => writeFile(file, Buffer.alloc(50_000, 'not a store ')),
  'of random octets': async (file) =>
    writeFile(
      file,
      (await readFile(file)).map((octet) => octet ^ 0x5a),
    ),
}

for (const [kind, damage] of Object.entries(damages)) {
  test(`a data file that is ${kind} is refused, not mapped and not changed`, async (t) => {
    const folder = join(temporaryFolder(t), 'store')
    const store = await openStore({ folder, key, tables: ['one'], create: true })
    await store.transaction(() => store.table('one').put(utf8('a'), new Uint8Array(40_000)))
    await store.close()
    const file = join(folder, 'data.mdb')
    await damage(file)
    const before = await readFile(file)
    for (const create of [false, true]) {
      await refused(t, () => opened(t, { folder, tables: ['one'], create }), 'E_STATE_UNREADABLE', /store|cut off/)
    }
    t.deepEqual(await readFile(file), before)
  })
}

test('octets behind the end of the data do no harm', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  await (await openStore({ folder, key, tables: ['one'], create: true })).close()
  await appendFile(join(folder, 'data.mdb'), Buffer.alloc(10_000, 1))
  const store = await opened(t, { folder, tables: ['one'], create: false })
  await store.transaction(() => store.table('one').put(utf8('a'), new Uint8Array(100_000)))
  t.is(store.table('one').get(utf8('a'))?.length, 100_000)
})

test('a folder that others may enter is refused', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  await (await openStore({ folder, key, tables: ['one'], create: true })).close()
  await chmod(folder, 0o750)
  await refused(t, () => opened(t, { folder, tables: ['one'] }), 'E_STATE_UNREADABLE', /0700/)
})

test('a making that was interrupted is completed', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  const { open } = await import('lmdb')
  const bare = open({ path: join(folder, 'data.mdb'), maxDbs: 4, overlappingSync: false })
  await bare.close()
  await chmod(folder, 0o700)
  const store = await opened(t, { folder, tables: ['one'] })
  t.is(store.table('one').get(utf8('a')), undefined)
})

const child = (folder: string): string => `
  import { openStore } from '#gateway/store/store.ts'
  const store = await openStore({ folder: ${JSON.stringify(folder)}, key: new Uint8Array(32).fill(7), tables: ['one', 'two', 'holder'] })
  const one = store.table('one')
  const bytes = (text) => new TextEncoder().encode(text)
  process.on('message', async (n) => {
    await store.transaction(() => one.put(bytes('key ' + n), new Uint8Array(20_000).fill(n)))
    process.send(n)
  })
  process.send('ready')
`

async function startChild(t: ExecutionContext, folder: string): Promise<(n: number) => Promise<void>> {
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', child(folder)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    cwd: join(import.meta.dirname, '../..'),
  })
  t.teardown(() => process_.kill('SIGKILL'))
  await once(process_, 'message')
  return async (n) => {
    process_.send(n)
    await once(process_, 'message')
    if (n === 199) process_.kill('SIGKILL')
  }
}

test('two processes write one store; each sees the other at once, also while the file grows', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  const store = await opened(t, { folder })
  const one = store.table('one')
  const write = await startChild(t, folder)
  for (let n = 0; n < 200; n++) {
    await write(n)
    t.is(one.get(utf8(`key ${n}`))?.[0], n)
    await store.transaction(() => one.put(utf8(`mine ${n}`), new Uint8Array(1_000)))
  }
  t.is(one.get(utf8('key 199'))?.length, 20_000, 'a killed process takes nothing with it')
})

test('a store is held by one gateway; one that died does not count', async (t) => {
  const folder = join(temporaryFolder(t), 'store')
  const store = await opened(t, { folder })
  const release = await holdStore(store)
  await refused(t, () => holdStore(store), 'E_STATE_BUSY', /already uses/)
  await release()
  const started = new Map([[process.pid, '100']])
  await holdStore(store, (pid) => started.get(pid))
  started.set(process.pid, '200')
  await t.notThrowsAsync(() => holdStore(store, (pid) => started.get(pid)), 'the same process id, started later')
})
