import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { startGateway } from './fixtures/gateway.ts'
import { temporaryFolder } from './fixtures/temporary.ts'
import { NO_ADDON } from './options.ts'

const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name)

interface Run {
  readonly launcher: ChildProcess
  /** First line of the core. */
  ready(): Promise<string>
  /** Everything, once both halves are gone. */
  readonly ended: Promise<{ code: number | null; signal: string | null; out: string; err: string; events: string }>
}

interface RunOptions {
  readonly state?: string
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly events?: boolean
}

async function start(t: ExecutionContext, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const { env = process.env, input = '', events, state = await temporaryFolder(t) } = options
  const argv = [fixture('launch.ts'), fixture('behaving-core.ts'), ...args, '--state', state]
  const launcher = spawn(process.execPath, argv, {
    stdio: ['pipe', 'pipe', 'pipe', 'ignore', events ? 'pipe' : 'ignore'],
    env,
  })
  t.teardown(() => launcher.kill('SIGKILL'))
  // Who stops reading is told by how it ends.
  launcher.stdin!.on('error', () => {}).end(input)
  const firstLine = new Promise<string>((resolve) =>
    launcher.stdout!.once('data', (data) => resolve(String(data).trim())),
  )
  const exit = once(launcher, 'exit') as Promise<[number | null, string | null]>
  const extra = events ? text(launcher.stdio[4] as NodeJS.ReadableStream) : Promise.resolve('')
  const all = Promise.all([exit, text(launcher.stdout!), text(launcher.stderr!), extra])
  const ended = all.then(([[code, signal], out, err, told]) => ({ code, signal, out, err, events: told }))
  return { launcher, ready: () => firstLine, ended }
}

test('the core’s exit code is the program’s', async (t) => {
  const { code, out, err } = await (await start(t, ['exit'])).ended
  t.deepEqual({ code, out, err }, { code: 7, out: '', err: '' })
})

test('the signal that ends the core ends the program', async (t) => {
  t.is((await (await start(t, ['kill-self'])).ended).signal, 'SIGKILL')
})

