/**
 * `--confine`: this process becomes the gate and starts the broker, and with it the core, where the kernel keeps the network
 * away from both. Layers, each where the kernel has it: a network namespace without a network, a filter of system calls, and
 * Landlock. Without one of the first two nothing is started.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { base64url } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { AUDIT_FILES, AuditLog } from '../audit.ts'
import { readableParts } from '../core-process.ts'
import { fileGrants } from '../file-grants.ts'
import { privateFolder } from '../folder.ts'
import { wantsToJoin } from '../join.ts'
import type { CoreEnd } from '../launcher.ts'
import type { Leave } from '../lockdown.ts'
import {
  brokerFolder,
  browserOption,
  EVENTS_FD,
  eventsDescriptor,
  gateFolder,
  isIpv6Only,
  stateFolder,
  wantsToChangePassword,
} from '../options.ts'
import type { FirewallEvent } from '../permit.ts'
import { readText } from '../prompt.ts'
import { systemBroker } from '../system-broker.ts'
import { unlock } from '../unlock.ts'
import { wantsToChangeWays } from '../way-commands.ts'
import { refusedByKernel } from './counters.ts'
import { filterProgram } from './filter.ts'
import { serveGate } from './gate.ts'
import { GateList } from './gate-list.ts'
import type { Beginning } from './gate-messages.ts'
import { NOT_BOUND, type Plan } from './plan.ts'
import { readReports } from './reports.ts'

export interface ConfineOptions {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly leave: Leave
  /** Main module of the bound broker, and arguments for it. */
  readonly main: string
  /** Main module of the core, and the program's folder: what may be read. */
  readonly entry: string
  readonly root: string
}

/** How often the kernel's counters are read, milliseconds: an event each time somebody has tried. */
const COUNT_MS = 500
/** Descriptors of the channel to the gate, and of what the filter's supervisor tells it. */
const CHANNEL = 3
const REPORT = 5

/**
 * Runs until the broker has ended.
 * @throws SottoError E_CONFINE where the kernel offers too little; as `launch` otherwise
 */
export async function confined(options: ConfineOptions): Promise<CoreEnd> {
  process.umask(0o077)
  const { args, env, leave } = options
  if (wantsToChangeWays(args)) throw new SottoError('E_USAGE', 'The way out is chosen without --confine.')
  if (wantsToChangePassword(args)) throw new SottoError('E_USAGE', 'The password is set without --confine.')
  if (browserOption(args) !== undefined) {
    // It has sandboxes and local sockets of its own, which is what the kernel refuses here.
    throw new SottoError('E_USAGE', 'A browser of this machine does not go with --confine.')
  }
  if (await needsKey(args)) throw new SottoError('E_USAGE', 'A security key is asked without --confine.')
  const state = stateFolder(args, env)
  const layers = layersHere(leave)
  const { list, beginning } = await prepare(options, state)
  const gate = gateFolder(brokerFolder(args, env))
  for (const folder of [join(state, 'core'), gate]) await privateFolder(folder)
  const audit = new AuditLog(join(gate, AUDIT_FILES[0]))
  const tell = (event: Omit<FirewallEvent, 'at'>): void => audit.record({ at: Date.now(), ...event })
  const broker = startBroker(options, state, layers)
  const counting = layers.namespace ? count(broker, tell) : () => {}
  const reported = readReports(broker, REPORT, {
    told: ({ call, origin }) => tell({ kind: 'refused', reason: 'kernel-denied', call, origin }),
    // Somebody does not want told what is tried.
    lost: () => broker.kill('SIGKILL'),
  })
  serveGate(broker, {
    ...{ list, leave, beginning },
    refused: (what) => tell({ kind: 'refused', reason: 'kernel-denied', call: `gate.${what}`, origin: 'the broker' }),
  })
  const restore = handSignalsOn(broker)
  try {
    return await ended(broker)
  } finally {
    counting()
    restore()
    await reported
    await audit.close()
  }
}

/** A confined broker reaches no device, and loads nothing that would. */
const needsKey = async (args: readonly string[]): Promise<boolean> =>
  args[0] === 'identity' && (await import('../security-key/asking.ts')).keyWish(args) !== undefined

export interface Layers {
  readonly namespace: boolean
  readonly filter: boolean
}

/** @throws SottoError E_CONFINE */
export function layersHere({ starting }: Pick<Leave, 'starting'>): Layers {
  if (process.platform !== 'linux') throw unavailable('This works on Linux only.')
  const unshared = starting(() => spawnSync('unshare', [...UNSHARE, 'true'], { stdio: 'ignore' }))
  const layers = {
    namespace: unshared.status === 0,
    filter: filterProgram(process.arch, { noSockets: true, told: false }) !== undefined,
  }
  if (!layers.namespace && !layers.filter) throw unavailable('This kernel offers nothing that would do.')
  return layers
}

const UNSHARE = ['--user', '--map-current-user', '--keep-caps', '--net', '--']

function unavailable(what: string): SottoError {
  return new SottoError('E_CONFINE', `The kernel cannot confine Sotto here. ${what}`)
}

