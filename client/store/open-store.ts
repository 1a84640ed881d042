/**
 * Opens the client's state, or makes it: `chat.db` (SQLite) and `device.key` in one folder. One process at a time.
 *
 * Journal: write-ahead, flushed on every commit (`synchronous = FULL`), truncated by `tidy` and on closing. With the
 * exclusive lock SQLite needs no shared memory file. Deleted content is overwritten (`secure_delete`).
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Random, utf8 } from '#protocol/bytes.ts'
import { createDeviceKey, type DeviceKey, lockDeviceKey, readDeviceKey } from './device-key.ts'
import { stateFault, unreadable } from './faults.ts'
import { createEmpty, privateFileExists, privateFolder } from './folder.ts'
import { SealedStore, tableSchema } from './sealed-store.ts'
import type { Store } from './store.ts'
import { FORMAT_VERSION } from './table-seal.ts'

export interface OpenOptions {
  /** Made where it is missing. Nothing outside it is read or written. */
  readonly folder: string
  /** Names of the tables, lower-case letters. Those missing are made. */
  readonly tables: readonly string[]
  readonly random: Random
  /** 32 octets where the folder has a password; a key that is not locked yet is locked then. */
  readonly lock?: Uint8Array | undefined
}

/** "SOTT": tells our file from any other SQLite file. */
const APPLICATION_ID = 0x534f5454
/** Holds one known row, which proves that the device key belongs to the file. */
const PROOF_TABLE = 'store'
const PROOF = utf8('sotto chat state')

/**
 * @throws SottoError E_STATE_BUSY where another process has it open, E_STATE_UNREADABLE where it is damaged, not ours, of
 * another version or without its key (nothing is changed then), E_DISK_FULL
 */
export function openStore(options: OpenOptions): Store {
  const bad = options.tables.find((name) => !/^[a-z]+$/.test(name) || name === PROOF_TABLE)
  if (bad !== undefined) throw new RangeError(`${bad} is no name for a table`)
  let database: DatabaseSync | undefined
  try {
    const { file, deviceKey } = prepareFiles(options)
    database = new DatabaseSync(file, { timeout: 0 })
    return openDatabase(database, options, deviceKey)
  } catch (error) {
    if (database?.isOpen) database.close()
    throw stateFault(error, `open the chat state in ${options.folder}`)
  }
}

/** The key is made before the first content, so content without a key means that the key was lost. */
function prepareFiles({ folder, random, lock }: OpenOptions): { file: string; deviceKey: DeviceKey } {
  privateFolder(folder)
  const file = join(folder, 'chat.db')
  const key = keyPathIn(folder)
  const exists = privateFileExists(file)
  if (!existsSync(key)) {
    if (exists) throw unreadable(`${key} is missing: without it nobody can read ${file}.`)
    createDeviceKey(key, lock, random)
  }
  if (!exists) createEmpty(file)
  return { file, deviceKey: readDeviceKey(key, lock) }
}

const keyPathIn = (folder: string): string => join(folder, 'device.key')

function openDatabase(database: DatabaseSync, options: OpenOptions, { key, isLocked }: DeviceKey): Store {
  const { lock, folder, random } = options
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  const isNew = number(database, 'page_count') === 0
  if (!isNew) requireOurs(database)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON`)
  database.exec('BEGIN IMMEDIATE')
  const tables = [...options.tables, PROOF_TABLE]
  database.exec(tableSchema(tables))
  const store = new SealedStore(database, tables, key, random)
  if (isNew) {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`)
    store.put(PROOF_TABLE, PROOF, PROOF)
  } else if (store.get(PROOF_TABLE, PROOF) === undefined) {
    throw unreadable('chat.db was made with another device key.')
  }
  const forget = lock !== undefined && !isLocked ? lockDeviceKey(keyPathIn(folder), lock, key, random) : undefined
  // The first write flushes the folder's own entry, and with it the new key file.
  if (forget !== undefined) store.put(PROOF_TABLE, PROOF, PROOF)
  database.exec('COMMIT')
  forget?.()
  return store
}

function requireOurs(database: DatabaseSync): void {
  if (number(database, 'application_id') !== APPLICATION_ID) throw unreadable('chat.db is not a file of Sotto.')
  const version = number(database, 'user_version')
  if (version === FORMAT_VERSION) return
  throw unreadable(`chat.db has format ${version}; this Sotto reads format ${FORMAT_VERSION}.`)
}

function number(database: DatabaseSync, pragma: string): number {
  return Number(database.prepare(`PRAGMA ${pragma}`).get()?.[pragma])
}
