import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { concat, hex, utf8 } from '#protocol/bytes.ts'
import { chacha20poly1305 } from '#protocol/crypto/aead.ts'
import { portableArgon2id } from '#protocol/crypto/argon2id.ts'
import { hkdfSha256, hmacSha256 } from '#protocol/crypto/hash.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { SottoError } from '#protocol/errors.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { FolderPassword } from './folder-password.ts'
import { openBroker } from './library.ts'
import { PasswordLimits } from './limits.ts'
import { passwordPath } from './options.ts'
import {
  keyUnder,
  needsPassword,
  openPasswordFile,
  readPasswordFile,
  requireGood,
  sealPasswordFile,
} from './password.ts'
import { readNewPassword, unlock } from './unlock.ts'
import { Vault } from './vault.ts'

const GOOD = 'quiet river stones'
const secret = randomBytes(32)
const code = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'fine',
    (error: SottoError) => error.code,
  )

/** A folder whose password is set, as a run of the program leaves it. */
async function withPassword(t: ExecutionContext): Promise<{ folder: string; secret: Uint8Array }> {
  const folder = await temporaryFolder(t)
  const vault = await Vault.open(folder, randomBytes)
  const atWork = new FolderPassword({ folder, vault, random: randomBytes, secret: undefined, isSet: false })
  await atWork.take(Promise.resolve(GOOD))
  await vault.close()
  return { folder, secret: openPasswordFile((await readPasswordFile(folder))!, GOOD)! }
}

test('the file opens with its password alone, typed on any keyboard', (t) => {
  const file = sealPasswordFile(secret, 'Ångström übt Flöte', randomBytes)
  t.true(needsPassword(file))
  t.deepEqual(openPasswordFile(file, 'Ångström übt Flöte'.normalize('NFD')), secret)
  t.is(openPasswordFile(file, 'Ångström übt Flöten'), undefined)
  t.is(openPasswordFile(file, ''), undefined)
})

test('an octet changed anywhere behind its head, and nothing opens', (t) => {
  const file = sealPasswordFile(secret, GOOD, randomBytes)
  for (const at of [2, 17, 18, 40, file.length - 1]) {
    const changed = file.slice()
    changed[at]! ^= 1
    t.is(openPasswordFile(changed, GOOD), undefined, String(at))
  }
})

test('it is made as the text says', (t) => {
  const file = sealPasswordFile(secret, GOOD, randomBytes)
  const salt = file.subarray(2, 18)
  const cost = { memoryKiB: 65_536, passes: 3, parallelism: 1, length: 32 }
  const drawn = hkdfSha256(portableArgon2id(utf8(GOOD), salt, cost), salt, utf8('sotto/1/password'), 44)
  const head = concat(Uint8Array.of(1, 1), salt)
  const box = chacha20poly1305.seal(drawn.subarray(0, 32), drawn.subarray(32), secret, head)
  t.deepEqual(file, concat(head, box))
})

test('the halves have keys of their own', (t) => {
  t.notDeepEqual(keyUnder(secret, 'broker'), keyUnder(secret, 'core'))
})

test('short and endless passwords are refused', (t) => {
  const of = (length: number) => () => requireGood('é'.repeat(length))
  t.is(t.throws<SottoError>(of(PasswordLimits.least - 1))?.code, 'E_PASSWORD_WEAK')
  t.is(t.throws<SottoError>(of(PasswordLimits.most + 1))?.code, 'E_PASSWORD_WEAK')
  t.notThrows(of(PasswordLimits.least))
  t.notThrows(of(PasswordLimits.most))
})

