/** The state folder: 0700, its files 0600, written so that a crash leaves a file whole or absent. */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { empty, hex, type Random, utf8 } from '#protocol/bytes.ts'
import { unreadable } from './faults.ts'

const OTHERS = 0o077

/**
 * Makes the folder where it is missing, and closes it to others.
 * @throws SottoError E_STATE_UNREADABLE where it is a link, no folder, or another user's
 */
export function privateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const stats = lstatSync(path)
  if (!stats.isDirectory()) throw unreadable(`${path} is no folder.`)
  requireOwner(path, stats)
  if ((stats.mode & OTHERS) !== 0) chmodSync(path, 0o700)
}

/**
 * True where the file is there; closes it to others. It never opens the file: closing a descriptor would drop the locks
 * that this process may hold on it.
 * @throws SottoError E_STATE_UNREADABLE where it is a link, no file, or another user's
 */
export function privateFileExists(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return false
  if (!stats.isFile()) throw unreadable(`${path} is no file.`)
  requireOwner(path, stats)
  if ((stats.mode & OTHERS) !== 0) chmodSync(path, 0o600)
  return true
}

function requireOwner(path: string, stats: Stats): void {
  const user = process.getuid?.()
  if (user !== undefined && stats.uid !== user) throw unreadable(`${path} belongs to another user (${stats.uid}).`)
}

/** Text of a file that nobody else could have read. @throws SottoError E_STATE_UNREADABLE */
export function readSecretText(path: string): string {
  const stats = lstatSync(path)
  if (!stats.isFile()) throw unreadable(`${path} is no file.`)
  requireOwner(path, stats)
  if ((stats.mode & OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0')
    throw unreadable(`${path} is open to others: its mode is ${mode} and must be 0600 (chmod 600 ${path}).`)
  }
  return readFileSync(path, 'utf8')
}

/**
 * Writes a new file, flushed, whole or not at all; never replaces one. The folder's own entry is flushed by SQLite, with
 * the first commit after this.
 */
export function createSecretText(path: string, text: string, random: Random): void {
  const draft = `${path}.${hex(random(6))}.draft`
  try {
    writeFlushed(draft, utf8(text))
    linkSync(draft, path) // unlike a rename, this fails where the name is taken
  } finally {
    if (lstatSync(draft, { throwIfNoEntry: false }) !== undefined) unlinkSync(draft)
  }
}

/**
 * As `createSecretText` for a file that is there. Returns what overwrites the old content, which has no name any more: to be
 * called once the folder's own entry is flushed. Disks that write elsewhere (flash, copy on write) keep it nevertheless.
 */
export function replaceSecretText(path: string, text: string, random: Random): () => void {
  const draft = `${path}.${hex(random(6))}.draft`
  const old = openSync(path, constants.O_WRONLY | constants.O_SYNC | constants.O_NOFOLLOW)
  try {
    writeFlushed(draft, utf8(text))
    renameSync(draft, path)
  } catch (error) {
    closeSync(old)
    if (lstatSync(draft, { throwIfNoEntry: false }) !== undefined) unlinkSync(draft)
    throw error
  }
  return () => {
    writeSync(old, new Uint8Array(fstatSync(old).size), 0)
    closeSync(old)
  }
}

/** Makes an empty file with mode 0600, where there is none. */
export function createEmpty(path: string): void {
  writeFlushed(path, empty)
}

/** Every write waits for the disk: `fsync` is not to be had under Node's permission model. */
const FLUSHED = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_SYNC

/** A new file of mode 0600; on the disk when this returns. */
export function writeFlushed(path: string, content: Uint8Array): void {
  const file = openSync(path, FLUSHED, 0o600)
  try {
    for (let at = 0; at < content.length; ) at += writeSync(file, content, at)
  } finally {
    closeSync(file)
  }
}
