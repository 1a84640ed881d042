import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { ErrorCode, SottoError } from '#protocol/errors.ts'
import { everyOctet, temporaryFolder } from './fixtures/temporary.ts'
import { openStore } from './open-store.ts'
import type { Store } from './store.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const key = utf8('a key')
const value = utf8('a value')

const open = (folder: string): Store => openStore({ folder, tables: ['notes'], random: randomBytes })

function filled(folder: string): void {
  const store = open(folder)
  store.transaction(() => store.put('notes', key, value))
  store.close()
}

const modes = (folder: string): string[] =>
  readdirSync(folder).map((name) => `${name} ${(statSync(join(folder, name)).mode & 0o777).toString(8)}`)

/** Runs fixtures/permitted.ts as the client's core runs: files of its folder, and nothing else. */
function runPermitted(folder: string, ...rest: string[]): { output: string; error: string } {
  const allow = [`--allow-fs-read=${root}*`, `--allow-fs-read=${folder}/*`, `--allow-fs-write=${folder}/*`]
  const program = join(root, 'client/store/fixtures/permitted.ts')
  const command = ['umask 0; exec "$@"', 'sh', process.execPath, '--permission', ...allow, program, folder, ...rest]
  const { stdout, stderr } = spawnSync('sh', ['-c', ...command], { encoding: 'utf8' })
  return { output: stdout.trim(), error: stderr }
}

test('what was put is there after opening again', (t) => {
  const folder = temporaryFolder(t)
  filled(folder)
  const store = open(folder)
  t.deepEqual(store.get('notes', key), value)
  store.close()
})

test('works under the permission model, and its files are private in spite of the umask', (t) => {
  const folder = join(temporaryFolder(t), 'state')
  t.deepEqual(runPermitted(folder), { output: '42', error: '' })
  t.is(statSync(folder).mode & 0o777, 0o700)
  t.deepEqual(modes(folder), ['chat.db 600', 'device.key 600'])
})

test('a killed process loses nothing, and its journal is private too', (t) => {
  const folder = join(temporaryFolder(t), 'state')
  t.is(runPermitted(folder, 'crash').output, '42')
  t.deepEqual(modes(folder), ['chat.db 600', 'chat.db-wal 600', 'device.key 600'])
  const store = open(folder)
  t.deepEqual(store.get('notes', Uint8Array.of(1)), Uint8Array.of(42))
  store.close()
})

test('one at a time: in this process and in another one', (t) => {
  const folder = temporaryFolder(t)
  const store = open(folder)
  t.throws(() => open(folder), { code: 'E_STATE_BUSY' })
  t.regex(runPermitted(folder).error, /E_STATE_BUSY/)
  store.transaction(() => store.put('notes', key, value))
  t.throws(() => open(folder), { code: 'E_STATE_BUSY' })
  store.close()
  open(folder).close()
})

test('open files are closed to others again', (t) => {
  const folder = temporaryFolder(t)
  filled(folder)
  chmodSync(folder, 0o755)
  chmodSync(join(folder, 'chat.db'), 0o644)
  open(folder).close()
  t.is(statSync(folder).mode & 0o777, 0o700)
  t.deepEqual(modes(folder), ['chat.db 600', 'device.key 600'])
})

/** Each damages a filled folder; opening must then fail and change nothing. */
const damages: Record<string, (folder: string) => void> = {
  'no SQLite file': (folder) => writeFileSync(join(folder, 'chat.db'), 'something else entirely'.repeat(100)),
  'the first page is overwritten': (folder) => {
    const bytes = readFileSync(join(folder, 'chat.db'))
    writeFileSync(join(folder, 'chat.db'), bytes.fill(0x55, 0, 4096))
  },
  'another program’s database': (folder) => {
    rmSync(join(folder, 'chat.db'))
    const other = new DatabaseSync(join(folder, 'chat.db'))
    other.exec('CREATE TABLE notes (text TEXT)')
    other.close()
  },
  'a later format': (folder) => {
    const database = new DatabaseSync(join(folder, 'chat.db'))
    database.exec('PRAGMA user_version = 2')
    database.close()
  },
  'the key is gone': (folder) => rmSync(join(folder, 'device.key')),
  'the key is cut off': (folder) => writeFileSync(join(folder, 'device.key'), 'sotto-device-key:AAAA\n'),
  'the key file holds something else': (folder) =>
    writeFileSync(join(folder, 'device.key'), `sotto-other:${'A'.repeat(43)}`),
  'the key of another folder': (folder) => {
    filled(join(folder, 'other'))
    copyFileSync(join(folder, 'other/device.key'), join(folder, 'device.key'))
    rmSync(join(folder, 'other'), { recursive: true })
  },
  'the database is a link': (folder) => {
    rmSync(join(folder, 'chat.db'))
    symlinkSync(join(folder, 'device.key'), join(folder, 'chat.db'))
  },
}

