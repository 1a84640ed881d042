/** Turns what the file system and SQLite report into errors that a person can act on. */
import { SottoError } from '#protocol/errors.ts'

/** Primary result codes of SQLite, and the one extended code that stands for a quota or a file size limit. */
const SQLITE = { busy: 5, full: 13, ioWrite: 778 } as const

const noRoom: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

const field = (error: unknown, name: 'code' | 'errcode'): unknown =>
  error instanceof Error && name in error ? (error as unknown as Record<string, unknown>)[name] : undefined

/**
 * E_DISK_FULL, E_STATE_BUSY, or E_STATE_UNREADABLE for everything else. A SottoError, and an error that comes from
 * neither SQLite nor the file system, is handed through.
 * @param doing what was under way, for example `write the chat state`
 */
export function stateFault(error: unknown, doing: string): unknown {
  if (error instanceof SottoError) return error
  const code = field(error, 'code')
  const sqlite = field(error, 'errcode')
  if (typeof sqlite === 'number') return sqliteFault(error, sqlite, doing)
  if (noRoom.has(code)) return diskFull(doing, error)
  if (typeof code !== 'string' || !/^E[A-Z]+$|^ERR_ACCESS_DENIED$/.test(code)) return error
  return unreadable(`Could not ${doing}: ${code}.`, error)
}

function sqliteFault(error: unknown, code: number, doing: string): SottoError {
  const primary = code & 0xff
  if (primary === SQLITE.full || code === SQLITE.ioWrite) return diskFull(doing, error)
  if (primary === SQLITE.busy) {
    return new SottoError('E_STATE_BUSY', `Could not ${doing}: another process uses it.`, { cause: error })
  }
  return unreadable(`Could not ${doing}: the file is damaged or not ours (SQLite ${code}).`, error)
}

function diskFull(doing: string, cause: unknown): SottoError {
  return new SottoError('E_DISK_FULL', `Could not ${doing}: no space is left.`, {
    kept: 'Everything stored before is kept.',
    cause,
  })
}

/** State that is damaged, incomplete or not ours. Nothing has been written when this is thrown. */
export function unreadable(what: string, cause?: unknown): SottoError {
  return new SottoError('E_STATE_UNREADABLE', what, { kept: 'Nothing was changed.', cause })
}
