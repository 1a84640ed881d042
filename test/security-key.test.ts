/**
 * A security key as dongle, as people use it: our program, Debian's `fido2-tools`, and a key in software behind a
 * pseudo-terminal. Only the list of what is plugged in is made up here, since no system lists a pseudo-terminal.
 */
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { memberMain } from '../scripts/demo/commands.ts'
import { Command, jsonLines, type Outcome, temporaryFolder } from './helpers/command.ts'
import { Authenticator, Status, type TokenTraits } from './helpers/token/authenticator.ts'
import { hasFidoTools, plugIn } from './helpers/token/plugged.ts'

const PIN = '135790'
const PASSWORD = 'a password of some length'

interface Desk {
  readonly folder: string
  /** File of the security key. */
  readonly file: string
  identity(args: readonly string[], input?: string, state?: string): Promise<Outcome>
  /** Puts keys into the machine and makes the list of them. */
  plug(...tokens: readonly Authenticator[]): Promise<readonly string[]>
}

async function desk(t: ExecutionContext): Promise<Desk> {
  const folder = await temporaryFolder(t)
  const programs = join(folder, 'programs')
  mkdirSync(programs)
  const PATH = `${programs}:${process.env.PATH}`
  return {
    folder,
    file: join(folder, 'key.txt'),
    identity: (args, input = '', state = 'state') => {
      const argv = [memberMain, 'identity', ...args, '--json', '--state', join(folder, state)]
      const command = new Command(t, argv, { env: { ...process.env, PATH } })
      command.child.stdin.end(input)
      return command.ended
    },
    plug: async (...tokens) => {
      const paths: string[] = []
      for (const token of tokens) paths.push(await plugIn(t, token))
      const lines = paths.map((path) => `${path}: vendor=0x1234, product=0x5678 (Maker's Key: FIDO)`)
      const program = join(programs, 'fido2-token')
      const list = lines.map((line) => `echo "${line}"`).join('\n')
      writeFileSync(program, `#!/bin/sh\n[ "$1" = -L ] || exec /usr/bin/fido2-token "$@"\n${list}\nexit 0\n`)
      chmodSync(program, 0o755)
      return paths
    },
  }
}

/** One after the other: each starts many programs. A test that needs fido2-tools; where they are not installed, it says so. */
const withTools = (title: string, run: (t: ExecutionContext, at: Desk) => Promise<void>): void =>
  test.serial(title, async (t) => {
    if (hasFidoTools()) return await run(t, await desk(t))
    t.log('fido2-tools are not installed here: nothing was tested')
    t.pass()
  })

function told(t: ExecutionContext, { status, out, err }: Outcome): Record<string, unknown> {
  t.is(status, 0, err)
  return jsonLines(out)[0]!
}

function code({ out, err }: Outcome): string {
  const [line] = jsonLines(err)
  return (line?.error as { code: string } | undefined)?.code ?? `no error: ${out}${err}`
}

const without = (traits: TokenTraits): Authenticator => new Authenticator(traits)

withTools('a backup opens with the key and its file, and with no other key', async (t, at) => {
  const token = new Authenticator()
  await at.plug(token)
  told(t, await at.identity(['new', '--name', 'Ada']))
  t.like(told(t, await at.identity(['dongle', at.file, '--fido2'])), { file: at.file, fido2: true })
  t.is(statSync(at.file).mode & 0o777, 0o600)
  t.is(code(await at.identity(['dongle', at.file, '--fido2'])), 'E_FILE', 'what is there is not overwritten')
  const backup = join(at.folder, 'backup.txt')
  const key = ['--dongle', at.file]
  told(t, await at.identity(['backup', '--file', backup, ...key, '--no-password']))
  told(t, await at.identity(['prove', '--file', backup, ...key]))
  t.is(token.touches, 4, 'two credentials, two secrets')

  const other = new Authenticator()
  await at.plug(other)
  const restore = ['restore', '--name', 'Ada', '--file', backup]
  t.is(code(await at.identity([...restore, ...key], '', 'second')), 'E_FIDO_OTHER')
  t.is(code(await at.identity(restore, '', 'second')), 'E_BACKUP_LOCKED')
  t.is(other.touches, 0)
  // A file that this other key has made opens nothing that was sealed with the first one.
  const foreign = join(at.folder, 'foreign.txt')
  told(t, await at.identity(['dongle', foreign, '--fido2']))
  t.is(code(await at.identity([...restore, '--dongle', foreign], '', 'second')), 'E_BACKUP_LOCKED')

  const [, second] = await at.plug(other, token)
  t.is(code(await at.identity([...restore, ...key], '', 'second')), 'E_FIDO_SEVERAL')
  const { uid } = told(t, await at.identity(['show']))
  t.is(told(t, await at.identity([...restore, ...key, '--device', second!], '', 'second')).uid, uid)
})

