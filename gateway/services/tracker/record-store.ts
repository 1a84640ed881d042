/**
 * What a tracker has on disk: one LMDB file with records and questions, as they came. They are sealed by those who wrote
 * them, under keys that this machine never has, so they are not sealed once more: nothing here could open them.
 *
 * LMDB keeps them in memory as far as there is room, so there is no other cache.
 */
import { existsSync, statfsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { commitFault, diskFull, stateFault } from '#gateway/store/faults.ts'
import { checkDataFile } from '#gateway/store/preflight.ts'
import { requirePrivate } from '#gateway/store/secret-file.ts'
import type { Millis } from '#protocol/bytes.ts'
import { TrackerLimits } from '#protocol/tracker/limits.ts'
import { RECORD_LENGTH, readHead } from '#protocol/tracker/record.ts'

export interface RecordStoreOptions {
  /** Made with mode 0600 where it is missing. */
  readonly file: string
  readonly limits?: Partial<TrackerLimits>
  /** Octets free on the file system of `file`. */
  readonly freeBytes?: () => number
}

type Raw = Database<Buffer, Uint8Array>

/** Page counts of one table as LMDB reports them. */
interface Pages {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}

/** Changes between two measurements of the space in use. */
const MEASURE_EVERY = 256
/** What they may add in the meantime: two records and the pages above them each, far more than they do. */
const MARGIN_BYTES: number = MEASURE_EVERY * 4 * 4_096

export interface RecordCounts {
  readonly records: number
  readonly questions: number
  /** Octets of pages in use. */
  readonly bytes: number
}

export class RecordStore {
  private readonly root: RootDatabase<Buffer, Uint8Array>
  private readonly records: Raw
  private readonly questions: Raw
  private readonly limits: TrackerLimits
  private readonly freeBytes: () => number
  private sinceMeasured = MEASURE_EVERY
  private isFull = false
  private sweptTo: Uint8Array | undefined

  /** @throws SottoError E_STATE_UNREADABLE (damaged, foreign, open to others), E_DISK_FULL */
  static async open(options: RecordStoreOptions): Promise<RecordStore> {
    const { file } = options
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      if (existsSync(file)) {
        await requirePrivate(file)
        await checkDataFile(file)
      }
      return new RecordStore(options)
    } catch (error) {
      throw stateFault(error, `open ${file}`)
    }
  }

  private constructor({ file, limits, freeBytes }: RecordStoreOptions) {
    this.limits = { ...TrackerLimits, ...limits }
    this.freeBytes = freeBytes ?? (() => freeBytesAt(dirname(file)))
    if (this.freeBytes() < this.limits.reserveBytes) throw diskFull('open the tracker’s store')
    const raw = { encoding: 'binary', keyEncoding: 'binary' } as const
    this.root = open({
      ...raw,
      path: file,
      noSubdir: true,
      maxDbs: 3,
      // A commit resolves after it is flushed, and its failure reaches the one who wrote.
      overlappingSync: false,
      eventTurnBatching: false,
      // Read by the native part; the typings lack it.
      ...({ permissionsMode: 0o600 } as object),
    })
    this.records = this.root.openDB<Buffer, Uint8Array>('records', raw)
    this.questions = this.root.openDB<Buffer, Uint8Array>('questions', raw)
  }

  /** A copy. */
  record(key: Uint8Array): Uint8Array | undefined {
    return copyOf(this.records.get(key))
  }

  /** A copy. */
  question(key: Uint8Array): Uint8Array | undefined {
    return copyOf(this.questions.get(key))
  }

  /** Whether there is room for somebody new. Those who are known change in place. */
  hasRoom(): boolean {
    if (++this.sinceMeasured > MEASURE_EVERY) {
      this.sinceMeasured = 0
      this.isFull = this.counts().bytes + MARGIN_BYTES > this.limits.bytes
    }
    return !this.isFull
  }

  /**
   * Runs `change` alone among all changes; all it writes takes effect or none. Resolves when it is on disk.
   * @throws SottoError E_DISK_FULL; what `change` throws
   */
  async change<T>(change: () => T): Promise<T> {
    // LMDB must never meet a full disk (store/limits.ts).
    if (this.freeBytes() < this.limits.reserveBytes) throw diskFull('write the tracker’s store')
    let thrown: { readonly error: unknown } | undefined
    const run = (): T => {
      try {
        return change()
      } catch (error) {
        thrown = { error }
        throw error
      }
    }
    try {
      return await this.root.childTransaction(run)
    } catch (error) {
      throw thrown?.error ?? (await commitFault(error))
    }
  }

  /** Inside a change only. */
  putRecord(key: Uint8Array, record: Uint8Array): void {
    void this.records.put(key, Buffer.from(record))
  }

  /** Inside a change only. */
  putQuestion(key: Uint8Array, question: Uint8Array): void {
    void this.questions.put(key, Buffer.from(question))
  }

  /** Inside a change only: the record and the question beside it. */
  remove(key: Uint8Array): void {
    void this.records.remove(key)
    void this.questions.remove(key)
  }

  /**
   * Looks at the next few records, in the order of their keys, and removes those whose time is over. Returns how many.
   * @throws SottoError E_DISK_FULL
   */
  async sweep(now: Millis, count: number): Promise<number> {
    const gone: Uint8Array[] = []
    let seen = 0
    for (const { key, value } of this.records.getRange(this.rangeFrom(count))) {
      seen++
      this.sweptTo = new Uint8Array(key)
      if (this.isOver(value, now)) gone.push(this.sweptTo)
    }
    if (seen < count) this.sweptTo = undefined
    if (gone.length === 0) return 0
    return await this.change(() => {
      // One that was renewed meanwhile stays.
      const over = gone.filter((key) => this.isOver(this.records.get(key) ?? new Uint8Array(0), now))
      for (const key of over) this.remove(key)
      return over.length
    })
  }

  counts(): RecordCounts {
    const [records, questions] = [this.records, this.questions].map((table) => table.getStats() as unknown as Pages)
    const bytesOf = (pages: Pages): number =>
      pages.pageSize * (pages.treeBranchPageCount + pages.treeLeafPageCount + pages.overflowPages)
    return {
      records: records!.entryCount,
      questions: questions!.entryCount,
      bytes: bytesOf(records!) + bytesOf(questions!),
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.root.close()
  }

  private rangeFrom(limit: number): { start?: Uint8Array; exclusiveStart?: boolean; limit: number } {
    return this.sweptTo === undefined ? { limit } : { start: this.sweptTo, exclusiveStart: true, limit }
  }

  private isOver(record: Uint8Array, now: Millis): boolean {
    if (record.length !== RECORD_LENGTH) return record.length > 0
    return readHead(record)!.leaseEnd + this.limits.keptMs <= now
  }
}

const copyOf = (value: Buffer | undefined): Uint8Array | undefined =>
  value === undefined ? undefined : new Uint8Array(value)

function freeBytesAt(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