test('once it is set, the key is nowhere in the folder, and the vault opens with the password only', async (t) => {
  const folder = await temporaryFolder(t)
  const vault = await Vault.open(folder, randomBytes)
  const key = readFileSync(join(folder, 'vault.key'))
  const atWork = new FolderPassword({ folder, vault, random: randomBytes, secret: undefined, isSet: false })
  t.deepEqual(await atWork.info(), { isSet: false })
  await atWork.take(Promise.resolve(GOOD))
  const { isSet, lock } = await atWork.info()
  t.true(isSet)
  await vault.close()
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    t.is(readFileSync(path).indexOf(key), -1, name)
    t.is(statSync(path).mode & 0o777, 0o600, name)
  }
  const file = (await readPasswordFile(folder))!
  const opened = openPasswordFile(file, GOOD)!
  t.deepEqual(lock, keyUnder(opened, 'core'))
  t.is(await code(Vault.open(folder, randomBytes)), 'E_STATE_UNREADABLE')
  t.is(await code(Vault.open(folder, randomBytes, lock)), 'E_STATE_UNREADABLE')
  t.is(await code(Vault.look(folder)), 'fine', 'there is no vault to look at yet')
  const again = await Vault.open(folder, randomBytes, keyUnder(opened, 'broker'))
  t.deepEqual(again.derive('x'), hmacSha256(key, utf8('x')))
})

test('another password, and none: one file changes, and the old password is worth nothing', async (t) => {
  const { folder, secret: first } = await withPassword(t)
  const keyFile = hex(readFileSync(join(folder, 'vault.key')))
  const vault = await Vault.open(folder, randomBytes, keyUnder(first, 'broker'))
  const atWork = new FolderPassword({ folder, vault, random: randomBytes, secret: first, isSet: true })
  await atWork.take(Promise.resolve('another good one'))
  const changed = (await readPasswordFile(folder))!
  t.is(openPasswordFile(changed, GOOD), undefined)
  t.deepEqual(openPasswordFile(changed, 'another good one'), first)
  await atWork.take(Promise.resolve(undefined))
  t.false((await atWork.info()).isSet)
  const open = (await readPasswordFile(folder))!
  t.false(needsPassword(open))
  t.deepEqual(openPasswordFile(open, ''), first)
  t.not(hex(readFileSync(join(folder, 'vault.key'))), keyFile)
  await vault.close()
  t.is(await code(Vault.open(folder, randomBytes, keyUnder(first, 'broker'))), 'fine')
})

test('a change that is refused leaves all as it was, and is told whoever asks', async (t) => {
  const { folder, secret: first } = await withPassword(t)
  const before = hex((await readPasswordFile(folder))!)
  const vault = await Vault.open(folder, randomBytes, keyUnder(first, 'broker'))
  const atWork = new FolderPassword({ folder, vault, random: randomBytes, secret: first, isSet: true })
  const refused = Promise.reject(Object.assign(new Error('no'), { code: 'E_PASSWORD_DIFFERS' }))
  t.is(await code(atWork.take(refused)), 'E_PASSWORD_DIFFERS')
  t.is(await code(atWork.info()), 'E_PASSWORD_DIFFERS')
  t.is(hex((await readPasswordFile(folder))!), before)
})

test('an end in the middle of setting it: the next opening locks the key', async (t) => {
  const { folder, secret: first } = await withPassword(t)
  const plain = await temporaryFolder(t)
  await (await Vault.open(plain, randomBytes)).close()
  // The password is there, and the key is not locked yet.
  writeFileSync(passwordPath(plain), readFileSync(passwordPath(folder)), { mode: 0o600 })
  const key = readFileSync(join(plain, 'vault.key'))
  await (await Vault.open(plain, randomBytes, keyUnder(first, 'broker'))).close()
  t.is(readFileSync(join(plain, 'vault.key')).indexOf(key), -1)
  t.is(await code(Vault.open(plain, randomBytes)), 'E_STATE_UNREADABLE')
})

test('a file of another length or version is told, and left', async (t) => {
  const { folder } = await withPassword(t)
  const whole = readFileSync(passwordPath(folder))
  for (const wrong of [
    whole.subarray(0, -1),
    whole.with(0, 2),
    whole.with(1, 2),
    whole.with(1, 0),
    new Uint8Array(0),
  ]) {
    writeFileSync(passwordPath(folder), wrong)
    t.is(await code(readPasswordFile(folder)), 'E_STATE_UNREADABLE')
  }
})