test('the core has the command line, its folder, and a clean environment', async (t) => {
  const state = await temporaryFolder(t)
  const env = {
    ...{
      PATH: process.env.PATH,
      HOME: '/home/x',
      TERM: 'dumb',
      LC_ALL: 'C',
      SOTTO_OTHER: '1',
      SOTTO_CORE: '/elsewhere',
    },
    ...{ NODE_OPTIONS: '--no-deprecation', NODE_EXTRA_CA_CERTS: '/x', NODE_PATH: '/x', LD_PRELOAD: '' },
    ...{ HTTPS_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9', ALL_PROXY: 'socks5://127.0.0.1:9' },
  }
  const { out, code, err } = await (await start(t, ['tell', '--x', 'a b'], { state, env })).ended
  t.is(code, 0, err)
  const told = JSON.parse(out)
  t.deepEqual(told.args, ['tell', '--x', 'a b', '--state', state])
  t.deepEqual(told.env, ['HOME', 'LC_ALL', NO_ADDON, 'SOTTO_CORE', 'SOTTO_OTHER', 'TERM'])
  t.is(told.folder, join(state, 'core'))
  t.true(told.execArgv.includes('--permission'))
  t.false(
    told.execArgv.some((arg: string) => /^--allow-(?!fs-)/.test(arg)),
    'nothing but files',
  )
  t.deepEqual((await readdir(state)).sort(), ['core', 'firewall'])
  t.is((await stat(join(state, 'core', 'made'))).mode & 0o777, 0o600)
  for (const part of ['core', 'firewall']) t.is((await stat(join(state, part))).mode & 0o777, 0o700)
  for (const name of await readdir(join(state, 'firewall'))) {
    t.is((await stat(join(state, 'firewall', name))).mode & 0o777, 0o600, name)
  }
})

test('the terminal is the core’s', async (t) => {
  t.is((await (await start(t, ['echo'], { input: 'through and back' })).ended).out, 'through and back')
})

test('join: the launcher reads the link, and the core hears what it opened and never the link', async (t) => {
  const gateway = await startGateway()
  t.teardown(() => gateway.close())
  const { out, err, code } = await (await start(t, ['join'], { input: `${gateway.link}\n` })).ended
  t.is(code, 0, err)
  const told = JSON.parse(out)
  t.is(told.joined.length, 1)
  t.like(told.joined[0], { host: 'gateway.test', name: 'Test' })
  t.is(told.given, '')
  t.false(out.includes(gateway.link.slice(8)))
})

test('join: what is no invite opens nothing, and the core hears why', async (t) => {
  for (const [input, code] of [
    ['sotto://x', 'E_INVITE_FORMAT'],
    ['', 'E_INVITE_FORMAT'],
    ['x'.repeat(200_000), 'E_USAGE'],
  ] as const) {
    const { out, err } = await (await start(t, ['join'], { input })).ended
    t.true(code === 'E_USAGE' ? err.includes(code) : JSON.parse(out).joined === code, err)
  }
})

test('join: help, and a link on the command line, read nothing', async (t) => {
  for (const args of [
    ['join', '--help'],
    ['join', 'sotto://abc'],
    ['echo', 'join'],
  ]) {
    const { out } = await (await start(t, args, { input: 'for the core' })).ended
    t.true(out.includes('for the core'), args.join(' '))
  }
})

test('an idle pipe keeps nobody alive', async (t) => {
  const { out, code } = await (await start(t, ['endpoints'])).ended
  t.deepEqual({ out, code }, { out: '[]\n', code: 0 })
})

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} reaches the core, which ends as it likes`, async (t) => {
    const run = await start(t, ['wait-for-signal'])
    t.is(await run.ready(), '"ready"')
    run.launcher.kill(signal)
    const { code, out } = await run.ended
    t.deepEqual({ code, out }, { code: 5, out: `"ready"\n"${signal}"\n` })
  })
}

test('when the broker is killed, the core ends', async (t) => {
  const run = await start(t, ['wait-for-loss'])
  await run.ready()
  run.launcher.kill('SIGKILL')
  const { signal, out } = await run.ended
  t.is(signal, 'SIGKILL')
  t.is(out, '"ready"\n"E_FIREWALL_GONE"\n', 'its end closed the output that both had')
})

test('a core that nobody launched has no firewall, and says so', async (t) => {
  for (const env of [{}, { SOTTO_CORE: '/nowhere' }]) {
    const core = spawn(process.execPath, [fixture('behaving-core.ts'), 'endpoints'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    })
    const [err, [code]] = await Promise.all([text(core.stderr), once(core, 'exit')])
    t.not(code, 0)
    t.regex(err, /E_FIREWALL_GONE/)
  }
})

test('a core that breaks the rules of the pipe is stopped', async (t) => {
  const { code, err } = await (await start(t, ['garbage'])).ended
  t.is(code, 1)
  t.regex(err, /E_FIREWALL_BROKEN/)
})

test('the core cannot open a debugger in the broker', async (t) => {
  const { out, err, code } = await (await start(t, ['debug'])).ended
  t.deepEqual({ out, err, code }, { out: '"done"\n', err: '', code: 0 })
})

test('--events-fd: the core writes what the launcher’s parent reads', async (t) => {
  const run = await start(t, ['events', '--events-fd', '4'], { events: true })
  const { code, events, err } = await run.ended
  t.deepEqual({ code, events, err }, { code: 0, events: 'an event\n', err: '' })
})

test('without --events-fd the core has no such descriptor', async (t) => {
  const { code, events } = await (await start(t, ['events'], { events: true })).ended
  t.is(events, '')
  t.not(code, 0)
})

test('wrong options are told, and nothing is started', async (t) => {
  const state = await temporaryFolder(t)
  for (const args of [
    ['exit', '--events-fd', '5'],
    ['exit', '--events-fd='],
  ]) {
    const { code, err, out } = await (await start(t, args, { state })).ended
    t.is(code, 2)
    t.regex(err, /E_USAGE/)
    t.is(out, '')
  }
})

test('one program on one state folder', async (t) => {
  const state = await temporaryFolder(t)
  const first = await start(t, ['wait-for-signal'], { state })
  await first.ready()
  const second = await (await start(t, ['exit'], { state })).ended
  t.is(second.code, 1)
  t.regex(second.err, /E_STATE_BUSY/)
  first.launcher.kill('SIGTERM')
  await first.ended
  t.is((await (await start(t, ['exit'], { state })).ended).code, 7)
})

test('a damaged vault is told and left, and the core does nothing', async (t) => {
  const state = await temporaryFolder(t)
  await mkdir(join(state, 'firewall'))
  await writeFile(join(state, 'firewall', 'vault'), 'damaged', { mode: 0o600 })
  const { code, err, out } = await (await start(t, ['tell'], { state })).ended
  t.is(code, 1)
  t.is(out, '')
  t.regex(err, /Nothing was changed\.\n.*E_STATE_UNREADABLE/)
})

test('a link in the core’s folder, which would lead out of it, is told, and the core is not started', async (t) => {
  const state = await temporaryFolder(t)
  await mkdir(join(state, 'core', 'deep'), { recursive: true, mode: 0o700 })
  await symlink('/etc', join(state, 'core', 'deep', 'way'))
  const { code, err, out } = await (await start(t, ['tell'], { state })).ended
  t.deepEqual([code, out], [1, ''])
  t.regex(err, /deep\/way cannot be used: it is a link\..*E_STATE_UNREADABLE/s)
})

test('what Node refuses the core is a line of the log, with who tried', async (t) => {
  const state = await temporaryFolder(t)
  const { code } = await (await start(t, ['misbehave'], { state })).ended
  t.is(code, 0)
  const log = await readFile(join(state, 'firewall', 'audit.log'), 'utf8')
  const lines = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const told = lines.map(({ kind, reason, call, origin }) => ({ kind, reason, call, origin }))
  const origin = 'firewall/fixtures/behaving-core.ts'
  t.deepEqual(told, [{ kind: 'refused', reason: 'core-denied', call: 'child_process.spawnSync', origin }])
})
