/**
 * `identity ... --dongle FILE` where the file belongs to a security key, and `identity dongle FILE --fido2`, which makes one: the
 * key is asked by the launcher, before there is a core, which starts no programs. The core gets the answer on a descriptor.
 */
import { readFileSync, readSync, statSync } from 'node:fs'
import { isatty } from 'node:tty'
import { base64url } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { FidoLimits } from '../limits.ts'
import { hasFlag, optionValues } from '../options.ts'
import { askSecret } from '../prompt.ts'
import type { KeyAnswer } from './answer.ts'
import { type FidoTools, fidoTools, type Starting, unfit } from './fido-tools.ts'
import { isKeyFile, keyFileText, readKeyFile, SALT_LENGTH } from './key-file.ts'

/** What the command line wants of a security key. */
export type KeyWish = { readonly kind: 'make' } | { readonly kind: 'open'; readonly file: string }

/** How a key is reached and a person talked to. */
interface KeyGround {
  readonly tools: FidoTools
  readonly askPin: () => Promise<string>
  /** Tells the person to touch it. */
  readonly touch: () => void
}

/** undefined where no security key is needed. */
export function keyWish(args: readonly string[]): KeyWish | undefined {
  const [noun, verb] = args
  if (noun !== 'identity' || hasFlag(args, '--help') || hasFlag(args, '-h')) return undefined
  if (verb === 'dongle') return hasFlag(args, '--fido2') ? { kind: 'make' } : undefined
  const path = optionValues(args, '--dongle').at(-1)
  const file = path === undefined ? '' : smallText(path)
  return isKeyFile(file) ? { kind: 'open', file } : undefined
}

/** What is no file, or too long, is nothing of ours: the core says what is wrong with it. */
function smallText(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  try {
    return found?.isFile() && found.size <= FidoLimits.fileBytes ? readFileSync(path, 'latin1') : ''
  } catch {
    return ''
  }
}

interface Launch {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly starting?: Starting
}

/** Asks a key that is plugged into this machine, with its person at the terminal. */
export function askAttached(wish: KeyWish, launch: Launch): Promise<KeyAnswer> {
  const { args, env, starting = (start) => start() } = launch
  return askKey(wish, args, {
    tools: fidoTools(starting, env.PATH),
    askPin,
    // A program that reads what we print has no finger.
    touch: () => void (isatty(2) && process.stderr.write('Touch the security key.\n')),
  })
}

/** Asks the key. What went wrong is part of the answer: the core tells it as it tells everything. */
async function askKey(wish: KeyWish, args: readonly string[], ground: KeyGround): Promise<KeyAnswer> {
  try {
    const [device] = optionValues(args, '--device').slice(-1)
    return wish.kind === 'make' ? await makeFile(device, ground) : await secretOf(wish.file, device, ground)
  } catch (error) {
    if (!isSottoError(error)) throw error
    return { code: error.code, what: error.message, next: error.next }
  }
}

async function makeFile(named: string | undefined, { tools, askPin, touch }: KeyGround): Promise<KeyAnswer> {
  const device = await theDevice(tools, named)
  const { hmacSecret, pin } = await tools.traits(device)
  if (!hmacSecret) throw unfit()
  const typed = pin ? await askPin() : undefined
  touch()
  const credential = await tools.makeCredential(device, typed)
  return { text: keyFileText({ pin, salt: randomBytes(SALT_LENGTH), credential }) }
}

async function secretOf(
  file: string,
  named: string | undefined,
  { tools, askPin, touch }: KeyGround,
): Promise<KeyAnswer> {
  const { pin, salt, credential } = readKeyFile(file)
  const device = await theDevice(tools, named)
  const typed = pin ? await askPin() : undefined
  touch()
  return { secret: base64url(await tools.secretOf(device, credential, salt, typed)) }
}

/** @throws SottoError E_USAGE, E_FIDO_NONE, E_FIDO_SEVERAL */
async function theDevice(tools: FidoTools, named: string | undefined): Promise<string> {
  if (named?.startsWith('-')) throw new SottoError('E_USAGE', `--device cannot be ${named}.`)
  if (named !== undefined) return named
  const [first, ...others] = await tools.list()
  if (first === undefined) throw new SottoError('E_FIDO_NONE', 'No security key is plugged in.')
  if (others.length > 0) {
    throw new SottoError('E_FIDO_SEVERAL', `Several security keys are plugged in: ${[first, ...others].join(', ')}.`)
  }
  return first
}

/** From a terminal without showing; otherwise the first line of standard input, and not an octet more. */
async function askPin(): Promise<string> {
  // The core reads on where we stop: no stream of ours must begin to read the pipe.
  const typed = isatty(0) ? await askSecret('PIN of the security key: ', process.stdin, process.stderr) : firstLine(0)
  // What a key can have (CTAP 2, section 5.5.1): 4 to 63 octets.
  const { length } = Buffer.from(typed)
  if (length >= 4 && length <= 63 && !typed.includes('\0')) return typed
  throw new SottoError('E_FIDO_PIN', 'This cannot be the PIN of a security key: one has 4 to 63 octets.')
}

function firstLine(fd: number): string {
  const [octet, line] = [Buffer.alloc(1), Buffer.alloc(256)]
  let length = 0
  while (length < line.length && readSync(fd, octet) === 1 && octet[0] !== 0x0a) line[length++] = octet[0]!
  return line.toString('utf8', 0, length).replace(/\r$/, '')
}
