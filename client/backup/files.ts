/** Files outside the state folder that a person named on the command line; the launcher has allowed just these. */
import { closeSync, constants, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { draftOf } from '#firewall/file-grants.ts'
import { utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { placed } from '../files/placed.ts'
import { writeFlushed } from '../store/folder.ts'

/** Octets of one file. A photograph of a code; anything else is a kilobyte. */
const FILE_MAX = 33_554_432

/** A file that is to be, and what is in it. */
type NewFile = readonly [path: string, content: Uint8Array | string]

/** @throws SottoError E_FILE */
export function readNamed(path: string): Uint8Array {
  return orFault(`read ${path}`, () => {
    if (statSync(path).size > FILE_MAX) throw new SottoError('E_FILE', `${path} is too large for a backup.`)
    return new Uint8Array(readFileSync(path))
  })
}

/**
 * A file of mode 0600, whole or not at all, also where the power fails; on the disk when this returns. What is there already is
 * never overwritten.
 * @param core the core's folder: what a try before this has left there is its own, and goes
 * @throws SottoError E_FILE
 */
export function writeNew(path: string, content: Uint8Array | string, core: string): void {
  writeAllNew([[path, content]], core)
}

/** As `writeNew`, all of them or none: parts of one backup beside those of another would be taken for a set. @throws SottoError E_FILE */
export function writeAllNew(files: readonly NewFile[], core: string): void {
  const named: string[] = []
  try {
    // Whole before the first has its name: a full disk leaves none.
    for (const [path, content] of files) orFault(`write ${path}`, () => draft(draftOf(path, core), octetsOf(content)))
    for (const [path, content] of files) {
      orFault(`write ${path}`, () => {
        if (!placed(draftOf(path, core), path)) throw taken(path)
        named.push(path)
        flushName(path, octetsOf(content))
      })
    }
  } catch (error) {
    for (const path of named) remove(path)
    throw error
  } finally {
    for (const [path] of files) remove(draftOf(path, core))
  }
}

const octetsOf = (content: Uint8Array | string): Uint8Array => (typeof content === 'string' ? utf8(content) : content)

function draft(path: string, content: Uint8Array): void {
  remove(path)
  writeFlushed(path, content)
}

/** A journal takes a file's names to the disk with the file: its first octet is written again, and waited for. */
function flushName(path: string, content: Uint8Array): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_SYNC | constants.O_NOFOLLOW)
  try {
    writeSync(file, content, 0, 1, 0)
  } finally {
    closeSync(file)
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is not there.
  }
}

function orFault<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof SottoError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    throw new SottoError('E_FILE', `Cannot ${what} (${code}).`, { cause })
  }
}

const taken = (path: string): SottoError =>
  new SottoError('E_FILE', `Cannot write ${path}: it is there already, and is left as it is.`, {
    next: 'Name another file.',
  })
