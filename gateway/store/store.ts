/**
 * The gateway's durable state: named tables of sealed records in one LMDB file. Reads are immediate. Writes happen in
 * transactions, which LMDB's own thread commits in groups and flushes before `transaction` resolves. Several processes
 * may have the store open (the gateway and the command line).
 */

import { existsSync, statfsSync } from 'node:fs'
import { chmod, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import type { Random } from '#protocol/bytes.ts'
import { utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import { commitFault, diskFull, stateFault, unreadable } from './faults.ts'
import { StoreLimits } from './limits.ts'
import { checkDataFile } from './preflight.ts'
import { createSealer, type Sealer } from './seal.ts'

export interface StoreOptions {
  /** Made with mode 0700 where it is missing and `create` is set. */
  readonly folder: string
  /** 32 octets; whoever has it and the file can read everything. */
  readonly key: Uint8Array
  /** Every table that will be asked for. */
  readonly tables: readonly string[]
  /** Make a new store where there is none; otherwise a missing one is E_STATE_UNREADABLE. */
  readonly create?: boolean
  readonly limits?: Partial<StoreLimits>
  readonly random?: Random
  /** Octets free on the file system of `folder`. */
  readonly freeBytes?: () => number
}

/** A record as `scan` finds it; its id is not on disk. */
export interface Entry {
  readonly location: Uint8Array
  readonly value: Uint8Array
}

export interface Table {
  /** A copy of the value. @throws SottoError E_STATE_UNREADABLE where the record is damaged or moved */
  get(id: Uint8Array): Uint8Array | undefined
  has(id: Uint8Array): boolean
  /** Inside a transaction only. */
  put(id: Uint8Array, value: Uint8Array): void
  /** Inside a transaction only. False where there was none. */
  remove(id: Uint8Array): boolean
  /** Up to `limit` records behind `after`, in the meaningless but stable order of their locations. */
  scan(after: Uint8Array | undefined, limit: number): Entry[]
}

export interface Store {
  /** @throws RangeError for a name that was not given to `openStore` */
  table(name: string): Table
  /**
   * Runs `change` alone among all transactions of all processes; all its writes take effect or none. Resolves when they
   * are on disk. `change` must not wait for anything. `frees`: the change makes room, so it may pass the limits.
   * @throws SottoError E_DISK_FULL at the limit or without space; what `change` throws
   */
  transaction<T>(change: () => T, options?: { readonly frees?: boolean }): Promise<T>
  /** Octets of pages in use. */
  usedBytes(): number
  /** Waits for what is under way. */
  close(): Promise<void>
}

const DATA_FILE = 'data.mdb'
const META = 'meta'
const markerId: Uint8Array = utf8('marker')
const marker = 'sotto store 1'

type Raw = Database<Buffer, Uint8Array>

/** @throws SottoError E_STATE_UNREADABLE (missing, damaged, foreign, other key), E_DISK_FULL */
export async function openStore(options: StoreOptions): Promise<Store> {
  try {
    await prepareFolder(options)
    const limits: StoreLimits = { ...StoreLimits, ...options.limits }
    const store = new LmdbStore(options, limits)
    try {
      await store.checkMarker(options.create === true)
    } catch (error) {
      await store.close()
      throw error
    }
    return store
  } catch (error) {
    throw stateFault(error, `open the store in ${options.folder}`)
  }
}

async function prepareFolder({ folder, create }: StoreOptions): Promise<void> {
  const file = join(folder, DATA_FILE)
  if (!existsSync(file)) {
    if (!create) throw unreadable(`There is no store in ${folder}.`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    return
  }
  const { mode } = await stat(folder)
  if ((mode & 0o077) !== 0) throw unreadable(`Others may enter ${folder}: its mode must be 0700.`)
  await checkDataFile(file)
}

/** Page counts of one table as LMDB reports them. */
interface Pages {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/**
 * What one transaction writes at the most: a body of 22 KiB, lists, and the pages of the trees above them. A template pack
 * is longer (256 KiB); only the operator writes one, now and then, and the reserve holds it.
 */
const TRANSACTION_BYTES = 65_536
/** Transactions between two measurements of the space in use. */
const MEASURE_EVERY = 64

class LmdbStore implements Store {
  private readonly root: RootDatabase<Buffer, Uint8Array>
  private readonly tables = new Map<string, LmdbTable>()
  private readonly limits: StoreLimits
  private readonly freeBytes: () => number
  private sinceMeasured = MEASURE_EVERY
  private measured = 0
  private running = 0
  /** Transactions under way: their octets are not on disk yet. */
  private pending = 0

  constructor(options: StoreOptions, limits: StoreLimits) {
    this.limits = limits
    this.freeBytes = options.freeBytes ?? (() => freeBytesOf(options.folder))
    if (this.freeBytes() < limits.reserveBytes / 2) throw diskFull('open the store')
    const raw = { encoding: 'binary', keyEncoding: 'binary' } as const
    const names = [META, ...options.tables]
    this.root = open({
      ...raw,
      path: join(options.folder, DATA_FILE),
      maxDbs: names.length + 1,
      // A commit resolves after it is flushed, and its failure reaches the one who wrote.
      overlappingSync: false,
      eventTurnBatching: false,
      // Read by the native part; the typings lack it.
      ...({ permissionsMode: 0o600 } as object),
    })
    const random = options.random ?? randomBytes
    for (const name of names) {
      const table = this.root.openDB<Buffer, Uint8Array>(name, raw)
      this.tables.set(name, new LmdbTable(table, createSealer(options.key, name, random), () => this.running > 0))
    }
  }

  /** A sealed record tells whether the key fits, before anything is read or written under it. */
  async checkMarker(create: boolean): Promise<void> {
    const meta = this.tables.get(META)!
    // A store without any record is one whose making was interrupted.
    if (create && meta.empty) await this.transaction(() => meta.put(markerId, utf8(marker)))
    if (meta.empty) throw unreadable('The making of the store broke off: run sotto gateway init again.')
    if (!meta.has(markerId)) throw unreadable('The store was made with another store.key, or is not a Sotto store.')
    meta.get(markerId)
  }

  table(name: string): Table {
    const table = this.tables.get(name)
    if (table === undefined) throw new RangeError(`no table ${name}`)
    return table
  }

  async transaction<T>(change: () => T, { frees = false }: { readonly frees?: boolean } = {}): Promise<T> {
    this.checkRoom(frees)
    let thrown: { readonly error: unknown } | undefined
    const run = (): T => {
      this.running++
      try {
        return change()
      } catch (error) {
        thrown = { error }
        throw error
      } finally {
        this.running--
      }
    }
    this.pending++
    try {
      return await this.root.childTransaction(run)
    } catch (error) {
      throw thrown?.error ?? (await commitFault(error))
    } finally {
      this.pending--
    }
  }

  usedBytes(): number {
    this.sinceMeasured = 0
    this.measured = 0
    for (const table of this.tables.values()) this.measured += table.usedBytes()
    return this.measured
  }

  async close(): Promise<void> {
    await this.root.close()
  }

  private checkRoom(frees: boolean): void {
    const promised = this.pending * TRANSACTION_BYTES
    const reserve = frees ? this.limits.reserveBytes / 2 : this.limits.reserveBytes + promised
    if (this.freeBytes() < reserve) throw diskFull('write the store')
    if (frees) return
    const stale = ++this.sinceMeasured > MEASURE_EVERY || this.measured + promised >= this.limits.bytes
    const used = stale ? this.usedBytes() : this.measured
    if (used + promised >= this.limits.bytes) throw diskFull('write the store')
  }
}

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

class LmdbTable implements Table {
  private readonly raw: Raw
  private readonly sealer: Sealer
  private readonly writable: () => boolean

  constructor(raw: Raw, sealer: Sealer, writable: () => boolean) {
    this.raw = raw
    this.sealer = sealer
    this.writable = writable
  }

  get(id: Uint8Array): Uint8Array | undefined {
    const location = this.sealer.locate(id)
    const sealed = this.raw.get(location)
    return sealed === undefined ? undefined : this.unseal(location, sealed)
  }

  has(id: Uint8Array): boolean {
    return this.raw.doesExist(this.sealer.locate(id))
  }

  put(id: Uint8Array, value: Uint8Array): void {
    this.requireTransaction()
    const location = this.sealer.locate(id)
    this.raw.put(location, Buffer.from(this.sealer.seal(location, value)))
  }

  remove(id: Uint8Array): boolean {
    this.requireTransaction()
    const location = this.sealer.locate(id)
    if (!this.raw.doesExist(location)) return false
    this.raw.remove(location)
    return true
  }

  scan(after: Uint8Array | undefined, limit: number): Entry[] {
    const entries: Entry[] = []
    const range = this.raw.getRange(after === undefined ? { limit } : { start: after, limit: limit + 1 })
    for (const { key, value } of range) {
      const location = new Uint8Array(key)
      if (after !== undefined && Buffer.compare(location, after) === 0) continue
      if (entries.length < limit) entries.push({ location, value: this.unseal(location, value) })
    }
    return entries
  }

  get empty(): boolean {
    return this.raw.getKeysCount({ limit: 1 }) === 0
  }

  usedBytes(): number {
    const pages = this.raw.getStats() as Pages
    return pages.pageSize * (pages.treeBranchPageCount + pages.treeLeafPageCount + pages.overflowPages)
  }

  private unseal(location: Uint8Array, sealed: Uint8Array): Uint8Array {
    const value = this.sealer.open(location, sealed)
    if (value === undefined) throw unreadable('A record of the store is damaged, or was moved from another place.')
    return value
  }

  private requireTransaction(): void {
    if (!this.writable()) throw new Error('a table was written outside a transaction')
  }
}
