/**
 * Looks at a data file before LMDB maps it: LMDB ends the whole process (SIGBUS) on a file that is shorter than its own
 * header says, and on one that is not its own.
 *
 * LMDB data version 2: page n starts with a header of 24 octets; on pages 0 and 1 follows a meta record
 *
 *     magic u32 | version u32 | address u64 | map size u64 | page size u32 | ... | last page u64 at 120 | transaction u64
 *
 * all little-endian; the record with the higher transaction counts.
 */
import { open } from 'node:fs/promises'
import { unreadable } from './faults.ts'

const PAGE_HEADER = 24
const META_LENGTH = 136
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2

interface Meta {
  readonly pageSize: number
  readonly lastPage: bigint
  readonly transaction: bigint
}

function readMeta(page: DataView): Meta | undefined {
  const magic = page.getUint32(PAGE_HEADER, true)
  const version = page.getUint32(PAGE_HEADER + 4, true)
  if (magic !== MAGIC || version !== DATA_VERSION) return undefined
  return {
    pageSize: page.getUint32(PAGE_HEADER + 24, true),
    lastPage: page.getBigUint64(PAGE_HEADER + 120, true),
    transaction: page.getBigUint64(PAGE_HEADER + 128, true),
  }
}

const plausiblePageSize = (size: number): boolean => size >= 512 && size <= 65_536 && (size & (size - 1)) === 0

/**
 * Resolves where the file is a complete LMDB data file.
 * @throws SottoError E_STATE_UNREADABLE otherwise; the file is only read
 */
export async function checkDataFile(file: string): Promise<void> {
  const handle = await open(file, 'r')
  try {
    const read = async (position: number): Promise<Meta | undefined> => {
      const buffer = new Uint8Array(PAGE_HEADER + META_LENGTH)
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
      return bytesRead === buffer.length ? readMeta(new DataView(buffer.buffer)) : undefined
    }
    const first = await read(0)
    if (first === undefined || !plausiblePageSize(first.pageSize)) throw unreadable(`${file} is not a Sotto store.`)
    const second = await read(first.pageSize)
    if (second === undefined) throw unreadable(`${file} is damaged: its second header is missing.`)
    const current = second.transaction > first.transaction ? second : first
    const needed = (current.lastPage + 1n) * BigInt(first.pageSize)
    const { size } = await handle.stat({ bigint: true })
    if (size < needed) throw unreadable(`${file} is cut off: ${size} octets of ${needed}.`)
  } finally {
    await handle.close()
  }
}
