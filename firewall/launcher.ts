/**
 * Starts Sotto: this process becomes the broker, its child the core, with a pipe on descriptor 3 between them. The
 * terminal is the core's. Neither half outlives the other: the pipe ends with the broker, and the broker with the core.
 */

import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn } from 'node:child_process'
import { fstatSync } from 'node:fs'
import { join } from 'node:path'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { serveBroker } from './broker.ts'
import { coreArguments, coreEnvironment } from './core-process.ts'
import { fileGrants } from './file-grants.ts'
import { privateFolder, refuseLinks } from './folder.ts'
import { join as joinByInvite, wantsToJoin } from './join.ts'
import type { LocalBroker } from './library.ts'
import type { PipeSocket } from './line.ts'
import { brokerFolder, EVENTS_FD, eventsDescriptor, stateFolder } from './options.ts'
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
  readonly openBroker: (folder: string) => Promise<LocalBroker>
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

/**
 * Runs until the core has ended, then closes the firewall.
 * @throws SottoError E_USAGE, E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL; then no core was started
 */
export async function launch(options: LaunchOptions): Promise<CoreEnd> {
  process.umask(0o077)
  const state = stateFolder(options.args, options.env)
  const core = join(state, 'core')
  const events = eventsDescriptor(options.args)
  if (events !== undefined) requireStream(events)
  await privateFolder(core)
  await refuseLinks(core)
  const broker = await options.openBroker(brokerFolder(options.args, options.env))
  try {
    const { entry, root, args } = options
    const joins = wantsToJoin(args)
    if (joins && options.link !== undefined) await broker.admitInvite(options.link).catch(() => undefined)
    else if (joins) await joinByInvite(broker, process)
    if (wantsToChangeWays(args)) await broker.changeWays(readWayChange(args, process)).catch(() => undefined)
    // A pipe that held the link, or a password, has been read to its end.
    const input = (joins || readsCredentials(args)) && !process.stdin.isTTY ? 'ignore' : 'inherit'
    const files = fileGrants(args)
    const argv = coreArguments({ entry, root, state, core, args, files, launcherFlags: process.execArgv })
    const stdio: StdioOptions = [input, 'inherit', 'inherit', 'pipe', ...(events === undefined ? [] : [events])]
    const env = coreEnvironment(options.env, core)
    const child = (options.starting ?? ((start) => start()))(() => spawn(process.execPath, argv, { stdio, env }))
    return await accompany(child, broker)
  } finally {
    await broker.close()
  }
}

/** Serves the core while it runs. */
async function accompany(child: ChildProcess, broker: LocalBroker): Promise<CoreEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<CoreEnd>()
  let error: SottoError | undefined
  const server = serveBroker(broker, child.stdio[3] as PipeSocket, (cause) => {
    if (!isSottoError(cause, 'E_FIREWALL_BROKEN')) return
    error = cause
    child.kill('SIGKILL')
  })
  const restore = handSignalsOn(child)
  child.once('error', reject)
  child.once('exit', (code, signal) => resolve({ code, signal, ...(error === undefined ? {} : { error }) }))
  try {
    return await promise
  } finally {
    restore()
    server.close()
  }
}

/**
 * Signals to the launcher are meant for the program. A terminal sends SIGINT to both halves by itself; SIGUSR1 would
 * open Node's debugger in the process that has the network, so it does nothing. Returns how to take it back.
 */
function handSignalsOn(child: ChildProcess): () => void {
  const on = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGUSR1' && (signal !== 'SIGINT' || !process.stdin.isTTY)) child.kill(signal)
  }
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1']
  for (const signal of signals) process.on(signal, on)
  return () => {
    for (const signal of signals) process.off(signal, on)
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
