/** Files outside the state folder that a person named on the command line; the launcher has allowed just these. */
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from 'node:fs'
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

/** A file of mode 0600. What is there already is never overwritten. @throws SottoError E_FILE */
export function writeNew(path: string, content: Uint8Array | string): void {
  orFault(`write ${path}`, () => {
    const fd = openSync(path, NEW, 0o600)
    try {
      writeSync(fd, Buffer.from(content as string))
    } finally {
      closeSync(fd)
    }
  })
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
