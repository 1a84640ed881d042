/**
 * Asks for the password of the state folder, before anything is opened: at the terminal, also where standard input is a pipe,
 * or from the file that `--password-file` names.
 */
import { createReadStream, openSync } from 'node:fs'
import { ReadStream, WriteStream } from 'node:tty'
import { SottoError } from '#protocol/errors.ts'
import type { Console } from './join.ts'
import { PasswordLimits } from './limits.ts'
import { optionValues, positionals } from './options.ts'
import { needsPassword, openPasswordFile, readPasswordFile, requireGood } from './password.ts'
import { askSecret, firstLineOf, passwordInArguments, typedAgain } from './prompt.ts'

/** What a password opened. */
export interface Unlocked {
  /** 32 octets: `keyUnder`. */
  readonly secret: Uint8Array
  /** False where the password was taken away again: then the secret lies in the clear. */
  readonly isSet: boolean
}

/**
 * undefined where the folder never had a password; asks where it has one.
 * @param folder the broker's part of the state folder
 * @throws SottoError E_PASSWORD_WRONG, E_PASSWORD_NEEDED, E_STATE_UNREADABLE, E_USAGE
 */
export async function unlock(folder: string, args: readonly string[], console: Console): Promise<Unlocked | undefined> {
  const file = await readPasswordFile(folder)
  if (file === undefined) return undefined
  const isSet = needsPassword(file)
  const secret = isSet ? await opened(file, args, console) : openPasswordFile(file, '')
  return secret && { secret, isSet }
}

async function opened(file: Uint8Array, args: readonly string[], console: Console): Promise<Uint8Array> {
  const named = optionValues(args, '--password-file').at(-1)
  if (named !== undefined) return openPasswordFile(file, await firstLine(named)) ?? wrong()
  const terminal = console.stdin.isTTY ? { input: console.stdin, output: console.stderr } : ownTerminal()
  try {
    for (let tries = 0; tries < PasswordLimits.tries; tries++) {
      const typed = await askSecret('Password of this folder: ', terminal.input, terminal.output)
      const secret = openPasswordFile(file, typed)
      if (secret !== undefined) return secret
      terminal.output.write('That is not it.\n')
    }
    return wrong()
  } finally {
    if (terminal.input !== console.stdin) terminal.input.destroy()
  }
}

function wrong(): never {
  throw new SottoError('E_PASSWORD_WRONG', 'That is not the password of this folder.', { kept: 'Nothing was opened.' })
}

/** The terminal that we were started at, whatever standard input is. */
function ownTerminal(): { readonly input: ReadStream; readonly output: WriteStream } {
  try {
    const fd = openSync('/dev/tty', 'r+')
    return { input: new ReadStream(fd), output: new WriteStream(fd) }
  } catch (cause) {
    const what = 'This folder has a password, and there is no terminal to ask for it.'
    throw new SottoError('E_PASSWORD_NEEDED', what, { kept: 'Nothing was opened.', cause })
  }
}

async function firstLine(path: string): Promise<string> {
  try {
    return await firstLineOf(createReadStream(path))
  } catch (cause) {
    throw new SottoError('E_USAGE', 'The file with the password cannot be read.', { cause })
  }
}

/**
 * What the person sets: typed twice, or the first line of a pipe. undefined: none any more.
 * @throws SottoError E_PASSWORD_WEAK, E_PASSWORD_DIFFERS, E_SECRET_IN_ARGV
 */
export async function readNewPassword(
  args: readonly string[],
  { stdin, stderr }: Console,
): Promise<string | undefined> {
  if (positionals(args).length > 2) throw passwordInArguments()
  if (args[1] === 'remove') return undefined
  const typed = await askSecret('New password of this folder: ', stdin, stderr)
  requireGood(typed)
  if (!(await typedAgain(typed, stdin, stderr))) {
    throw new SottoError('E_PASSWORD_DIFFERS', 'The two passwords differ.', { kept: 'The password is as it was.' })
  }
  return typed
}
