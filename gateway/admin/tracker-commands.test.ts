import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { Command } from 'commander'
import { openState } from '#gateway/state.ts'
import { hex } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { sealQuery } from '#protocol/tracker/query.ts'
import { openTrackerList, parseTrackerLine, trackerLine } from '#protocol/tracker/tracker-list.ts'
import { freePort } from '../../scripts/bench/ports.ts'
import { TRACKER_LIST_FILE } from '../services/tracker/relay.ts'
import { runTracker, trackerOf } from '../services/tracker/running.ts'
import { Trunk } from '../services/tracker/trunk.ts'
import { registerAdminCommands } from './commands.ts'
import { registerTracker } from './tracker-commands.ts'

const start = Date.parse('2026-05-01T12:00:00Z')

function place(t: ExecutionContext) {
  const root = mkdtempSync(join(tmpdir(), 'sotto-tracker-commands-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const sotto = async (...args: string[]): Promise<string> => {
    let printed = ''
    const program = new Command('sotto').exitOverride()
    const out = (text: string): void => {
      printed += text
    }
    const around = { out, now: () => start, terminal: false, confirm: async () => false, status: () => {} }
    registerAdminCommands(program, around)
    registerTracker(program, around, async () => {})
    await program.parseAsync(args, { from: 'user' })
    return printed
  }
  const gateway = async (): Promise<string> => {
    const state = join(root, 'gateway')
    await sotto(
      ...['gateway', 'init', '--state', state, '--domain', 'workshop.example', '--listen', 'http://127.0.0.1:8080'],
    )
    return state
  }
  return { root, sotto, gateway, folder: join(root, 'tracker') }
}

test('a tracker is made once, with its key for its owner alone, and serves who has its line', async (t) => {
  const { sotto, folder } = place(t)
  const port = await freePort()
  const init = ['tracker', 'init', '--state', folder, '--listen', `127.0.0.1:${port}`]
  const said = await sotto(...init)
  t.regex(said, /tcp dport \d+ ct state new/, 'with rules for nftables')
  t.is(statSync(folder).mode & 0o777, 0o700)
  t.is(statSync(join(folder, 'tracker.yaml')).mode & 0o777, 0o600)
  const text = readFileSync(join(folder, 'tracker.yaml'), 'utf8')
  const again = JSON.parse(await sotto(...init, '--json'))
  t.false(again.made)
  t.is(readFileSync(join(folder, 'tracker.yaml'), 'utf8'), text)
  t.false(said.includes(/key: (.*)/.exec(text)![1]!), 'the key is not shown')
  const line = (await sotto('tracker', 'line', '--state', folder)).trim()
  t.true(said.includes(line))
  const listed = parseTrackerLine(line)!
  t.is(listed.port, port)
  const running = await runTracker(
    folder,
    () => start,
    () => t.fail(),
  )
  t.teardown(() => running.stop())
  const trunk = new Trunk({ key: listed.key, host: listed.host!, port }, { answerMs: 100_000 })
  t.teardown(() => trunk.close())
  const query = sealQuery(listed.key, { kind: 'question', key: randomBytes(16) }, randomBytes(32))!
  t.like(query.open((await trunk.ask(query.box))!), { kind: 'refused', why: 'unknown' })
  await t.throwsAsync(
    runTracker(
      folder,
      () => start,
      () => t.fail(),
    ),
    { code: 'E_PORT_TAKEN' },
  )
  t.is(statSync(join(folder, 'records.mdb')).mode & 0o777, 0o600)
  t.like(JSON.parse(await sotto('tracker', 'status', '--state', folder, '--json')), { records: 0, questions: 0 })
})

test('what is wrong with a tracker’s folder is said, and never its key', async (t) => {
  const { sotto, folder } = place(t)
  await t.throwsAsync(sotto('tracker', 'init', '--state', folder), { code: 'E_USAGE' })
  await t.throwsAsync(sotto('tracker', 'init', '--state', folder, '--listen', 'here'), { code: 'E_CONFIG' })
  await t.throwsAsync(sotto('tracker', 'line', '--state', folder), { code: 'E_STATE_UNREADABLE' })
  await sotto('tracker', 'init', '--state', folder, '--listen', '127.0.0.1:7443')
  const file = join(folder, 'tracker.yaml')
  const text = readFileSync(file, 'utf8')
  const key = /key: (.*)/.exec(text)![1]!
  const bad = ['', 'what', `{`, `key: [${key}`, `key: ${key.slice(1)}`, `${text}more: 1\n`, text.replace('7443', '0')]
  for (const broken of bad) {
    writeFileSync(file, broken)
    const error = await t.throwsAsync(sotto('tracker', 'line', '--state', folder), { code: 'E_CONFIG' }, broken)
    t.false(error?.message.includes(key.slice(1, 20)))
  }
  writeFileSync(file, text)
  chmodSync(file, 0o644)
  await t.throwsAsync(sotto('tracker', 'line', '--state', folder), { code: 'E_STATE_UNREADABLE' })
  chmodSync(file, 0o600)
  chmodSync(folder, 0o755)
  await t.throwsAsync(sotto('tracker', 'line', '--state', folder), { code: 'E_STATE_UNREADABLE' })
})

test('a gateway is a tracker as well, and its list names others beside it', async (t) => {
  const { sotto, gateway } = place(t)
  const state = await gateway()
  const { line } = JSON.parse(await sotto('tracker', 'init', '--gateway', state, '--json'))
  const other = trackerLine({ key: randomBytes(32), host: 'tracker.example', port: 7443 })
  t.is(
    await sotto('gateway', 'trackers', '--state', state, line, other),
    `${join(state, TRACKER_LIST_FILE)}: 2 trackers.\n`,
  )
  const opened = await openState(state)
  t.teardown(() => opened.close())
  const list = openTrackerList(opened.packRoot, new Uint8Array(readFileSync(join(state, TRACKER_LIST_FILE))))!
  const running = await trackerOf(
    state,
    () => start,
    () => t.fail(),
  )
  t.teardown(() => running?.stop())
  t.deepEqual(
    list.items.map(({ key, host }) => [hex(key), host]),
    [
      [hex(running!.tracker.publicKey), undefined],
      [hex(parseTrackerLine(other)!.key), 'tracker.example'],
    ],
  )
  await t.throwsAsync(sotto('gateway', 'trackers', '--state', state, line, line), { code: 'E_CONFIG' })
  await t.throwsAsync(sotto('gateway', 'trackers', '--state', state, line.slice(0, -2)), { code: 'E_CONFIG' })
  const many = Array.from({ length: 9 }, () => trackerLine({ key: randomBytes(32) }))
  await t.throwsAsync(sotto('gateway', 'trackers', '--state', state, ...many), { code: 'E_CONFIG' })
  t.deepEqual(openTrackerList(opened.packRoot, new Uint8Array(readFileSync(join(state, TRACKER_LIST_FILE)))), list)
})
