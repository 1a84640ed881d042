/** A file that the person has named, read as it was when it was opened. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { safeFileName } from '#client/chat/files/file-name.ts'
import { SottoError } from '#protocol/errors.ts'

/** A pipe would keep us waiting for somebody to write. */
const HOW = constants.O_RDONLY | constants.O_NONBLOCK

/** @throws SottoError E_FILE: not there, no file, not readable; also where it becomes shorter while it is read */
export class OpenFile {
  readonly name: string
  readonly size: number
  private readonly descriptor: number

  constructor(path: string) {
    this.name = safeFileName(basename(path))
    this.descriptor = told(path, () => openSync(path, HOW))
    const stats = fstatSync(this.descriptor)
    this.size = stats.size
    if (stats.isFile()) return
    this.close()
    throw new SottoError('E_FILE', `${path} is no file.`)
  }

  readonly read = (at: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      const count = told(this.name, () => readSync(this.descriptor, bytes, done, length - done, at + done))
      if (count === 0) throw new SottoError('E_FILE', `${this.name} has become shorter while it was read.`)
      done += count
    }
    return bytes
  }

  close(): void {
    closeSync(this.descriptor)
  }
}

function told<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw new SottoError('E_FILE', `${path} cannot be read: ${code}.`, { cause })
  }
}
