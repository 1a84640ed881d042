import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { chmod, mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { isSottoError } from '#protocol/errors.ts'
import { initState, openState } from './state.ts'
import { certificatePin, createSelfSigned, readTlsFiles } from './tls-files.ts'

const config = `name: The workshop
domain: workshop.example
listen: {unix: gateway.sock}
decoy: {folder: site}
templates: [support-chat]
`

function temporary(t: ExecutionContext): string {
  const root = mkdtempSync(join(tmpdir(), 'sotto-state-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  return join(root, 'state')
}

async function refused(t: ExecutionContext, run: () => Promise<unknown>, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(run)
  t.true(isSottoError(error, 'E_STATE_UNREADABLE'), String(error))
  t.regex(error.message, message)
}

test('a new state has everything, for its owner alone', async (t) => {
  const folder = temporary(t)
  const made = await initState(folder, config)
  t.deepEqual(made, ['gateway.key', 'store.key', 'pack-root.key', 'pack-root.pub', 'gateway.yaml', 'store'])
  t.deepEqual(readdirSync(folder).toSorted(), made.toSorted())
  t.is(statSync(folder).mode & 0o777, 0o700)
  for (const name of made.filter((one) => one.endsWith('.key'))) t.is(statSync(join(folder, name)).mode & 0o777, 0o600)
  const state = await openState(folder)
  t.is(state.config.name, 'The workshop')
  t.is(state.gatewayKey.length, 32)
  t.notDeepEqual(state.gatewayKey, state.gatewaySecret)
  t.deepEqual(state.members.listInvites(0), [])
  await state.close()
})

test('making it again changes nothing, whatever the second configuration says', async (t) => {
  const folder = temporary(t)
  await initState(folder, config)
  const read = (): string[] =>
    ['gateway.key', 'store.key', 'pack-root.key', 'pack-root.pub', 'gateway.yaml'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    )
  const before = read()
  t.deepEqual(await initState(folder, 'other: config'), [])
  t.deepEqual(read(), before)
})

test('a making that broke off anywhere is completed', async (t) => {
  const folder = temporary(t)
  await initState(folder, config)
  const parts: string[][] = [['store'], ['store', 'gateway.yaml'], ['store', 'pack-root.pub'], ['store', 'store.key']]
  for (const lost of parts) {
    for (const name of lost) await rm(join(folder, name), { recursive: true })
    t.deepEqual((await initState(folder, config)).toSorted(), lost.toSorted())
  }
})

test('a key lost beside a store is never replaced', async (t) => {
  for (const name of ['gateway.key', 'store.key', 'pack-root.pub']) {
    const folder = temporary(t)
    await initState(folder, config)
    const aside = join(folder, '..', 'aside')
    await rename(join(folder, name), aside)
    await refused(t, () => initState(folder, config), new RegExp(`${name} is missing`))
    await refused(t, () => openState(folder), new RegExp(name))
    await rename(aside, join(folder, name))
    await t.notThrowsAsync(async () => (await openState(folder)).close())
  }
})

test('the secret half of the pack root may be moved to another machine', async (t) => {
  const folder = temporary(t)
  await initState(folder, config)
  await rm(join(folder, 'pack-root.key'))
  await t.notThrowsAsync(async () => (await openState(folder)).close())
  t.deepEqual(await initState(folder, config), [])
})

test('what is open to others, cut off or not there is refused with what to do', async (t) => {
  const folder = temporary(t)
  await refused(t, () => openState(folder), /sotto gateway init/)
  await initState(folder, config)
  await chmod(folder, 0o755)
  await refused(t, () => openState(folder), /chmod 700/)
  await refused(t, () => initState(folder, config), /chmod 700/)
  await chmod(folder, 0o700)
  await chmod(join(folder, 'store.key'), 0o640)
  await refused(t, () => openState(folder), /chmod 600/)
  await chmod(join(folder, 'store.key'), 0o600)
  await truncate(join(folder, 'gateway.key'), 30)
  await refused(t, () => openState(folder), /gateway.key is cut off/)
})

test('an existing folder is taken over only while it is empty', async (t) => {
  const folder = temporary(t)
  await mkdir(folder, { mode: 0o755 })
  await initState(folder, config)
  t.is(statSync(folder).mode & 0o777, 0o700)
  const used = temporary(t)
  await mkdir(used, { mode: 0o755 })
  await writeFile(join(used, 'something'), 'of somebody')
  await refused(t, () => initState(used, config), /0700/)
  t.deepEqual(readdirSync(used), ['something'])
})

test('a self-signed certificate serves TLS and has a pin; keys that everybody may read are refused', async (t) => {
  const folder = temporary(t)
  await mkdir(folder)
  const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'tls.key') }
  await createSelfSigned('workshop.example', files, new Date('2026-01-01'))
  t.is(statSync(files.key).mode & 0o777, 0o600)
  t.is((await certificatePin(files))?.length, 32)
  t.notThrows(() => createSecureContext({ cert: readFileSync(files.certificate), key: readFileSync(files.key) }))
  t.truthy(createSecureContext({ ...(await readTlsFiles(files)) }))
  await refused(t, () => createSelfSigned('workshop.example', files, new Date()), /write/)
  await chmod(files.key, 0o644)
  await refused(t, () => readTlsFiles(files), /0600/)
  await chmod(files.key, 0o640)
  await t.notThrowsAsync(() => readTlsFiles(files))
  await writeFile(files.certificate, 'no certificate')
  await refused(t, () => readTlsFiles(files), /not a certificate/)
  await refused(t, () => readTlsFiles({ ...files, key: join(folder, 'none') }), /read/)
})