withTools('a PIN and a password: the PIN is the first line, and counts for the secret', async (t, at) => {
  await at.plug(without({ pin: PIN }))
  told(t, await at.identity(['new', '--name', 'Ada']))
  t.is(code(await at.identity(['dongle', at.file, '--fido2'], '246802\n')), 'E_FIDO_PIN')
  t.is(code(await at.identity(['dongle', at.file, '--fido2'], '12\n')), 'E_FIDO_PIN')
  told(t, await at.identity(['dongle', at.file, '--fido2'], `${PIN}\n`))
  const backup = join(at.folder, 'backup.txt')
  const run = (args: readonly string[], pin: string, password = PASSWORD, state?: string): Promise<Outcome> =>
    at.identity([...args, '--file', backup, '--dongle', at.file], `${pin}\n${password}\n`, state)
  told(t, await run(['backup'], PIN))
  t.is(code(await run(['prove'], '246802')), 'E_FIDO_PIN')
  t.is(code(await run(['prove'], PIN, 'another password')), 'E_BACKUP_LOCKED')
  told(t, await run(['restore', '--name', 'Ada'], PIN, PASSWORD, 'second'))
  for (let tries = 0; tries < 7; tries++) await run(['prove'], '246802')
  t.is(code(await run(['prove'], '246802')), 'E_FIDO_BLOCKED')
})

withTools('what a key cannot or does not do has a code, and nothing is made', async (t, at) => {
  told(t, await at.identity(['new', '--name', 'Ada']))
  const make = async (traits?: TokenTraits): Promise<string> => {
    await at.plug(...(traits === undefined ? [] : [without(traits)]))
    return code(await at.identity(['dongle', at.file, '--fido2']))
  }
  t.is(await make(), 'E_FIDO_NONE')
  t.is(await make({ hmacSecret: false }), 'E_FIDO_UNFIT')
  t.is(await make({ untouched: Status.touchTimeout }), 'E_FIDO_TOUCH')
  t.is(await make({ untouched: Status.denied }), 'E_FIDO_TOUCH')
  t.is(code(await at.identity(['dongle', at.file, '--fido2', '--device', '/dev/null'])), 'E_FIDO_NONE')
  t.is(code(await at.identity(['dongle', at.file, '--fido2', '--device', '-d'])), 'E_USAGE')
  t.throws(() => statSync(at.file), { code: 'ENOENT' })

  t.is(await make({}), `no error: ${JSON.stringify({ file: at.file, fido2: true })}\n`)
  writeFileSync(join(at.folder, 'cut.txt'), readFileSync(at.file, 'utf8').slice(0, 60))
  const cut = ['--dongle', join(at.folder, 'cut.txt')]
  t.is(code(await at.identity(['backup', ...cut, '--no-password'])), 'E_BACKUP_DONGLE')
})

test.serial('without the programs: said, and what to install', async (t) => {
  const folder = await temporaryFolder(t)
  const argv = [memberMain, 'identity', 'dongle', join(folder, 'key'), '--fido2', '--json', '--state', folder]
  const command = new Command(t, argv, { env: { ...process.env, PATH: folder } })
  command.child.stdin.end()
  t.is(code(await command.ended), 'E_FIDO_TOOLS')
})

test.serial('not where the kernel keeps devices away', async (t) => {
  const at = await desk(t)
  const { status, err } = await at.identity(['dongle', at.file, '--fido2', '--confine'])
  t.is(status, 2)
  t.regex(err, /E_USAGE/)
})
