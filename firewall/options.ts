/**
 * The few options that the launcher reads from the command line before the core sees it, and where the state lies. The
 * line goes on to the core unchanged, so the core asks the same functions.
 */
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { SottoError } from '#protocol/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Environment variable by which the launcher tells the core its folder. */
export const CORE_FOLDER = 'SOTTO_CORE'

/** Environment variable of msgpackr, which otherwise tries to load an add-on, is refused, and goes on without. */
export const NO_ADDON = 'MSGPACKR_NATIVE_ACCELERATION_DISABLED'

const CONFINE = '--confine'

/** True where the command line is for the firewall, and no core is wanted. */
export function isForFirewall(args: readonly string[]): boolean {
  return args[0] === 'firewall' || (args[0] === 'peer' && args[1] === 'allow')
}

/** True where the kernel shall keep the network away from broker and core: before any `--`. */
export function isConfined(args: readonly string[]): boolean {
  const at = args.indexOf(CONFINE)
  const end = args.indexOf('--')
  return at >= 0 && (end < 0 || at < end)
}

/** The command line that goes on. */
export function withoutConfine(args: readonly string[]): string[] {
  const at = args.indexOf(CONFINE)
  return args.filter((_, index) => index !== at)
}

/** Descriptor of the event stream, in the launcher and in the core. */
export const EVENTS_FD = 4

/**
 * Absolute path of the state folder: `--state DIR`, else SOTTO_STATE, else `sotto` in the user's data folder (XDG).
 * @throws SottoError E_USAGE where `--state` has no value
 */
export function stateFolder(args: readonly string[], env: Environment): string {
  const given = optionValue(args, '--state') ?? env.SOTTO_STATE
  if (given !== undefined && given !== '') return resolve(given)
  const data = env.XDG_DATA_HOME
  return join(data?.startsWith('/') ? data : join(homedir(), '.local', 'share'), 'sotto')
}

/** The folder that belongs to the core. */
export function coreFolder(args: readonly string[], env: Environment): string {
  return env[CORE_FOLDER] ?? join(stateFolder(args, env), 'core')
}

/** The folder that belongs to the broker. */
export function brokerFolder(args: readonly string[], env: Environment): string {
  return join(stateFolder(args, env), 'firewall')
}

/** The folder that belongs to the gate of a confined run, beside the broker's. */
export function gateFolder(broker: string): string {
  return join(dirname(broker), 'gate')
}

/**
 * Descriptor on which a parent program wants machine-readable events, if it asked for it.
 * @throws SottoError E_USAGE for another than `EVENTS_FD`
 */
export function eventsDescriptor(args: readonly string[]): typeof EVENTS_FD | undefined {
  const given = optionValue(args, '--events-fd')
  if (given === undefined) return undefined
  if (given !== String(EVENTS_FD)) throw new SottoError('E_USAGE', `--events-fd must be ${EVENTS_FD}.`)
  return EVENTS_FD
}

/** True where the command line changes the password of the folder. No question for its help. */
export function wantsToChangePassword([noun, verb, ...rest]: readonly string[]): boolean {
  const asks = rest.some((arg) => arg === '--help' || arg === '-h')
  return noun === 'password' && (verb === 'set' || verb === 'remove') && !asks
}

/** What the broker's folder holds of its password (password.ts). */
export function passwordPath(broker: string): string {
  return join(broker, 'password')
}

/** True where the person wants no address of IPv4 to be dialed in this run. */
export function isIpv6Only(args: readonly string[]): boolean {
  return hasFlag(args, '--ipv6-only')
}

/** True where looks of Node are to speak HTTP/2 in this run. */
export function wantsHttp2(args: readonly string[]): boolean {
  return hasFlag(args, '--http2')
}

/** True for a flag before any `--`. */
export function hasFlag(args: readonly string[], name: string): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? args.length : end).includes(name)
}

/** The browser that the person wants to go through, by its name or file. @throws SottoError E_USAGE without a value */
export function browserOption(args: readonly string[]): string | undefined {
  return optionValue(args, '--browser')
}

/** The last of `optionValues`. */
function optionValue(args: readonly string[], name: string): string | undefined {
  return optionValues(args, name).at(-1)
}

/** Every `--name VALUE` and `--name=VALUE`, before any `--`. @throws SottoError E_USAGE where a value is missing */
export function optionValues(args: readonly string[], name: string): string[] {
  const end = args.indexOf('--')
  const values: string[] = []
  for (const [at, arg] of args.slice(0, end < 0 ? args.length : end).entries()) {
    if (arg.startsWith(`${name}=`)) values.push(arg.slice(name.length + 1))
    if (arg === name) values.push(args[at + 1] ?? '')
  }
  if (values.includes('')) throw new SottoError('E_USAGE', `${name} needs a value.`)
  return values
}

/** Options with a value of the commands that name a file without an option. */
const valued: readonly string[] = ['--state', '--look', '--browser', '--device', '--password-file']

/** What is neither an option nor the value of one. */
export function positionals(args: readonly string[]): string[] {
  const end = args.indexOf('--')
  const before = args.slice(0, end < 0 ? args.length : end)
  const plain = before.filter((arg, at) => !arg.startsWith('-') && !valued.includes(before[at - 1] ?? ''))
  return [...plain, ...args.slice(before.length + 1)]
}
