/**
 * Sealed pieces of files under way, and of those that have come: one file each, 0600, under a name that says nothing, in a
 * folder of the state. Their keys are in the store.
 */
import { closeSync, constants, openSync, readdirSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Clockwork } from '#client/clockwork.ts'
import { stateFault } from '#client/store/faults.ts'
import { privateFolder } from '#client/store/folder.ts'
import { PIECE_BYTES } from '#protocol/blobs.ts'
import { hex } from '#protocol/bytes.ts'

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_SYNC, O_NOFOLLOW } = constants

export class Vault {
  private readonly folder: string
  private readonly soon: Clockwork['soon']

  /** @throws SottoError E_STATE_UNREADABLE */
  constructor(folder: string, { soon }: Pick<Clockwork, 'soon'>) {
    privateFolder(folder)
    this.folder = folder
    this.soon = soon
  }

  /** Whatever waits is done before more of a large file. */
  othersFirst(): Promise<void> {
    return new Promise((resolve) => this.soon(resolve))
  }

  /**
   * Writes pieces, the first first, so that they survive a loss of power once this has returned.
   * @throws SottoError E_DISK_FULL; nothing is left then. What `pieces` throws
   */
  async lay(id: Uint8Array, pieces: Iterable<Uint8Array>): Promise<void> {
    await this.told(async () => {
      // `fsync` is not to be had under Node's permission model: every write waits for the disk, so they are few.
      const file = openSync(this.pathOf(id), O_WRONLY | O_CREAT | O_EXCL | O_SYNC, 0o600)
      try {
        for (const batch of batches(pieces)) {
          writeAll(file, batch)
          await this.othersFirst()
        }
      } catch (error) {
        this.remove(id)
        throw error
      } finally {
        closeSync(file)
      }
    })
  }

  /** Writes one piece of a file that is fetched. It need not survive a crash: what is there is opened before it counts. */
  put(id: Uint8Array, index: number, piece: Uint8Array): void {
    this.toldNow(() => {
      const file = openSync(this.pathOf(id), O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600)
      try {
        writeAll(file, piece, index * PIECE_BYTES)
      } finally {
        closeSync(file)
      }
    })
  }

  /** undefined where it is not there, or not whole. */
  get(id: Uint8Array, index: number): Uint8Array | undefined {
    return this.toldNow(() => {
      const file = openedForReading(this.pathOf(id))
      if (file === undefined) return undefined
      try {
        const piece = new Uint8Array(PIECE_BYTES)
        return readSync(file, piece, 0, PIECE_BYTES, index * PIECE_BYTES) === PIECE_BYTES ? piece : undefined
      } finally {
        closeSync(file)
      }
    })
  }

  remove(id: Uint8Array): void {
    this.toldNow(() => unlinked(this.pathOf(id)))
  }

  /** Removes whatever is none of these: left behind when the process died. */
  keepOnly(ids: readonly Uint8Array[]): void {
    const kept = new Set(ids.map(hex))
    this.toldNow(() => {
      for (const name of readdirSync(this.folder)) if (!kept.has(name)) unlinked(join(this.folder, name))
    })
  }

  private pathOf(id: Uint8Array): string {
    return join(this.folder, hex(id))
  }

  private toldNow<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw stateFault(error, 'keep the pieces of a file')
    }
  }

  private async told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw stateFault(error, 'keep the pieces of a file')
    }
  }
}

/** Pieces written at once: 1 MiB. */
const BATCH = 32

function* batches(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let batch = new Uint8Array(BATCH * PIECE_BYTES)
  let length = 0
  for (const piece of pieces) {
    batch.set(piece, length)
    length += piece.length
    if (length < batch.length) continue
    yield batch
    batch = new Uint8Array(batch.length)
    length = 0
  }
  if (length > 0) yield batch.subarray(0, length)
}

function writeAll(file: number, bytes: Uint8Array, position?: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(file, bytes, at, bytes.length - at, position === undefined ? null : position + at)
  }
}

function openedForReading(path: string): number | undefined {
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function unlinked(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
