import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { temporaryFolder } from './fixtures/temporary.ts'
import { lockFolder } from './lock.ts'

test('one holder at a time, and again after it let go', async (t) => {
  const folder = await temporaryFolder(t)
  const release = lockFolder(folder)
  t.throws(() => lockFolder(folder), { code: 'E_STATE_BUSY' })
  t.is((await stat(join(folder, 'lock'))).mode & 0o777, 0o600)
  release()
  lockFolder(folder)()
})

test('a second try in the same process does not loosen the lock', async (t) => {
  const folder = await temporaryFolder(t)
  const release = lockFolder(folder)
  t.throws(() => lockFolder(folder), { code: 'E_STATE_BUSY' })
  const script = `import { lockFolder } from ${JSON.stringify(import.meta.resolve('./lock.ts'))}
    try { lockFolder(${JSON.stringify(folder)}); console.log('held') } catch (error) { console.log(error.code) }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.is((await text(child.stdout)).trim(), 'E_STATE_BUSY')
  release()
})

test('a lock lasts as long as its process, held on to or not, and no longer', async (t) => {
  const folder = await temporaryFolder(t)
  const script = `import { lockFolder } from ${JSON.stringify(import.meta.resolve('./lock.ts'))}
    lockFolder(${JSON.stringify(folder)}); gc(); await new Promise(setImmediate); gc()
    console.log('held'); setInterval(() => {}, 1000)`
  const argv = ['--expose-gc', '--input-type=module', '-e', script]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  t.throws(() => lockFolder(folder), { code: 'E_STATE_BUSY' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockFolder(folder)()
})

test('something else in its place is left alone', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'lock'), 'x'.repeat(5000))
  t.throws(() => lockFolder(folder), { code: 'E_STATE_UNREADABLE' })
  t.is((await stat(join(folder, 'lock'))).size, 5000)
})
