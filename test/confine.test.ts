/** `--confine` with a real gateway: the program works, where the kernel has everything and where it has less. */
import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { layersHere } from '#firewall/kernel/confined.ts'
import { memberMain } from '../scripts/demo/commands.ts'
import { Command, SharedOwner, temporaryFolder } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { invite, startedGateway } from './helpers/command-gateway.ts'

const layers = possible()
const where = layers?.filter ? test : test.skip
const owner = new SharedOwner()
let gateway: GatewayProcess

function possible() {
  try {
    return layersHere({ starting: (start) => start() })
  } catch {
    return undefined
  }
}

test.before(async () => {
  if (layers !== undefined) gateway = await startedGateway(owner)
})
test.after.always(() => owner.end())

async function sotto(t: ExecutionContext, args: readonly string[], input = '', env = process.env) {
  const command = new Command(t, [memberMain, '--confine', ...args], { env })
  command.child.stdin.end(input)
  return await command.ended
}

async function joinsConfined(t: ExecutionContext, env: NodeJS.ProcessEnv): Promise<void> {
  const state = join(await temporaryFolder(t), 'member')
  const { link } = await invite(owner, gateway)
  const joined = await sotto(t, ['join', '--name', 'A', '--state', state], link, env)
  t.is(joined.status, 0, joined.err)
  t.regex(joined.out, /You have joined Test/)
  const status = await sotto(t, ['status', '--json', '--state', state], '', env)
  t.is(status.status, 0, status.err)
  t.is(JSON.parse(status.out.trim().split('\n').at(-1)!).state?.kind ?? 'ready', 'ready', status.out)
  await t.throwsAsync(access(join(state, 'gate', 'audit.log')), undefined, 'nothing was refused')
}

where('with every layer that this kernel has', async (t) => {
  t.timeout(300_000)
  await joinsConfined(t, process.env)
})

where('without namespaces: the filter alone', async (t) => {
  t.timeout(300_000)
  // No program called `unshare` is found.
  const empty = join(await temporaryFolder(t), 'empty')
  await mkdir(empty)
  await joinsConfined(t, { ...process.env, PATH: empty })
})

where('what is wrong with an invite is told as without', async (t) => {
  const state = join(await temporaryFolder(t), 'member')
  const { status, err } = await sotto(t, ['join', '--name', 'A', '--state', state], 'no invite')
  t.is(status, 2)
  t.regex(err, /E_INVITE_FORMAT/)
})

test('what does not go with it is told, and nothing is started', async (t) => {
  const state = join(await temporaryFolder(t), 'member')
  for (const args of [
    ['chat', '--browser', 'chromium'],
    ['proxy', 'set', 'socks5://127.0.0.1:9050'],
  ]) {
    const { status, err } = await sotto(t, [...args, '--state', state])
    t.is(status, 2, err)
    t.regex(err, /--confine.*E_USAGE/s)
  }
})

test('where there is no Linux, nothing is started', (t) => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform')!
  Object.defineProperty(process, 'platform', { ...platform, value: 'sunos' })
  t.teardown(() => Object.defineProperty(process, 'platform', platform))
  t.throws(() => layersHere({ starting: (start) => start() }), { code: 'E_CONFINE' })
})
