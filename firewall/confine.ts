/**
 * Loaded into the core before anything else (`--import`). Node's permission model does not cover what node:sqlite opens
 * natively: paths given to it, ATTACH, VACUUM INTO and backup reach any file of the user (measured on Node 26.10). This
 * replaces the class, so that a database lies in the core's folder or in memory, whoever asks.
 *
 * Everything used at run time is captured here, before the core's code could change it.
 */
import './denials.ts'
import { syncBuiltinESMExports } from 'node:module'
import { resolve, sep } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

const { apply, construct, defineProperty } = Reflect
const { startsWith } = String.prototype
const sqlite = process.getBuiltinModule('node:sqlite')
const { DatabaseSync: Native, backup: nativeBackup } = sqlite
const { open: nativeOpen, setAuthorizer: nativeSetAuthorizer } = Native.prototype
const { SQLITE_ATTACH, SQLITE_DENY, SQLITE_OK, SQLITE_PRAGMA } = sqlite.constants

/** The folder of the core, which the launcher names before single files. Without one, nothing is allowed. */
const folder: string = writableFolder() + sep

function writableFolder(): string {
  const flag = '--allow-fs-write='
  const grants = process.execArgv.filter((arg) => arg.startsWith(flag))
  const [first] = grants
  if (first === undefined) throw denied('a core without a folder')
  return resolve(first.slice(flag.length))
}

function denied(what: string): Error {
  return Object.assign(new Error(`Access to ${what} has been restricted`), { code: 'ERR_ACCESS_DENIED' })
}

/** Absolute path in the folder, or memory. No URI: `file:` would bring parameters and another spelling. */
function confinedPath(path: unknown): string {
  if (path === ':memory:') return path
  if (typeof path !== 'string' || !apply(startsWith, path, ['/'])) throw denied('a database outside the core')
  const absolute = resolve(path)
  if (!apply(startsWith, absolute, [folder])) throw denied('a database outside the core')
  return absolute
}

/** VACUUM attaches an unnamed file, which is SQLite's own; ATTACH and VACUUM INTO name one, perhaps not yet known. */
function authorize(action: number, subject: string | null): number {
  if (action === SQLITE_ATTACH) return subject === '' ? SQLITE_OK : SQLITE_DENY
  if (action !== SQLITE_PRAGMA) return SQLITE_OK
  return subject === 'temp_store_directory' || subject === 'data_store_directory' ? SQLITE_DENY : SQLITE_OK
}

function open(this: DatabaseSync): void {
  apply(nativeOpen, this, [])
  apply(nativeSetAuthorizer, this, [authorize])
}

function setAuthorizer(): never {
  throw denied('the authorizer of a database')
}

function backup(source: DatabaseSync, path: unknown, options?: unknown): Promise<number> {
  return apply(nativeBackup, undefined, [source, confinedPath(path), options ?? {}])
}

const Confined: typeof DatabaseSync = new Proxy(Native, {
  construct(target, args, newTarget) {
    const options: { open?: boolean } = { ...args[1] }
    const database: DatabaseSync = construct(target, [confinedPath(args[0]), { ...options, open: false }], newTarget)
    if (options.open !== false) apply(open, database, [])
    return database
  },
})

for (const [holder, replacements] of [
  [Native.prototype, { open, setAuthorizer, constructor: Confined }],
  [sqlite, { DatabaseSync: Confined, backup }],
] as const) {
  for (const [name, value] of Object.entries(replacements)) defineProperty(holder, name, { value, writable: false })
}
syncBuiltinESMExports()
