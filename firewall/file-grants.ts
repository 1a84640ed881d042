/**
 * Files outside the state folder that the core may open: those that the person has named on the command line, each alone,
 * for reading or for writing; and where people send each other files, a folder. A core cannot name one.
 */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { optionValues, positionals } from './options.ts'

export interface FileGrants {
  readonly read: readonly string[]
  readonly write: readonly string[]
  /** Folders below which all may be written. */
  readonly folders?: readonly string[]
}

/** The pictures that `--codes FOLDER` makes. */
export const codeFiles = (folder: string): string[] =>
  [1, 2, 3].map((index) => join(folder, `sotto-backup-${index}-of-3.png`))

/** Of each member another one: what an earlier try has left there is its own, and nobody else is writing it. */
const draftName = (core: string): string => `.sotto-part-${hex(sha256(utf8(core))).slice(0, 8)}`
/**
 * Where a file is written before it gets its name: beside it, or in a folder whatever it will be called.
 * @param core the core's folder, which one process alone has open
 */
export const draftOf = (file: string, core: string): string => file + draftName(core)
export const draftIn = (folder: string, core: string): string => join(folder, draftName(core))

/**
 * @param core the core's folder
 * @throws SottoError E_USAGE for a path that Node's permissions would take for many: a pattern, or a folder with all in it
 */
export function fileGrants(args: readonly string[], core: string): FileGrants {
  const [noun, verb] = args
  if (noun === 'identity') return ofIdentity(args, core)
  if (noun === 'send') return { read: single(optionValues(args, '--file')).flatMap(bothNames), write: [] }
  if (noun === 'files' && verb === 'save')
    return ofSaving(optionValues(args, '--to'), optionValues(args, '--into'), core)
  if (noun === 'card') return ofNew(optionValues(args, '--file'), core)
  if (noun === 'contacts' && verb === 'add')
    return { read: single(optionValues(args, '--file')).flatMap(bothNames), write: [] }
  if (noun === 'profile') return ofProfile(args, core)
  if (noun === 'chat') return ofChat(optionValues(args, '--files'))
  return { read: [], write: [] }
}

function ofIdentity(args: readonly string[], core: string): FileGrants {
  const [, verb, ...rest] = args
  const files = optionValues(args, '--file')
  const read = optionValues(args, '--dongle')
  const write: string[] = []
  if (verb === 'backup') write.push(...files, ...optionValues(args, '--codes').flatMap(codeFiles))
  else if (verb === 'dongle') write.push(...positionals(rest).slice(0, 1))
  else read.push(...files)
  const made = ofNew(write, core)
  return { read: [...single(read).flatMap(bothNames), ...made.read], write: made.write }
}

/** Files that are to be made, each with its draft, which is read where it gets its name. */
function ofNew(paths: readonly string[], core: string): FileGrants {
  const drafts = single(paths).flatMap((path) => newNames(draftOf(path, core)))
  return { read: drafts, write: [...paths.flatMap(newNames), ...drafts] }
}

function ofProfile(args: readonly string[], core: string): FileGrants {
  const [, verb, name] = args
  const read = verb === 'avatar' && name !== undefined && !name.startsWith('-') ? [name] : []
  const made = ofNew(verb === 'save' ? optionValues(args, '--to') : [], core)
  return { read: [...single(read).flatMap(bothNames), ...made.read], write: made.write }
}

/** Into a folder the core may write, and see nothing of what is there but its own draft. */
function ofSaving(files: readonly string[], folders: readonly string[], core: string): FileGrants {
  requireFolders(folders)
  const drafts = [...files.map((file) => draftOf(file, core)), ...folders.map((folder) => draftIn(folder, core))]
  const own = [...single(files), ...drafts].flatMap(bothNames)
  return { read: own, write: own, folders: folders.flatMap(bothNames) }
}

/** One folder, for what is sent and what comes. */
function ofChat(paths: readonly string[]): FileGrants {
  requireFolders(paths)
  const folders = paths.flatMap(bothNames)
  return { read: folders, write: [], folders }
}

function requireFolders(paths: readonly string[]): void {
  refusePatterns(paths)
  const missing = paths.find((path) => !isFolder(path))
  if (missing !== undefined) throw new SottoError('E_USAGE', `There is no folder ${missing}.`)
}

function single(paths: readonly string[]): readonly string[] {
  refusePatterns(paths)
  const folder = paths.find(isFolder)
  if (folder !== undefined) throw new SottoError('E_USAGE', `A file cannot be named ${folder} here.`)
  return paths
}

function refusePatterns(paths: readonly string[]): void {
  const pattern = paths.find((path) => path.includes('*'))
  if (pattern !== undefined) throw new SottoError('E_USAGE', `A file cannot be named ${pattern} here.`)
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** The file is not there yet; its folder may be a link. */
function writable(path: string): string {
  const folder = dirname(resolve(path))
  return join(existsSync(folder) ? realpathSync(folder) : folder, basename(path))
}

/** As the person writes it, and where its folder lies; a link in its place leads nowhere: nothing is written there. */
const newNames = (path: string): string[] => [...new Set([resolve(path), writable(path)])]

/** As the person writes it, which is how the core asks for it, and where that leads. */
function bothNames(path: string): string[] {
  const real = existsSync(path) ? realpathSync(path) : writable(path)
  return [...new Set([resolve(path), real])]
}
