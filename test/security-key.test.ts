/**
 * A security key as dongle, as people use it: our program, Debian's `fido2-tools`, and a key in software behind a
 * pseudo-terminal. Only the list of what is plugged in is made up here, since no system lists a pseudo-terminal.
 */
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { fidoTools } from '#firewall/security-key/fido-tools.ts'
import { isSottoError } from '#protocol/errors.ts'
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

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => (isSottoError(error) ? error.code : String(error)),
  )

const without = (traits: TokenTraits): Authenticator => new Authenticator(traits)

withTools('a backup opens with the key, its PIN, its file and the password, and with no other key', async (t, at) => {
  const token = without({ pin: PIN })
  await at.plug(token)
  const { uid } = told(t, await at.identity(['new', '--name', 'Ada']))
  const make = (pin: string): Promise<Outcome> => at.identity(['dongle', at.file, '--fido2'], `${pin}\n`)
  t.is(code(await make('12')), 'E_FIDO_PIN')
  t.like(told(t, await make(PIN)), { file: at.file, fido2: true })
  t.is(statSync(at.file).mode & 0o777, 0o600)
  const sealed = ['--file', join(at.folder, 'backup.txt'), '--dongle', at.file]
  told(t, await at.identity(['backup', ...sealed], `${PIN}\n${PASSWORD}\n`))
  t.is(token.touches, 2, 'a credential, a secret')

  const restore = (...more: readonly string[]): Promise<Outcome> =>
    at.identity(['restore', '--name', 'Ada', ...sealed, ...more], `${PIN}\n${PASSWORD}\n`, 'second')
  const other = without({ pin: PIN })
  await at.plug(other)
  t.is(code(await restore()), 'E_FIDO_OTHER')
  t.is(other.touches, 0)
  const [, second] = await at.plug(other, token)
  t.is(code(await restore()), 'E_FIDO_SEVERAL')
  t.is(told(t, await restore('--device', second!)).uid, uid)
})

withTools('wrong PINs are counted by the key, until it takes none', async (t) => {
  const path = await plugIn(t, without({ pin: PIN }))
  const tools = fidoTools((start) => start(), process.env.PATH)
  const salt = new Uint8Array(32)
  const credential = await tools.makeCredential(path, PIN)
  const secret = await tools.secretOf(path, credential, salt, PIN)
  t.deepEqual(await tools.secretOf(path, credential, salt, PIN), secret, 'the same each time')
  t.notDeepEqual(await tools.secretOf(path, credential, salt, undefined), secret, 'without the PIN it is another')
  const codes: string[] = []
  for (let tries = 0; tries < 8; tries++) codes.push(await codeOf(tools.secretOf(path, credential, salt, '246802')))
  t.deepEqual(codes, [...Array(7).fill('E_FIDO_PIN'), 'E_FIDO_BLOCKED'])
  t.is(await codeOf(tools.secretOf(path, credential, salt, PIN)), 'E_FIDO_BLOCKED')
})

withTools('what a key cannot or does not do has a code', async (t) => {
  const tools = fidoTools((start) => start(), process.env.PATH)
  const made = async (traits: TokenTraits): Promise<string> =>
    codeOf(tools.makeCredential(await plugIn(t, without(traits)), undefined))
  t.is(await made({ untouched: Status.touchTimeout }), 'E_FIDO_TOUCH')
  t.is(await made({ untouched: Status.denied }), 'E_FIDO_TOUCH')
  t.is(await codeOf(tools.traits('/dev/null')), 'E_FIDO_NONE')
})

withTools('where there is no key, or none that fits, nothing is made; one without a PIN fits', async (t, at) => {
  const make = async (...more: readonly string[]): Promise<string> =>
    code(await at.identity(['dongle', at.file, '--fido2', ...more]))
  await at.plug()
  t.is(await make(), 'E_FIDO_NONE')
  t.is(await make('--device', '-d'), 'E_USAGE')
  await at.plug(without({ hmacSecret: false }))
  t.is(await make(), 'E_FIDO_UNFIT')
  t.throws(() => statSync(at.file), { code: 'ENOENT' })
  await at.plug(without({}))
  t.regex(await make(), /^no error: .*fido2/)
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
