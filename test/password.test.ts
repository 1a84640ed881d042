/** The password of the state folder, as people meet it: real gateway, real members, a terminal of their own. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { memberMain } from '../scripts/demo/commands.ts'
import { jsonLines, member, SharedOwner, startMember, temporaryFolder } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { pairOf, startedGateway, succeed } from './helpers/command-gateway.ts'

const PASSWORD = 'quiet river stones'
const shared = new SharedOwner()
let gateway: GatewayProcess
let ada: string
let ben: string

test.before(async () => {
  gateway = await startedGateway(shared)
  ;[ada, ben] = await pairOf(shared, gateway, ['Ada', 'Ben'])
})
test.after.always(() => shared.end())

/** The files of the folder that hold this text, which may begin with a hyphen: one key in 64 does. */
const holders = (folder: string, text: string): string =>
  spawnSync('grep', ['-rlaF', '-e', text, folder], { encoding: 'utf8' }).stdout.trim()

test.serial('set, needed from then on by every command, changed, and taken away', async (t) => {
  const files = await temporaryFolder(t)
  const [file, wrong] = [join(files, 'password'), join(files, 'wrong')]
  writeFileSync(file, `${PASSWORD}\n`)
  writeFileSync(wrong, 'another river, stones\n')
  const deviceKey = readFileSync(join(ada, 'core', 'chat', 'device.key'), 'utf8')
    .trim()
    .split(':')[1]!
  t.not(holders(ada, deviceKey), '')
  t.deepEqual(jsonLines(await succeed(member(t, ada, ['password', '--json']))), [{ password: false }])

  const short = await member(t, ada, ['password', 'set', '--json'], 'short\n')
  t.regex(short.err, /E_PASSWORD_WEAK/)
  t.deepEqual(jsonLines(await succeed(member(t, ada, ['password', '--json']))), [{ password: false }])

  for (const args of [['set', PASSWORD], ['remove', PASSWORD], [PASSWORD]]) {
    const { err, status } = await member(t, ada, ['password', ...args, '--json'], `${PASSWORD}\n`)
    t.regex(err, /E_SECRET_IN_ARGV/, args.join(' '))
    t.false(err.includes(PASSWORD))
    t.is(status, 2)
  }

  const set = await succeed(member(t, ada, ['password', 'set', '--json'], `${PASSWORD}\n`))
  t.deepEqual(jsonLines(set), [{ password: true }])
  t.is(holders(ada, deviceKey), '')

  for (const args of [
    ['contacts'],
    ['firewall', 'list'],
    ['password'],
    ['chat', 'Ben', '--json'],
    ['proxy', 'clear'],
  ]) {
    const { status, stdout: out, stderr: err } = withoutTerminal(ada, args)
    t.regex(err, /E_PASSWORD_NEEDED/, args.join(' '))
    t.is(out, '')
    t.not(status, 0)
    t.regex((await member(t, ada, [...args, '--password-file', wrong])).err, /E_PASSWORD_WRONG/, args.join(' '))
  }
  const given = ['--password-file', file]
  t.regex(await succeed(member(t, ada, ['firewall', 'list', ...given])), /\S/)
  await succeed(member(t, ada, ['send', 'Ben', 'still here', ...given]))
  const reader = startMember(t, ben, ['recv', '--follow', '--json'])
  await reader.told(({ text }) => text === 'still here', 'the message')
  reader.child.kill('SIGTERM')
  await reader.ended

  const changed = await succeed(member(t, ada, ['password', 'set', '--json', ...given], 'quite another one\n'))
  t.deepEqual(jsonLines(changed), [{ password: true }])
  t.regex((await member(t, ada, ['contacts', ...given])).err, /E_PASSWORD_WRONG/)
  writeFileSync(file, 'quite another one\n')
  t.regex(await succeed(member(t, ada, ['contacts', ...given])), /Ben/)

  t.deepEqual(jsonLines(await succeed(member(t, ada, ['password', 'remove', '--json', ...given]))), [
    { password: false },
  ])
  t.regex(await succeed(member(t, ada, ['contacts'])), /Ben/)
})

test.serial('asked for at the terminal, also where standard input is a pipe; never shown; three tries', async (t) => {
  await succeed(member(t, ben, ['password', 'set'], `${PASSWORD}\n`))
  const command = `${process.execPath} ${memberMain} send Ada --state ${ben}`
  const right = await atTerminal(`echo 'by a pipe' | ${command}`, ['not this one', PASSWORD])
  t.is(right.status, 0, right.shown)
  t.false(right.shown.includes(PASSWORD))
  t.regex(right.shown, /That is not it/)
  t.regex(await succeed(member(t, ada, ['recv'])), /by a pipe/)
  const lost = await atTerminal(`${command} again`, ['one', 'two', 'three'])
  t.not(lost.status, 0)
  t.regex(lost.shown, /E_PASSWORD_WRONG/)
  const left = await atTerminal(`${command} again`, ['not this one', '\u0003'])
  t.is(left.status, 130)
  t.notRegex(left.shown, /E_|Error/)
})

test.serial('a command of the firewall that waits for the password ends at the first signal', async (t) => {
  const line = `echo "process $$"; exec ${process.execPath} ${memberMain} firewall list --state ${ben}`
  const child = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  let shown = ''
  let isAsked = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    if (isAsked || !shown.includes('Password of this folder: ')) return
    isAsked = true
    process.kill(Number(/process (\d+)/.exec(shown)![1]), 'SIGTERM')
  })
  const status = await new Promise((resolve) => child.once('close', resolve))
  t.is(status, 128 + 15, shown)
})

/** Runs a line of shell at a terminal of its own, and types at each prompt for the password. */
function atTerminal(line: string, typed: readonly string[]): Promise<{ status: number | null; shown: string }> {
  const child = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
  let shown = ''
  let answered = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    while (answered < Math.min(typed.length, shown.split('Password of this folder: ').length - 1)) {
      child.stdin.write(`${typed[answered++]}\r`)
    }
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, shown }))
  })
}

/** Without a terminal, whatever the tests were started at. */
function withoutTerminal(state: string, args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync('setsid', ['--wait', process.execPath, memberMain, ...args, '--state', state], {
    encoding: 'utf8',
    input: '',
  })
}
