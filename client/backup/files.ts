/** Files outside the state folder that a person named on the command line; the launcher has allowed just these. */
import { closeSync, constants, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { SottoError } from '#protocol/errors.ts'
import { BACKUP_FILE_MAX } from './read.ts'

/** New only, and on disk when it is written: Node's permissions know no `fsync` of a descriptor. */
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_SYNC

/** @throws SottoError E_FILE */
export function readNamed(path: string): Uint8Array {
  return orFault(`read ${path}`, () => {
    if (statSync(path).size > BACKUP_FILE_MAX) throw new SottoError('E_FILE', `${path} is too large for a backup.`)
    return new Uint8Array(readFileSync(path))
  })
}

/** A file of mode 0600, whole or not at all. What is there already is never overwritten. @throws SottoError E_FILE */
export function writeNew(path: string, content: Uint8Array | string): void {
  orFault(`write ${path}`, () => {
    const fd = openSync(path, NEW, 0o600)
    try {
      const bytes = Buffer.from(content as string)
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    } catch (error) {
      // The disk is full, say: what is cut off would be taken for a backup.
      unlinkSync(path)
      throw error
    } finally {
      closeSync(fd)
    }
  })
}

/** As `writeNew`, all of them or none: parts of one backup beside those of another would be taken for a set. @throws SottoError E_FILE */
export function writeAllNew(files: readonly (readonly [path: string, content: Uint8Array])[]): void {
  const written: string[] = []
  try {
    for (const [path, content] of files) {
      writeNew(path, content)
      written.push(path)
    }
  } catch (error) {
    for (const path of written) unlinkSync(path)
    throw error
  }
}

function orFault<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof SottoError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      throw new SottoError('E_FILE', `Cannot ${what}: it is there already, and is left as it is.`, {
        next: 'Name another file.',
      })
    }
    throw new SottoError('E_FILE', `Cannot ${what} (${code}).`, { cause })
  }
}
