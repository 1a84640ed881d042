import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { coreArguments, coreEnvironment } from './core-process.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { brokerFolder, coreFolder, eventsDescriptor, stateFolder } from './options.ts'

/** A program folder with an entry, and a state folder at `state` from its parent. */
async function plan(t: ExecutionContext, state: string, program = 'program') {
  const base = await realpath(await temporaryFolder(t))
  const root = join(base, program)
  for (const folder of ['client', 'firewall', '.git']) await mkdir(join(root, folder), { recursive: true })
  for (const file of ['package.json', join('client', 'main.ts')]) await writeFile(join(root, file), '')
  const folder = resolve(base, state)
  await mkdir(join(folder, 'core'), { recursive: true })
  return { root, entry: join(root, 'client', 'main.ts'), state: folder, core: join(folder, 'core'), args: ['a', '--b'] }
}

const readable = (args: readonly string[]) =>
  args.filter((arg) => arg.startsWith('--allow-fs-read=')).map((arg) => arg.slice('--allow-fs-read='.length))

test('the core may read the program and its own folder, and write its own folder', async (t) => {
  const given = await plan(t, 'state')
  const args = coreArguments(given)
  const parts = ['client', 'firewall', 'package.json'].map((name) => join(given.root, name))
  t.deepEqual(readable(args), [...parts, given.core])
  t.deepEqual(
    args.filter((arg) => arg.startsWith('--allow-fs-write')),
    [`--allow-fs-write=${given.core}`],
  )
  t.deepEqual(args.slice(-3), [given.entry, 'a', '--b'])
  t.is(args[0], '--permission')
})

test('a state folder in the program’s own folder is not readable with the program', async (t) => {
  for (const state of ['program/.state', 'program/state', 'program/deep/state']) {
    const given = await plan(t, state)
    const parts = readable(coreArguments(given))
    t.true(parts.includes(given.core))
    t.false(
      parts.some((path) => `${given.state}/firewall/vault`.startsWith(`${path}/`)),
      state,
    )
  }
})

test('what else lies in the program’s folder, such as the state of another member, is not readable', async (t) => {
  const given = await plan(t, 'state')
  for (const folder of ['other/firewall', 'docs', 'gateway']) await mkdir(join(given.root, folder), { recursive: true })
  const paths = readable(coreArguments(given)).map((path) => path.slice(given.root.length))
  for (const name of ['/other', '/docs', '/gateway']) t.false(paths.includes(name), name)
})

test('a state folder that cannot be kept from the core is refused', async (t) => {
  for (const state of ['program', 'program/client', 'program/client/state', 'wild*card']) {
    const given = await plan(t, state)
    t.throws(() => coreArguments(given), { code: 'E_USAGE' }, state)
  }
})

test('a main module outside the program is refused, and opens nothing', async (t) => {
  const given = await plan(t, 'state')
  const entry = join(given.root, '..', 'other.ts')
  await writeFile(entry, '')
  t.throws(() => coreArguments({ ...given, entry }), { code: 'E_USAGE' })
})

test('a folder for files is granted, and refused where it brings the state or the program along', async (t) => {
  const given = await plan(t, 'state')
  const grants = (...folders: string[]): Parameters<typeof coreArguments>[0] => ({
    ...given,
    files: { read: folders, write: [], folders },
  })
  const own = join(given.root, '..', 'shared')
  const args = coreArguments(grants(own))
  t.true(args.includes(`--allow-fs-read=${own}`) && args.includes(`--allow-fs-write=${own}`))
  for (const bad of [given.state, given.core, join(given.core, 'inner'), dirname(given.state), given.root, '/'])
    t.throws(() => coreArguments(grants(bad)), { code: 'E_USAGE' }, bad)
})

test('links are resolved, since permissions go by the real path', async (t) => {
  const given = await plan(t, 'state')
  const link = `${given.state}-link`
  await symlink(given.state, link)
  const linked = { ...given, state: link, core: join(link, 'core') }
  t.deepEqual(readable(coreArguments(linked)), readable(coreArguments(given)))
  t.is(coreEnvironment({}, linked.core).SOTTO_CORE, given.core)
})

test('an entry of the program that is a link is readable where it leads', async (t) => {
  const given = await plan(t, 'state')
  const elsewhere = join(given.root, '..', 'elsewhere')
  await mkdir(elsewhere)
  await symlink(elsewhere, join(given.root, 'node_modules'))
  const parts = readable(coreArguments(given))
  t.true(parts.includes(elsewhere) && parts.includes(join(given.root, 'node_modules')))
})

test('dependencies beside an installed program are readable', async (t) => {
  const given = await plan(t, 'state', 'node_modules/sotto')
  t.true(readable(coreArguments(given)).includes(resolve(given.root, '..')))
})

test('where the state lies', (t) => {
  t.is(stateFolder(['x', '--state', '/a', 'y'], { SOTTO_STATE: '/b' }), '/a')
  t.is(stateFolder(['--state=/a', '--state=/c'], {}), '/c')
  t.is(stateFolder(['--state', 'relative'], {}), resolve('relative'))
  t.is(stateFolder(['--', '--state', '/a'], { SOTTO_STATE: '/b' }), '/b')
  t.is(stateFolder([], { XDG_DATA_HOME: '/data', SOTTO_STATE: '' }), '/data/sotto')
  t.is(stateFolder([], { XDG_DATA_HOME: 'not/absolute' }), join(homedir(), '.local/share/sotto'))
  t.throws(() => stateFolder(['--state'], {}), { code: 'E_USAGE' })
  t.is(coreFolder(['--state', '/a'], {}), '/a/core')
  t.is(coreFolder(['--state', '/a'], { SOTTO_CORE: '/real/core' }), '/real/core')
  t.is(brokerFolder(['--state', '/a'], { SOTTO_CORE: '/real/core' }), '/a/firewall')
})

test('--events-fd is 4 or absent', (t) => {
  t.is(eventsDescriptor([]), undefined)
  t.is(eventsDescriptor(['--events-fd', '4']), 4)
  t.is(eventsDescriptor(['--events-fd=4']), 4)
  for (const bad of ['3', '', '04', 'x']) t.throws(() => eventsDescriptor(['--events-fd', bad]), { code: 'E_USAGE' })
})
