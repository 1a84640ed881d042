import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Command } from 'commander'
import { randomBytes } from '#protocol/crypto/random.ts'
import { issueCertificate } from '#test/helpers/test-ca.ts'
import { checkAging, checkContacts, checkLastDay } from '../doctor/machine.ts'
import { openState } from '../state.ts'
import { holdStore } from '../store/holder.ts'
import { registerAdminCommands } from './commands.ts'

const DAY = 86_400_000
const now = Date.now()

test('all is well, or what is not: one glance, and an exit status', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sotto-status-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const state = join(root, 'state')
  let code = 0
  const sotto = async (line: string): Promise<string> => {
    let printed = ''
    const program = new Command('sotto').exitOverride()
    registerAdminCommands(program, {
      ...{ now: () => now, terminal: false, confirm: async () => true },
      out: (text) => {
        printed += text
      },
      status: (value) => {
        code = value
      },
    })
    code = 0
    await program.parseAsync([...line.split(' '), '--state', state], { from: 'user' })
    return printed
  }
  const { certificate, key } = await issueCertificate({ folder: root, domain: 'workshop.example', days: 30 })
  const socket = join(root, 'gateway.sock')
  const tls = `--certificate ${certificate} --key ${key}`
  await sotto(
    `gateway init --domain workshop.example --front nginx --site ${join(root, 'www')} --listen unix:${socket} ${tls}`,
  )
  await sotto('invite create --count 3')
  const opened = await openState(state)
  const [made] = await opened.members.createInvites(1, { name: '', uses: 1, days: 1, role: 'member' }, now)
  await opened.members.redeem(made!.code, randomBytes(16), randomBytes(32), now)
  await opened.close()

  t.regex(await sotto('gateway status'), /something is wrong[\s\S]*does not run[\s\S]*fail {2}gateway/)
  t.is(code, 1)
  const gateway = createServer().listen(socket)
  t.teardown(() => void gateway.close())
  await new Promise((resolve) => gateway.once('listening', resolve))
  t.regex(
    await sotto('gateway status'),
    /does not run[\s\S]*fail {2}gateway: Another program listens on .* The gateway does not run/,
  )
  t.is(code, 1)
  const holding = await openState(state)
  await holdStore(holding.store)
  await holding.close()
  const well = await sotto('gateway status')
  t.regex(
    well,
    /^workshop\.example: all is well\.\n {2}gateway {6}runs, behind nginx, support-chat\n {2}members {6}1, and 3 inv/,
  )
  t.is(code, 0)
  t.like(JSON.parse(await sotto('gateway status --json')), {
    well: true,
    runs: true,
    members: 1,
    open: 3,
    findings: [],
  })
  chmodSync(join(state, 'pack-root.key'), 0o644)
  t.regex(await sotto('gateway status'), /fail {2}modes: .*pack-root\.key/)
  t.is(code, 1)
})

test('certificates by their last day, and a clock that is not where the gateway has counted to', (t) => {
  const ends = (days: number): string => checkLastDay(new Date(now + days * DAY + 1_000), now).level
  t.deepEqual([30, 14, 13, 0, -1].map(ends), ['ok', 'ok', 'warn', 'warn', 'fail'])
  const counted = (days: number): string => checkAging(now - days * DAY, now).level
  t.deepEqual([-40, -3, -1, 0, 1, 3, 40].map(counted), ['warn', 'warn', 'ok', 'ok', 'ok', 'warn', 'warn'])
  t.is(checkAging(undefined, now).level, 'ok')
  const forgotten = (minutes: number): string => checkContacts(now - minutes * 60_000, now).level
  t.deepEqual([-5_000, 0, 9, 15, 5_000].map(forgotten), ['fail', 'fail', 'fail', 'ok', 'ok'])
  t.is(checkContacts(undefined, now).level, 'ok')
})
