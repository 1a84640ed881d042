/** The prepared program does what its sources do, and runs only where all that it was made of is as it was. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  chown,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { preparedFolder } from '#firewall/fixtures/prepared.ts'
import { builtinSources } from '../camouflage-templates/builtin.ts'
import { clear, replace, seen } from '../scripts/prepare/place.ts'
import { temporaryFolder } from './helpers/command.ts'

const root = join(import.meta.dirname, '..')
const run = promisify(execFile)

test('what the prepared program prints is what the sources print', async (t) => {
  // Nodes, one after the other, and all modules: a busy machine takes its time.
  t.timeout(600_000)
  const state = await temporaryFolder(t)
  await run(process.execPath, [join(root, 'scripts', 'bench', 'long-history.ts'), state, '2', '3'])
  const client = ['firewall/confine.ts', 'client/main.ts'] as const
  const folder = await preparedFolder(
    t,
    { firewall: ['firewall/main.ts'], client },
    { firewall: ['firewall', 'firewall/main.ts'], confine: ['client', client[0]], client: ['client', client[1]] },
  )
  const templates = builtinSources().map(({ load, ...said }) => ({ ...said, data: load().data }))
  t.deepEqual(JSON.parse(await readFile(join(folder, 'templates.json'), 'utf8')), templates)
  for (const args of [
    ['history', 'Friend 1'],
    ['firewall', 'list'],
  ]) {
    const outputs: string[] = []
    for (const main of [join(folder, 'firewall.cjs'), join(root, 'firewall', 'main.ts')]) {
      const { stdout } = await run(process.execPath, [main, ...args, '--json', '--state', state])
      outputs.push(stdout)
    }
    t.true(outputs[0]!.length > 0, args.join(' '))
    t.is(outputs[0], outputs[1], args.join(' '))
  }
})

test('a dependency that changes the language gets nothing of what others import', async (t) => {
  t.timeout(600_000)
  const file = 'firewall/fixtures/robbed.ts'
  const folder = await preparedFolder(t, { robbed: [file] }, { robbed: ['robbed', file] })
  for (const main of [join(root, file), join(folder, 'robbed.cjs')]) {
    const { stdout } = await run(process.execPath, [main])
    t.is(stdout, JSON.stringify(['kept', 'a/b', 'kept', 'a/b']), main)
  }
})

/** A program's folder with nothing in it, prepared or to be, and a Node that prepares it or cannot, and notes its calls. */
async function place(t: ExecutionContext, isPrepared: boolean, code = 0): Promise<string> {
  const folder = await temporaryFolder(t)
  const parts = ['client', 'firewall', 'protocol', 'camouflage-templates', 'scripts', 'node_modules', 'prepared']
  for (const part of parts) await mkdir(join(folder, part), { recursive: true })
  await cp(join(root, 'scripts', 'prepare'), join(folder, 'scripts', 'prepare'), { recursive: true })
  const files = ['scripts/prepare.ts', 'scripts/node-flags.ts', 'package.json', 'node_modules/.package-lock.json']
  for (const file of [...files, 'client/main.ts']) await writeFile(join(folder, file), '')
  const node = join(folder, 'node')
  const prepares = `cd "$root" && . scripts/prepare/sources.sh && sources > prepared/stamp`
  await writeFile(
    node,
    `#!/bin/sh\necho "$@" $ESBUILD_BINARY_PATH >> "$root/calls"\n[ ${code} = 0 ] || exit ${code}\n${prepares}\n`,
  )
  await chmod(node, 0o755)
  if (isPrepared) await run('sh', ['-c', prepares], { env: { ...process.env, root: folder } })
  return folder
}

/** What would start, from the program's folder, and what was said. */
async function starts(folder: string): Promise<{ main: string; said: string }> {
  const script = `. ${join(root, 'scripts', 'prepared.sh')}; echo "$main"; cat "$root/calls" 2>/dev/null; true`
  const env = { PATH: `${folder}:${process.env.PATH}`, root: folder, ESBUILD_BINARY_PATH: '/elsewhere/esbuild' }
  const { stdout, stderr } = await run('sh', ['-c', script], { env })
  const [main, ...calls] = stdout.trim().replaceAll(`${folder}/`, '').split('\n')
  return { main: main!, said: [...calls, stderr.trim()].join('\n').trim() }
}