/** What needs no network: the list as it stands, and an invite, which the gate reads so that its gateways are on the list. */
async function prepare(
  { args, leave }: ConfineOptions,
  state: string,
): Promise<{ readonly list: GateList; readonly beginning: Beginning }> {
  const folder = join(state, 'firewall')
  const unlocked = await unlock(folder, args, process)
  const broker = await systemBroker(folder, leave.way, { ipv6Only: isIpv6Only(args), unlocked })
  try {
    const link = wantsToJoin(args) ? await readText('Invite link: ', process.stdin, process.stderr) : undefined
    // What is wrong with it the broker tells, which has it admitted again.
    if (link !== undefined) await broker.admitInvite(link).catch(() => undefined)
    const beginning: Beginning = {
      ...(link !== undefined && { link }),
      ...(unlocked && { unlocked: { ...unlocked, secret: base64url(unlocked.secret) } }),
    }
    return { list: new GateList(broker.targets()), beginning }
  } finally {
    await broker.close()
  }
}

function startBroker(options: ConfineOptions, state: string, layers: Layers): ChildProcess {
  const { args, env, leave, main } = options
  const events = eventsDescriptor(args)
  const { write, folders = [] } = fileGrants(args, join(state, 'core'))
  const plan: Plan = {
    filter: layers.filter,
    landlock: true,
    noSockets: !layers.namespace,
    // Where the filter alone keeps the network away, nobody but the kernel answers for it.
    ...(layers.namespace && { report: REPORT }),
    writable: [...writable(state), ...write.map(dirname), ...folders],
    readable: readable(options, state),
    fds: [CHANNEL, ...(events === undefined ? [] : [events])],
    env: { NODE_CHANNEL_FD: String(CHANNEL), NODE_CHANNEL_SERIALIZATION_MODE: 'json' },
  }
  const argv = [process.execPath, ...process.execArgv, '--no-experimental-ffi', main, ...args]
  const [command, ...rest] = boundCommand(layers, plan, argv)
  const input = wantsToJoin(args) && !process.stdin.isTTY ? 'ignore' : 'inherit'
  const stdio = [input, 'inherit', 'inherit', 'ipc', events === undefined ? 'ignore' : EVENTS_FD, 'pipe'] as const
  return leave.starting(() => spawn(command!, rest, { env, stdio: [...stdio] }))
}

/** The command that runs `argv` bound. */
export function boundCommand({ namespace }: Layers, plan: Plan, argv: readonly string[]): string[] {
  const enter = join(import.meta.dirname, `enter${extname(import.meta.filename)}`)
  return [
    ...(namespace ? ['unshare', ...UNSHARE] : []),
    ...[process.execPath, '--no-warnings', enter, JSON.stringify(plan)],
    ...argv,
  ]
}

/** The state of the two halves, and devices: our own terminal, `/dev/null` and its like. */
function writable(state: string): string[] {
  const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`)
  const own = [0, 1, 2]
    .map((fd) => readlinkSync(`/proc/self/fd/${fd}`))
    .filter((path) => /^\/dev\/(pts\/|tty)/.test(path))
  const all = [...new Set([...devices, ...own])].filter((path) => existsSync(path))
  return [join(state, 'core'), join(state, 'firewall'), ...all]
}

/** What programs need of the system, where it is there: libraries, settings, the kernel's own files. */
const ofSystem = ['/usr', '/lib', '/lib64', '/bin', '/sbin', '/etc', '/nix', '/gnu', '/proc', '/sys'] as const

/** The system's files, the program's and those that the person has named: not the user's own. */
function readable({ args, entry, root }: ConfineOptions, state: string): string[] {
  const program = readableParts({ root: realpathSync(root), state: realpathSync(state), entry: realpathSync(entry) })
  const named = fileGrants(args, join(state, 'core')).read.filter((path) => existsSync(path))
  const runtime = dirname(realpathSync(process.execPath))
  return [...ofSystem.filter((path) => existsSync(path)), ...program, runtime, ...named]
}

function count(broker: ChildProcess, tell: (event: Omit<FirewallEvent, 'at'>) => void): () => void {
  // The kernel tries a few packets of its own when the loopback comes up: not before the broker is there.
  let known: number | undefined
  const look = (): void => {
    const now = broker.pid === undefined ? undefined : refusedByKernel(broker.pid)
    if (now !== undefined && known !== undefined && now > known) {
      tell({ kind: 'refused', reason: 'kernel-denied', count: now - known })
    }
    known = now ?? known
  }
  broker.once('message', look)
  const timer = setInterval(look, COUNT_MS)
  return () => {
    clearInterval(timer)
    look()
  }
}

function ended(broker: ChildProcess): Promise<CoreEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<CoreEnd>()
  broker.once('error', reject)
  broker.once('exit', (code, signal) => {
    if (code === NOT_BOUND) reject(unavailable('A layer that should be there could not be had.'))
    else resolve({ code, signal })
  })
  return promise
}

/** As the launcher does for its core: SIGUSR1 would open Node's debugger here, where the network is. */
function handSignalsOn(broker: ChildProcess): () => void {
  const on = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGUSR1' && (signal !== 'SIGINT' || !process.stdin.isTTY)) broker.kill(signal)
  }
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1']
  for (const signal of signals) process.on(signal, on)
  return () => {
    for (const signal of signals) process.off(signal, on)
  }
}
