/**
 * One broker for one state folder. The lock is SQLite's own on an empty database: the system drops it with the process,
 * however that ends, so a crash leaves nothing to clean up.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SottoError } from '#protocol/errors.ts'
import { unreadable } from './folder.ts'

/** Keeps the databases from being collected as garbage, which would close them. */
const held = new Set<DatabaseSync>()

/**
 * Holds `folder` until the returned function is called.
 * @throws SottoError E_STATE_BUSY, E_STATE_UNREADABLE
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'lock')
  let release = (): void => {}
  try {
    // Never opened beside SQLite: closing a second descriptor would drop the lock of the whole process.
    if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600))
    const database = new DatabaseSync(path, { timeout: 0 })
    held.add(database)
    release = () => {
      if (held.delete(database)) database.close()
    }
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return release
  } catch (cause) {
    release()
    if (isBusy(cause)) throw new SottoError('E_STATE_BUSY', `${folder} is in use by another Sotto.`, { cause })
    throw unreadable(path, 'it is no lock file', cause)
  }
}

const SQLITE_BUSY = 5

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}
