/** How the core is started: which flags of Node confine it, what it may read and write, what of the environment it gets. */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SottoError } from '#protocol/errors.ts'
import type { FileGrants } from './file-grants.ts'
import { CORE_FOLDER, NO_ADDON } from './options.ts'
import { confineModule } from './program.ts'

export interface CorePlan {
  /** Main module of the core. */
  readonly entry: string
  /** Folder of the program's package.json. */
  readonly root: string
  /** State folder, and the core's part of it; both exist. */
  readonly state: string
  readonly core: string
  readonly args: readonly string[]
  /** Files that the person has named. */
  readonly files?: FileGrants
  /** Flags under which the launcher itself runs: those of the heap hold for the core as well. */
  readonly launcherFlags?: readonly string[]
}

const heapFlag = /^--(external-memory-accounted-in-global-limit$|initial-old-space-size=\d+$)/

/** Variables that the core may see: how to talk to a person, and our own. Nothing that loads code or names a proxy. */
const passed = /^(HOME|LANG|LANGUAGE|LC_\w+|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|COLUMNS|LINES|TZ|SOTTO_\w+)$/

/**
 * Arguments for Node. No network, processes, workers, add-ons, WASI, inspector; files only as said here.
 * @throws SottoError E_USAGE where the state folder lies so that the core could read the broker's part
 */
export function coreArguments(plan: CorePlan): string[] {
  const core = realpathSync(plan.core)
  const entry = realpathSync(plan.entry)
  const root = realpathSync(plan.root)
  const state = realpathSync(plan.state)
  const readable = [...readableParts({ root, state, entry }), core]
  const { read = [], write = [], folders = [] } = plan.files ?? {}
  // A folder that the person shares must not bring the broker's part along, nor the program.
  const shared = folders.find((path) => [state, root].some((own) => contains(path, own) || contains(own, path)))
  if (shared !== undefined) throw new SottoError('E_USAGE', `The folder for files cannot be ${shared}.`)
  if (!readable.some((path) => contains(path, entry)) || readable.some((path) => path.includes('*'))) {
    throw new SottoError('E_USAGE', `The state folder cannot be ${plan.state}.`, { next: 'Name another with --state.' })
  }
  return [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    ...read.map((path) => `--allow-fs-read=${path}`),
    // The core's folder first: databases lie there and nowhere else (confine.ts).
    `--allow-fs-write=${core}`,
    ...[...write, ...folders].map((path) => `--allow-fs-write=${path}`),
    // V8's own flags can make it write files anywhere (--trace-turbo-path): fixed once the process runs.
    '--freeze-flags-after-init',
    ...(plan.launcherFlags ?? []).filter((flag) => heapFlag.test(flag)),
    '--disable-sigusr1',
    `--import=${pathToFileURL(confineModule)}`,
    entry,
    ...plan.args,
  ]
}

export function coreEnvironment(env: NodeJS.ProcessEnv, core: string): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => passed.test(name))
  return { ...Object.fromEntries(kept), [NO_ADDON]: 'true', [CORE_FOLDER]: realpathSync(core) }
}

/** What of the program's folder the core is made of. Whatever else lies there may be the state of another member. */
const parts: readonly string[] = [
  ...['camouflage-templates', 'client', 'firewall', 'protocol'],
  ...['node_modules', 'package.json'],
]

/**
 * Parts of the program (all real paths), with that of its main module, but for the one that the state lies in: the core must not read the
 * broker's part. Where a package manager installed us, the dependencies lie beside us.
 */
export function readableParts({ root, state, entry }: Readonly<Record<'root' | 'state' | 'entry', string>>): string[] {
  const own = contains(root, entry) ? relative(root, entry).split(sep, 1) : []
  const paths = [...new Set([...parts, ...own])].sort().map((name) => join(root, name))
  // The loader asks for real paths: an entry that is a link is read where it leads.
  const inside = state === root ? [] : paths.filter((path) => existsSync(path)).flatMap(bothNames)
  const beside = dirname(root)
  return [...inside, ...(basename(beside) === 'node_modules' ? [beside] : [])].filter((path) => !contains(path, state))
}

function bothNames(path: string): string[] {
  return [...new Set([path, realpathSync(path)])]
}

function contains(path: string, inner: string): boolean {
  return inner === path || inner.startsWith(path.endsWith(sep) ? path : path + sep)
}
