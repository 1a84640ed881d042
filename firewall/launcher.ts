/**
 * Starts Sotto: this process becomes the broker, its child the core, with a pipe on descriptor 3 between them. The
 * terminal is the core's. Neither half outlives the other: the pipe ends with the broker, and the broker with the core.
 *
 * Both halves load at the same time: the core does nothing until the firewall has answered it (client/main.ts).
 */

import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync, fstatSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { coreArguments, coreEnvironment } from './core-process.ts'
import { fileGrants } from './file-grants.ts'
import { privateFolder, refuseLinks } from './folder.ts'
import { invitedKind, join as joinByInvite, wantsToJoin } from './join.ts'
import type { PipeSocket } from './line.ts'
import type { LocalBroker } from './local-broker.ts'
import {
  brokerFolder,
  EVENTS_FD,
  eventsDescriptor,
  passwordPath,
  stateFolder,
  wantsToChangePassword,
} from './options.ts'
import { KEY_FD, type KeyAnswer } from './security-key/answer.ts'
import type { Unlocked } from './unlock.ts'
import { readsCredentials, readWayChange, wantsToChangeWays } from './way-commands.ts'

export interface LaunchOptions {
  /** Main module of the core. */
  readonly entry: string
  /** Folder of the program's package.json. */
  readonly root: string
  /** The command line, for launcher and core alike. */
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Opens the firewall on its folder. */
  readonly openBroker: (folder: string, unlocked: Unlocked | undefined) => Promise<LocalBroker>
  /** What somebody else has unlocked; otherwise it is asked for here. */
  readonly unlocked?: Unlocked | undefined
  /** Invite of a `join` that somebody else has read; otherwise it is asked for here. */
  readonly link?: string | undefined
  /** Calls what starts the core; a process that is locked down starts nothing otherwise. */
  readonly starting?: <T>(start: () => T) => T
}

/** How the core ended: one of `code` and `signal`, as in Node. */
export interface CoreEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** E_FIREWALL_BROKEN: the core broke the rules of the pipe and was stopped. */
  readonly error?: SottoError
}

interface Core {
  readonly child: ChildProcess
  readonly ended: Promise<CoreEnd>
}

/**
 * Runs until the core has ended, then closes the firewall.
 * @throws SottoError E_USAGE, E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL; then the core has done nothing
 */
export async function launch(options: LaunchOptions): Promise<CoreEnd> {
  process.umask(0o077)
  const state = stateFolder(options.args, options.env)
  const core = join(state, 'core')
  const events = eventsDescriptor(options.args)
  if (events !== undefined) requireStream(events)
  await privateFolder(core)
  await refuseLinks(core)
  const folder = brokerFolder(options.args, options.env)
  const opened = options.unlocked ?? (await unlocked(folder, options.args))
  // Other commands load nothing for a security key.
  const keys = options.args[0] === 'identity' ? await import('./security-key/asking.ts') : undefined
  const wish = keys?.keyWish(options.args)
  // Where the firewall has to ask the person something, the terminal is its own until it has.
  const isAsked = wish !== undefined || isAskedFirst(options.args)
  const early = isAsked ? undefined : startCore(options, state, core)
  const broker = await options.openBroker(folder, opened).catch((error: unknown) => {
    early?.child.kill('SIGKILL')
    throw error
  })
  try {
    if (isAsked) await prepare(options, broker)
    const answer = wish && (await keys?.askAttached(wish, options))
    return await accompany(early ?? startCore(options, state, core, answer), broker)
  } finally {
    await broker.close()
  }
}

/** Asks for the password of the folder; most have none, and load nothing of it. */
async function unlocked(folder: string, args: readonly string[]): Promise<Unlocked | undefined> {
  return existsSync(passwordPath(folder))
    ? await (await import('./unlock.ts')).unlock(folder, args, process)
    : undefined
}

/** True for what the firewall does itself, after asking. */
const isAskedFirst = (args: readonly string[]): boolean =>
  wantsToJoin(args) || wantsToChangeWays(args) || wantsToChangePassword(args)

