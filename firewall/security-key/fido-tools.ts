/**
 * A security key (FIDO 2 with the extension hmac-secret), asked through Debian's `fido2-tools`. Their manual pages give the
 * lines that they read and print. What they read goes to their standard input, never into arguments; so does the PIN, once they
 * ask for it: they run without a terminal of their own.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { SottoError } from '#protocol/errors.ts'
import { FidoLimits } from '../limits.ts'

/** What a key says of itself. */
export interface KeyTraits {
  readonly hmacSecret: boolean
  /** True where a PIN was set. */
  readonly pin: boolean
}

export interface FidoTools {
  /** Paths of the keys that are plugged in. */
  list(): Promise<readonly string[]>
  traits(device: string): Promise<KeyTraits>
  /** Has the key make a credential, after a touch. It keeps nothing of it: the id that comes back is all there is. */
  makeCredential(device: string, pin: string | undefined): Promise<Uint8Array>
  /** 32 octets that this key alone makes of `salt`, the same each time, after a touch. */
  secretOf(device: string, credential: Uint8Array, salt: Uint8Array, pin: string | undefined): Promise<Uint8Array>
}

/** The name under which keys know us; some show it. */
const RELYING_PARTY = 'sotto'
const SECRET_LENGTH = 32
/** Where a line of the output stands (fido2-cred(1), fido2-assert(1)). */
const CREDENTIAL_LINE = 4
const SECRET_LINE = 4

/** Calls what starts a program; a process that is locked down starts nothing otherwise. */
export type Starting = <T>(start: () => T) => T

/** @throws SottoError of each method: E_FIDO_TOOLS, E_FIDO_NONE, E_FIDO_OTHER, E_FIDO_PIN, E_FIDO_BLOCKED, E_FIDO_TOUCH, E_FIDO_FAILED */
export function fidoTools(
  starting: Starting,
  path: string | undefined,
  limits: { readonly callMs: number; readonly outputCharacters: number } = FidoLimits,
): FidoTools {
  const run = (name: string, args: readonly string[], input = '', pin?: string): Promise<string[]> =>
    toEnd(
      starting(() => spawn(name, args, { env: { PATH: path }, detached: true })),
      { name, input, pin, ...limits },
    )
  const fresh = (): string => base64(randomBytes(32))
  return {
    list: async () => (await run('fido2-token', ['-L'])).flatMap((line) => /^(.+?): vendor=0x/.exec(line)?.[1] ?? []),
    traits: async (device) => {
      const told = await run('fido2-token', ['-I', device])
      const has = (name: string, value: string): boolean =>
        told.some(
          (line) =>
            line.startsWith(`${name}: `) &&
            line
              .slice(name.length + 2)
              .split(', ')
              .includes(value),
        )
      return { hmacSecret: has('extension strings', 'hmac-secret'), pin: has('options', 'clientPin') }
    },
    makeCredential: async (device, pin) => {
      const input = `${fresh()}\n${RELYING_PARTY}\n${RELYING_PARTY}\n${fresh()}\n`
      const id = octets((await run('fido2-cred', ['-M', '-h', device], input, pin))[CREDENTIAL_LINE])
      if (id.length < 1 || id.length > FidoLimits.credentialBytes) throw failed('it gave no credential')
      return id
    },
    secretOf: async (device, credential, salt, pin) => {
      const input = `${fresh()}\n${RELYING_PARTY}\n${base64(credential)}\n${base64(salt)}\n`
      const flags = pin === undefined ? ['-G', '-h'] : ['-G', '-h', '-v']
      const secret = octets((await run('fido2-assert', [...flags, device], input, pin))[SECRET_LINE])
      if (secret.length !== SECRET_LENGTH) throw failed('it gave no secret')
      return secret
    },
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const octets = (line = ''): Uint8Array => new Uint8Array(Buffer.from(line, 'base64'))

interface Call {
  readonly name: string
  /** For its standard input. */
  readonly input: string
  /** For when it asks. */
  readonly pin: string | undefined
  readonly callMs: number
  readonly outputCharacters: number
}

/** The lines that a program printed, once it has ended well. */
function toEnd(
  child: ChildProcessWithoutNullStreams,
  { name, input, pin, callMs, outputCharacters }: Call,
): Promise<string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string[]>()
  let [out, told] = ['', '']
  let isLate = false
  let waits = pin
  const end = (): void => void child.kill('SIGKILL')
  const late = setTimeout(() => {
    isLate = true
    end()
  }, callMs)
  const unwatch = endsWithUs(end)
  const take = (before: string, chunk: string): string => {
    if (before.length + chunk.length > outputCharacters) end()
    return (before + chunk).slice(0, outputCharacters)
  }
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => (out = take(out, chunk)))
  child.stderr.setEncoding('latin1').on('data', (chunk: string) => {
    told = take(told, chunk)
    // Not before: what comes with the other lines is read together with them, and lost.
    if (waits === undefined || !/\bPIN for\b/.test(told)) return
    child.stdin.write(`${waits}\n`)
    waits = undefined
  })
  // It may end without reading.
  child.stdin.on('error', () => {})
  child.stdin.write(input)
  const over = (): void => {
    clearTimeout(late)
    unwatch()
  }
  child.once('error', () => {
    over()
    reject(new SottoError('E_FIDO_TOOLS', `The program ${name} cannot be started.`))
  })
  child.once('close', (status) => {
    over()
    if (status === 0) resolve(out.split('\n'))
    else reject(isLate ? untouched() : causeOf(told))
  })
  return promise
}

/** A program without our terminal does not hear of Ctrl-C. */
function endsWithUs(end: () => void): () => void {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const on = (signal: NodeJS.Signals): void => {
    end()
    off()
    process.kill(process.pid, signal)
  }
  const off = (): void => {
    for (const signal of signals) process.off(signal, on)
  }
  for (const signal of signals) process.on(signal, on)
  return off
}

/** What the name of an error of libfido2 means for a person. None of its text is shown: it may quote what a device said. */
function causeOf(told: string): SottoError {
  const [name = ''] = /\bFIDO_ERR_\w+/.exec(told) ?? []
  if (told.includes('fido_dev_open')) {
    return new SottoError('E_FIDO_NONE', 'No security key answers there, or you may not open the device.')
  }
  if (/_(NO_CREDENTIALS|INVALID_CREDENTIAL)$/.test(name)) {
    return new SottoError('E_FIDO_OTHER', 'The file of --dongle was made with another security key than this one.')
  }
  if (/_PIN_(AUTH_)?BLOCKED$|_UV_BLOCKED$/.test(name)) {
    return new SottoError('E_FIDO_BLOCKED', 'The security key takes no PIN now: too many were wrong.')
  }
  if (/_PIN_|_UV_INVALID$/.test(name)) return new SottoError('E_FIDO_PIN', 'The PIN of the security key is wrong.')
  if (/_TIMEOUT$|_KEEPALIVE_CANCEL$|_OPERATION_DENIED$|_UP_REQUIRED$/.test(name)) return untouched()
  if (/_UNSUPPORTED_(EXTENSION|OPTION|ALGORITHM)$/.test(name)) return unfit()
  return failed(name === '' ? 'it ended without saying why' : name)
}

export const unfit = (): SottoError =>
  new SottoError('E_FIDO_UNFIT', 'This security key cannot make secrets: it has no hmac-secret.')

const untouched = (): SottoError => new SottoError('E_FIDO_TOUCH', 'The security key was not touched in time.')

const failed = (what: string): SottoError => new SottoError('E_FIDO_FAILED', `The security key failed: ${what}.`)
