/** How the core is started: which flags of Node confine it, what it may read and write, what of the environment it gets. */
import { readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, extname, join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SottoError } from '#protocol/errors.ts'
import type { FileGrants } from './file-grants.ts'
import { CORE_FOLDER, NO_ADDON } from './options.ts'

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
  const readable = [...readableParts(realpathSync(plan.root), realpathSync(plan.state)), core]
  const entry = realpathSync(plan.entry)
  if (!readable.some((path) => contains(path, entry)) || readable.some((path) => path.includes('*'))) {
    throw new SottoError('E_USAGE', `The state folder cannot be ${plan.state}.`, { next: 'Name another with --state.' })
  }
  return [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    ...(plan.files?.read ?? []).map((path) => `--allow-fs-read=${path}`),
    // The core's folder first: databases lie there and nowhere else (confine.ts).
    `--allow-fs-write=${core}`,
    ...(plan.files?.write ?? []).map((path) => `--allow-fs-write=${path}`),
    // V8's own flags can make it write files anywhere (--trace-turbo-path): fixed once the process runs.
    '--freeze-flags-after-init',
    ...(plan.launcherFlags ?? []).filter((flag) => heapFlag.test(flag)),
    '--disable-sigusr1',
    `--import=${pathToFileURL(join(import.meta.dirname, `confine${extname(import.meta.filename)}`))}`,
    entry,
    ...plan.args,
  ]
}

export function coreEnvironment(env: NodeJS.ProcessEnv, core: string): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => passed.test(name))
  return { ...Object.fromEntries(kept), [NO_ADDON]: 'true', [CORE_FOLDER]: realpathSync(core) }
}

/**
 * Entries of the program's folder, except hidden ones and the one that the state lies in: the core must not read the
 * broker's part. Where a package manager installed us, the dependencies lie beside us.
 */
function readableParts(root: string, state: string): string[] {
  const entries = readdirSync(root).filter((name) => !name.startsWith('.'))
  // The loader asks for real paths: an entry that is a link is read where it leads.
  const parts = state === root ? [] : entries.flatMap((name) => bothNames(join(root, name)))
  const beside = dirname(root)
  return [...parts, ...(basename(beside) === 'node_modules' ? [beside] : [])].filter((path) => !contains(path, state))
}

function bothNames(path: string): string[] {
  return [...new Set([path, realpathSync(path)])]
}

function contains(path: string, inner: string): boolean {
  return inner === path || inner.startsWith(path + sep)
}