/** What the firewall does itself before the core goes on. A failure is told by the core, which asks for the same. */
async function prepare({ args, link }: LaunchOptions, broker: LocalBroker): Promise<void> {
  const joins = wantsToJoin(args)
  if (joins && link !== undefined) await broker.admitInvite(link, invitedKind(args)).catch(() => undefined)
  else if (joins) await joinByInvite(broker, invitedKind(args), process)
  if (wantsToChangeWays(args)) await broker.changeWays(readWayChange(args, process)).catch(() => undefined)
  if (wantsToChangePassword(args)) {
    const { readNewPassword } = await import('./unlock.ts')
    await broker.changePassword(readNewPassword(args, process)).catch(() => undefined)
  }
}

function startCore(
  { entry, root, args, env, starting }: LaunchOptions,
  state: string,
  core: string,
  answer?: KeyAnswer,
): Core {
  const events = eventsDescriptor(args)
  // A pipe that held the link, or a password, has been read to its end.
  const isRead = wantsToJoin(args) || readsCredentials(args) || wantsToChangePassword(args)
  const input = isRead && !process.stdin.isTTY ? 'ignore' : 'inherit'
  const files = fileGrants(args, realpathSync(core))
  const argv = coreArguments({ entry, root, state, core, args, files, launcherFlags: process.execArgv })
  // Nobody wants both: events are of conversations.
  const last: StdioOptions = answer !== undefined ? ['pipe'] : events === undefined ? [] : [events]
  const stdio: StdioOptions = [input, 'inherit', 'inherit', 'pipe', ...last]
  const start = (): ChildProcess => spawn(process.execPath, argv, { stdio, env: coreEnvironment(env, core) })
  // Before there is a core that could send us one.
  const handled = handSignalsOn()
  const child = (starting ?? ((run) => run()))(start)
  handled.to(child)
  if (answer !== undefined) tellAnswer(child, answer)
  const { promise, resolve, reject } = Promise.withResolvers<CoreEnd>()
  child.once('error', reject)
  child.once('exit', (code, signal) => resolve({ code, signal }))
  const ended = promise.finally(handled.stop)
  // It may end before anybody waits for that.
  ended.catch(() => {})
  return { child, ended }
}

function tellAnswer(child: ChildProcess, answer: KeyAnswer): void {
  const pipe = child.stdio[KEY_FD] as PipeSocket
  // A core that has ended before reads nothing.
  pipe.on('error', () => {})
  pipe.end(JSON.stringify(answer))
}

/** Serves the core while it runs. */
async function accompany({ child, ended }: Core, broker: LocalBroker): Promise<CoreEnd> {
  let error: SottoError | undefined
  // Loaded only now, while the core loads: nothing that starting it needs.
  const { serveBroker } = await import('./broker.ts')
  const server = serveBroker(broker, child.stdio[3] as PipeSocket, (cause) => {
    if (!isSottoError(cause, 'E_FIREWALL_BROKEN')) return
    error = cause
    child.kill('SIGKILL')
  })
  try {
    return { ...(await ended), ...(error === undefined ? {} : { error }) }
  } finally {
    server.close()
  }
}

/**
 * Signals to the launcher are meant for the program. A terminal sends SIGINT to both halves by itself; SIGUSR1 would
 * open Node's debugger in the process that has the network, so it does nothing.
 */
function handSignalsOn(): { readonly to: (child: ChildProcess) => void; readonly stop: () => void } {
  let core: ChildProcess | undefined
  const on = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGUSR1' && (signal !== 'SIGINT' || !process.stdin.isTTY)) core?.kill(signal)
  }
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1']
  for (const signal of signals) process.on(signal, on)
  return {
    to: (child) => {
      core = child
    },
    stop: () => {
      for (const signal of signals) process.off(signal, on)
    },
  }
}

/** Our parent must really have left the descriptor open: Node uses free numbers for itself. */
function requireStream(fd: number): void {
  try {
    const stats = fstatSync(fd)
    if (stats.isFIFO() || stats.isSocket() || stats.isFile() || stats.isCharacterDevice()) return
  } catch {
    // Told below.
  }
  throw new SottoError('E_USAGE', `--events-fd ${EVENTS_FD}: descriptor ${fd} is not open.`)
}
