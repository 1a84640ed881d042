/**
 * Files outside the state folder that the core may open: those that the person has named on the command line of a backup
 * or a restoration, each alone, for reading or for writing. A core cannot name one.
 */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { SottoError } from '#protocol/errors.ts'
import { optionValues } from './options.ts'

export interface FileGrants {
  readonly read: readonly string[]
  readonly write: readonly string[]
}

/** The pictures that `--codes FOLDER` makes. */
export const codeFiles = (folder: string): string[] =>
  [1, 2, 3].map((index) => join(folder, `sotto-backup-${index}-of-3.png`))

/** @throws SottoError E_USAGE for a path that Node's permissions would take for many: a pattern, or a folder with all in it */
export function fileGrants(args: readonly string[]): FileGrants {
  const [noun, verb, name] = args
  if (noun !== 'identity') return { read: [], write: [] }
  const files = optionValues(args, '--file')
  const read = optionValues(args, '--dongle')
  const write: string[] = []
  if (verb === 'backup') write.push(...files, ...optionValues(args, '--codes').flatMap(codeFiles))
  else if (verb === 'dongle') write.push(...(name === undefined ? [] : [name]))
  else read.push(...files)
  const bad = [...read, ...write].find((path) => path.includes('*') || isFolder(path))
  if (bad !== undefined) throw new SottoError('E_USAGE', `A file cannot be named ${bad} here.`)
  return { read: read.map(readable), write: write.map(writable) }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** What a link leads to is what is opened. */
const readable = (path: string): string => (existsSync(path) ? realpathSync(path) : resolve(path))

/** The file is not there yet; its folder may be a link. */
function writable(path: string): string {
  const folder = dirname(resolve(path))
  return join(existsSync(folder) ? realpathSync(folder) : folder, basename(path))
}
