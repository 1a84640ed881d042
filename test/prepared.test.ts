/** The prepared program does what its sources do, and runs only where nothing that it was made of is younger. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { preparedFolder } from '#firewall/fixtures/prepared.ts'
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

/** A program's folder with nothing in it, a Node that notes its calls, and a stamp of another time. */
async function place(t: ExecutionContext, stampSeconds: number, code = 0): Promise<string> {
  const folder = await temporaryFolder(t)
  const parts = [
    'client',
    'firewall',
    'protocol',
    'camouflage-templates',
    'scripts/prepare',
    'node_modules',
    'prepared',
  ]
  for (const part of parts) await mkdir(join(folder, part), { recursive: true })
  const files = ['scripts/prepare.ts', 'scripts/node-flags.ts', 'package.json', 'node_modules/.package-lock.json']
  for (const file of [...files, 'client/main.ts', 'prepared/stamp']) await writeFile(join(folder, file), '')
  const node = join(folder, 'node')
  await writeFile(
    node,
    `#!/bin/sh\necho "$@" $ESBUILD_BINARY_PATH >> "$root/calls"\n[ ${code} = 0 ] && touch -d "1 hour" "$root/prepared/stamp"\nexit ${code}\n`,
  )
  await chmod(node, 0o755)
  await stamp(folder, stampSeconds)
  return folder
}

function stamp(folder: string, seconds: number): Promise<void> {
  const time = Date.now() / 1_000 + seconds
  return utimes(join(folder, 'prepared', 'stamp'), time, time)
}

/** What would start, from the program's folder, and what was said. */
async function starts(folder: string): Promise<{ main: string; said: string }> {
  const script = `. ${join(root, 'scripts', 'prepared.sh')}; echo "$main"; cat "$root/calls" 2>/dev/null; true`
  const env = { PATH: `${folder}:${process.env.PATH}`, root: folder, ESBUILD_BINARY_PATH: '/elsewhere/esbuild' }
  const { stdout, stderr } = await run('sh', ['-c', script], { env })
  const [main, ...calls] = stdout.trim().replaceAll(`${folder}/`, '').split('\n')
  return { main: main!, said: [...calls, stderr.trim()].join('\n').trim() }
}

test('what is younger than all that it was made of starts at once', async (t) => {
  t.deepEqual(await starts(await place(t, 3_600)), { main: 'prepared/firewall.cjs', said: '' })
})

test('where a source has changed since, it is made anew, whatever time the file claims', async (t) => {
  const folder = await place(t, -60)
  for (const part of ['client/main.ts', 'client', '.']) await utimes(join(folder, part), 1_000_000, 1_000_000)
  const { main, said } = await starts(folder)
  t.is(main, 'prepared/firewall.cjs')
  t.regex(said, /^scripts\/prepare\.ts\n/)
})

test('where it cannot be made the sources start', async (t) => {
  const { main, said } = await starts(await place(t, -60, 1))
  t.is(main, 'firewall/main.ts')
  t.regex(said, /only slower/)
})

test('nothing is made of the dependencies of another checkout', async (t) => {
  const folder = await place(t, -60)
  await rm(join(folder, 'node_modules'), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  t.deepEqual(await starts(folder), { main: 'firewall/main.ts', said: '' })
})

test('nothing is made in the folder of somebody else, by whoever may do everything either', async (t) => {
  const folder = await place(t, -60)
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
  const folder = await place(t, 3_600, 1)
  await rm(join(folder, 'protocol'), { recursive: true })
  t.is((await starts(folder)).main, 'firewall/main.ts')
})
