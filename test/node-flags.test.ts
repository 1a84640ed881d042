/** The command line starts Node as the benchmarks do. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { coreArguments } from '#firewall/core-process.ts'
import { gatewayFlags, memberFlags } from '../scripts/node-flags.ts'
import { temporaryFolder } from './helpers/command.ts'

const root = join(import.meta.dirname, '..')

test('the command line passes the flags that the benchmarks pass', (t) => {
  const script = readFileSync(join(root, 'scripts', 'sotto'), 'utf8')
  t.true(script.includes(`exec node ${gatewayFlags.join(' ')} "$root/gateway/main.ts"`), 'gateway')
  t.true(script.includes(`exec node ${memberFlags.join(' ')} "$main"`), 'member')
})

test('the core gets the heap of its launcher, and no other flag of it', async (t) => {
  const state = await temporaryFolder(t)
  const plan = { entry: join(root, 'client', 'main.ts'), root, state, core: state, args: ['status'] }
  const plain = coreArguments({ ...plan, launcherFlags: [] })
  const given = coreArguments({ ...plan, launcherFlags: [...memberFlags, '--inspect', '--import=x', '--trace-gc'] })
  t.true(plain.includes('--disable-sigusr1'), 'which it has anyway')
  t.deepEqual(
    given.filter((flag) => !plain.includes(flag)),
    memberFlags.filter((flag) => !plain.includes(flag)),
  )
})
