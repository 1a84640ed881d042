import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { chmod, readFile, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { base64url } from '#protocol/bytes.ts'
import { isSottoError } from '#protocol/errors.ts'
import { createSecretFile, readPublicFile, readSecretFile } from './secret-file.ts'

const kind = { name: 'store-key', length: 32 }
const secret = new Uint8Array(32).map((_, index) => index)

function file(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-key-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'store.key')
}

async function refused(t: ExecutionContext, run: () => Promise<unknown>, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(run)
  t.true(isSottoError(error, 'E_STATE_UNREADABLE'), String(error))
  t.regex(error.message, message)
  t.false(error.message.includes(base64url(secret).slice(0, 12)), 'no secret in the text')
}

test('a secret is written whole, for its owner alone, and read back', async (t) => {
  const path = file(t)
  await createSecretFile(path, kind, secret)
  t.deepEqual(await readSecretFile(path, kind), secret)
  t.is(statSync(path).mode & 0o777, 0o600)
  t.is(await readFile(path, 'utf8'), `sotto-store-key:${base64url(secret)}\n`)
  t.deepEqual(readdirSync(join(path, '..')), ['store.key'], 'no draft is left behind')
})

test('an existing file is never replaced', async (t) => {
  const path = file(t)
  await createSecretFile(path, kind, secret)
  await refused(t, () => createSecretFile(path, kind, new Uint8Array(32)), /write/)
  t.deepEqual(await readSecretFile(path, kind), secret)
  t.deepEqual(readdirSync(join(path, '..')), ['store.key'])
})

test('of several that write at once, one wins', async (t) => {
  const path = file(t)
  const secrets = Array.from({ length: 8 }, (_, n) => new Uint8Array(32).fill(n))
  const results = await Promise.allSettled(secrets.map((one) => createSecretFile(path, kind, one)))
  const won = results.findIndex(({ status }) => status === 'fulfilled')
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1)
  t.deepEqual(await readSecretFile(path, kind), secrets[won])
})

for (const mode of [0o640, 0o604, 0o660, 0o644, 0o777]) {
  test(`mode ${mode.toString(8)} is refused, with what to do`, async (t) => {
    const path = file(t)
    await createSecretFile(path, kind, secret)
    await chmod(path, mode)
    await refused(t, () => readSecretFile(path, kind), new RegExp(`mode is 0${mode.toString(8)}.*chmod 600`))
    t.deepEqual(await readPublicFile(path, kind), secret)
  })
}

test('what is missing, cut off, of another kind or spelled otherwise is refused', async (t) => {
  const path = file(t)
  await refused(t, () => readSecretFile(path, kind), /read/)
  await createSecretFile(path, kind, secret)
  await refused(t, () => readSecretFile(path, { name: 'gateway-key', length: 32 }), /does not hold a gateway-key/)
  for (const length of [40, 20, 16, 3, 0]) {
    await truncate(path, length)
    await refused(t, () => readSecretFile(path, kind), length < 16 ? /does not hold/ : /cut off/)
  }
  await writeFile(path, `sotto-store-key:${base64url(secret)}=\n`)
  await refused(t, () => readSecretFile(path, kind), /cut off or damaged/)
})

test('a secret of another length is a mistake of the caller', async (t) => {
  await t.throwsAsync(createSecretFile(file(t), kind, new Uint8Array(31)), { instanceOf: RangeError })
})