for (const [name, damage] of Object.entries(damages)) {
  test(`refused, with nothing changed: ${name}`, (t) => {
    const folder = temporaryFolder(t)
    filled(folder)
    damage(folder)
    const before = everyOctet(folder)
    const error = t.throws(() => open(folder), { code: 'E_STATE_UNREADABLE' as ErrorCode })
    t.truthy(error)
    t.true(everyOctet(folder).equals(before))
    t.notRegex(String(error), /AAAA/)
  })
}

test('a device key that others could have read is refused', (t) => {
  const folder = temporaryFolder(t)
  filled(folder)
  chmodSync(join(folder, 'device.key'), 0o640)
  // privateFileExists closes the database alone: of a key that was open, the person must know.
  t.throws(() => open(folder), { code: 'E_STATE_UNREADABLE', message: /0640/ })
})

test('names of tables are checked', (t) => {
  for (const name of ['a b', '', 'store', 'x;drop']) {
    t.throws(() => openStore({ folder: '/nowhere', tables: [name], random: randomBytes }), { instanceOf: RangeError })
  }
})

test('under a password the key of the device is nowhere in the folder, and opens with its lock alone', (t) => {
  const folder = temporaryFolder(t)
  filled(folder)
  const keyFile = join(folder, 'device.key')
  const plain = readFileSync(keyFile, 'utf8').trim().split(':')[1]!
  const [lock, other] = [randomBytes(32), randomBytes(32)]
  const locked = (by: Uint8Array | undefined): Store =>
    openStore({ folder, tables: ['notes'], random: randomBytes, lock: by })
  locked(lock).close()
  t.false(everyOctet(folder).includes(plain))
  t.deepEqual(modes(folder).sort(), ['chat.db 600', 'device.key 600'])
  for (const wrong of [undefined, other]) {
    t.is(t.throws<SottoError>(() => locked(wrong))?.code, 'E_STATE_UNREADABLE')
  }
  const store = locked(lock)
  t.deepEqual(store.get('notes', key), value)
  store.close()
  const text = readFileSync(keyFile, 'utf8')
  writeFileSync(keyFile, text.slice(0, -6))
  t.is(t.throws<SottoError>(() => locked(lock))?.code, 'E_STATE_UNREADABLE')
})

test('the key in the clear is overwritten last: not before its locked file and the store are known to be good', (t) => {
  const folder = temporaryFolder(t)
  filled(folder)
  const kept = join(temporaryFolder(t), 'as it was')
  linkSync(join(folder, 'device.key'), kept)
  const plain = readFileSync(kept, 'utf8')
  const database = join(folder, 'chat.db')
  const whole = readFileSync(database)
  const lock = randomBytes(32)
  const openLocked = (): Store => openStore({ folder, tables: ['notes'], random: randomBytes, lock })
  writeFileSync(database, whole.with(30, 1).fill(0x55, 0, 16))
  t.is(t.throws<SottoError>(openLocked)?.code, 'E_STATE_UNREADABLE')
  t.is(readFileSync(kept, 'utf8'), plain)
  t.is(readFileSync(join(folder, 'device.key'), 'utf8'), plain)
  writeFileSync(database, whole)
  openLocked().close()
  t.deepEqual(new Uint8Array(readFileSync(kept)), new Uint8Array(plain.length))
})

test('where the password comes first, the key never lies there in the clear', (t) => {
  const folder = temporaryFolder(t)
  const lock = randomBytes(32)
  const drawn: Uint8Array[] = []
  const random = (length: number): Uint8Array => {
    const octets = randomBytes(length)
    drawn.push(octets.slice())
    return octets
  }
  const opened = openStore({ folder, tables: ['notes'], random, lock })
  opened.close()
  const deviceKey = drawn[0]!
  t.is(deviceKey.length, 32)
  t.regex(readFileSync(join(folder, 'device.key'), 'utf8'), /^sotto-locked-device-key:/)
  t.is(drawn.filter(({ length }) => length === 6).length, 1, 'one draft, which was locked')
  t.false(everyOctet(folder).includes(Buffer.from(deviceKey).toString('base64url')))
})