test('half a removal, or one that the disk did not take, leaves nothing that opens the folder', async (t) => {
  const { folder, secret: first } = await withPassword(t)
  const left = `${passwordPath(folder)}.next`
  writeFileSync(left, sealPasswordFile(first, undefined, randomBytes), { mode: 0o600 })
  const kept = join(await temporaryFolder(t), 'left')
  linkSync(left, kept)
  const unlocked = { secret: first, isSet: true }
  const options = { folder, dialers: [], random: randomBytes, now: Date.now, unlocked }
  await (await openBroker(options)).close()
  t.false(existsSync(left))
  t.deepEqual(new Uint8Array(readFileSync(kept)), new Uint8Array(34))

  const vault = await Vault.open(folder, randomBytes, keyUnder(first, 'broker'))
  const atWork = new FolderPassword({ folder, vault, random: randomBytes, secret: first, isSet: true })
  rmSync(passwordPath(folder))
  mkdirSync(passwordPath(folder)) // no file takes its place
  t.is(await code(atWork.take(Promise.resolve(undefined))), 'E_STATE_UNREADABLE')
  t.false(existsSync(left))
})

test('where the key cannot be locked at once, the person is told that the password holds', async (t) => {
  const folder = await temporaryFolder(t)
  const vault = await Vault.open(folder, randomBytes)
  const atWork = new FolderPassword({ folder, vault, random: randomBytes, secret: undefined, isSet: false })
  mkdirSync(join(folder, 'vault.key.next'))
  const error = await t.throwsAsync<SottoError>(atWork.take(Promise.resolve(GOOD)))
  t.is(error.code, 'E_STATE_UNREADABLE')
  t.regex(error.kept!, /is taken/)
  rmdirSync(join(folder, 'vault.key.next'))
  const opened = openPasswordFile((await readPasswordFile(folder))!, GOOD)!
  await (await Vault.open(folder, randomBytes, keyUnder(opened, 'broker'))).close()
  t.is(await code(Vault.open(folder, randomBytes)), 'E_STATE_UNREADABLE')
})

/** What `sotto password set` makes of what comes through a pipe. */
const fromPipe = (chunks: readonly Uint8Array[], args: readonly string[] = ['password', 'set']) => {
  const stdin = Readable.from(chunks, { objectMode: false }) as unknown as NodeJS.ReadStream
  return readNewPassword(args, { stdin, stderr: process.stderr })
}

test('a pipe and a file say the same password, to the octet: blanks count, a letter may come in two pieces', async (t) => {
  const line = '  süße Flöten am Fluß '
  const octets = utf8(`${line}\nand more`)
  t.is(await fromPipe([...octets].map((octet) => Uint8Array.of(octet))), line)
  const { folder } = await withPassword(t)
  writeFileSync(passwordPath(folder), sealPasswordFile(secret, line, randomBytes))
  const file = join(await temporaryFolder(t), 'password')
  writeFileSync(file, octets)
  const opened = await unlock(folder, ['contacts', '--password-file', file], process)
  t.deepEqual(opened?.secret, secret)
})

test('no UTF-8, too much, or a password on the command line: refused', async (t) => {
  const latin = Uint8Array.from('ñandú y ñandú', (letter) => letter.charCodeAt(0))
  t.is(await code(fromPipe([latin])), 'E_USAGE')
  t.is(await code(fromPipe([new Uint8Array(100_001).fill(0x61)])), 'E_USAGE')
  t.is(await code(fromPipe([utf8(GOOD)], ['password', 'set', GOOD])), 'E_SECRET_IN_ARGV')
  t.is(await code(fromPipe([utf8(GOOD)], ['password', 'remove', GOOD])), 'E_SECRET_IN_ARGV')
  const { folder } = await withPassword(t)
  const file = join(await temporaryFolder(t), 'password')
  for (const content of [latin, new Uint8Array(100_001).fill(0x61)]) {
    writeFileSync(file, content)
    t.is(await code(unlock(folder, ['contacts', '--password-file', file], process)), 'E_USAGE')
  }
  t.is(await code(unlock(folder, ['contacts', '--password-file', '/dev/zero'], process)), 'E_USAGE')
})