test('where nothing has changed since it was made, it starts at once', async (t) => {
  t.deepEqual(await starts(await place(t, true)), { main: 'prepared/firewall.cjs', said: '' })
})

const changes: Record<string, (folder: string) => Promise<unknown>> = {
  'a source is written again, and claims to be old': async (folder) => {
    await writeFile(join(folder, 'client', 'main.ts'), '')
    await utimes(join(folder, 'client', 'main.ts'), 1_000_000, 1_000_000)
  },
  'a source is replaced by one of the same length': async (folder) => {
    await writeFile(join(folder, 'new'), '')
    await rename(join(folder, 'new'), join(folder, 'client', 'main.ts'))
  },
  'a source more': (folder) => writeFile(join(folder, 'client', 'other.ts'), ''),
  'a source less': (folder) => rm(join(folder, 'client', 'main.ts')),
  // As if the clock had been set back by an hour before the upgrade: whatever is there is older than what was prepared.
  'a source is written while the clock is behind': async (folder) => {
    await writeFile(join(folder, 'client', 'main.ts'), 'new')
    const later = Date.now() / 1_000 + 3_600
    await utimes(join(folder, 'prepared', 'stamp'), later, later)
  },
}

for (const [what, change] of Object.entries(changes)) {
  test(`where something has changed since, it is made anew: ${what}`, async (t) => {
    const folder = await place(t, true)
    await change(folder)
    const { main, said } = await starts(folder)
    t.is(main, 'prepared/firewall.cjs')
    t.regex(said, /^scripts\/prepare\.ts\n/)
    t.is((await starts(folder)).said.match(/prepare/g)?.length, 1, 'once')
  })
}

test('where it cannot be made the sources start', async (t) => {
  const { main, said } = await starts(await place(t, false, 1))
  t.is(main, 'firewall/main.ts')
  t.regex(said, /only slower/)
})

test('nothing is made of the dependencies of another checkout', async (t) => {
  const folder = await place(t, false)
  await rm(join(folder, 'node_modules'), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  t.deepEqual(await starts(folder), { main: 'firewall/main.ts', said: '' })
})

test('nothing is made in the folder of somebody else, by whoever may do everything either', async (t) => {
  const folder = await place(t, false)
  if (process.getuid!() === 0) await chown(folder, 12_345, 12_345)
  else await chmod(folder, 0o555)
  t.deepEqual(await starts(folder), { main: 'firewall/main.ts', said: '' })
  await chmod(folder, 0o755)
})

test('of two that prepare at once, the second does not take away what the first has started from', async (t) => {
  const folder = await temporaryFolder(t)
  const [there, first, second, third] = ['prepared', 'first', 'second', 'third'].map((name) => join(folder, name))
  const make = async (path: string): Promise<number> => {
    await mkdir(path)
    await writeFile(join(path, 'stamp'), '')
    return (await stat(join(path, 'stamp'))).ino
  }
  const before = await seen(there!)
  const kept = await make(first!)
  await make(second!)
  await replace(there!, first!, before)
  await replace(there!, second!, before)
  t.is((await stat(join(there!, 'stamp'))).ino, kept)
  const later = await make(third!)
  await replace(there!, third!, await seen(there!))
  t.is((await stat(join(there!, 'stamp'))).ino, later, 'for a change since')
})

test('what a process that was killed has left goes, and what one makes now stays', async (t) => {
  const folder = await temporaryFolder(t)
  const ended = execFile(process.execPath, ['--version'])
  await once(ended, 'exit')
  const mine = `prepared-${process.pid}`
  for (const name of [`prepared-${ended.pid}`, mine, 'prepared-test-1', 'prepared']) await mkdir(join(folder, name))
  await clear(join(folder, 'prepared'))
  t.deepEqual((await readdir(folder)).sort(), ['prepared', mine, 'prepared-test-1'].sort())
})

test('what cannot be looked at counts as changed', async (t) => {
  const folder = await place(t, true, 1)
  await rm(join(folder, 'protocol'), { recursive: true })
  t.is((await starts(folder)).main, 'firewall/main.ts')
})
