/**
 * Blobs on disk, in a store of their own: each piece a record, a head that counts them, and what each queue and each member
 * has taken. Room is taken for the whole blob when it begins. A piece is on disk before it is answered for.
 */
import type { Store, Table } from '#gateway/store/store.ts'
import { isInMap, mapLength, PIECE_BYTES } from '#protocol/blobs.ts'
import { concat, type Millis, u32 } from '#protocol/bytes.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import type { Queue } from '../mailbox/queues.ts'
import type { BlobLimits } from './limits.ts'
import { type BlobHead, type BlobShelf, withPiece } from './shelf.ts'

export const BLOB_TABLES: readonly string[] = ['blob-heads', 'blob-pieces', 'blob-shares']

/** Heads looked at by one call of `sweep`, and pieces after which it takes no further blob. */
const SWEEP_SLICE = 64
const SWEEP_PIECES = 512

type Name = Pick<BlobHead, 'rid' | 'blob'>

const headId = ({ rid, blob }: Name): Uint8Array => concat(rid, blob)
const pieceId = ({ rid, blob }: Name, index: number): Uint8Array => concat(rid, blob, u32(index))

export class DiskShelf implements BlobShelf {
  private readonly store: Store
  private readonly limits: BlobLimits
  private readonly heads: Table
  private readonly pieces: Table
  private readonly shares: Table
  private sweptTo: Uint8Array | undefined

  constructor(store: Store, limits: BlobLimits) {
    this.store = store
    this.limits = limits
    this.heads = store.table('blob-heads')
    this.pieces = store.table('blob-pieces')
    this.shares = store.table('blob-shares')
  }

  head({ rid }: Queue, blob: Uint8Array): BlobHead | undefined {
    return this.read({ rid, blob })
  }

  async begin({ rid, owner }: Queue, blob: Uint8Array, pieces: number, now: Millis): Promise<BlobHead> {
    const map = new Uint8Array(mapLength(pieces))
    const head = { rid, blob, owner, pieces, map, count: 0, expires: now + this.limits.partMs }
    return await this.store.transaction(() => {
      const known = this.read(head)
      if (known !== undefined) {
        if (known.pieces !== pieces) throw new ServiceFailure('exists')
        // It had expired, and was not swept yet.
        const renewed = { ...known, expires: now + this.leaseOf(known) }
        if (known.expires <= now) this.write(renewed)
        return renewed
      }
      this.charge(rid, pieces, this.limits.bytesPerQueue)
      this.charge(owner, pieces, this.limits.bytesPerMember)
      this.write(head)
      return head
    })
  }

  async put({ rid }: Queue, blob: Uint8Array, index: number, piece: Uint8Array, now: Millis): Promise<void> {
    await this.store.transaction(() => {
      const head = this.read({ rid, blob })
      if (head === undefined) throw new ServiceFailure('unknown')
      if (index >= head.pieces) throw new ServiceFailure('invalid')
      if (isInMap(head.map, index)) return
      this.pieces.put(pieceId(head, index), piece)
      const filled = { ...head, map: withPiece(head.map, index), count: head.count + 1 }
      this.write({ ...filled, expires: now + this.leaseOf(filled) })
    })
  }

  get(head: BlobHead, index: number): Uint8Array | undefined {
    return this.pieces.get(pieceId(head, index))
  }

  async remove(name: Name): Promise<void> {
    await this.store.transaction(() => this.erase(name), { frees: true })
  }

  async sweep(now: Millis, isLive: (rid: Uint8Array) => boolean): Promise<number> {
    const entries = this.heads.scan(this.sweptTo, SWEEP_SLICE)
    const heads = entries.map(({ value }) => decodeMessage(value) as BlobHead)
    const isDue = ({ expires, rid }: BlobHead): boolean => expires <= now || !isLive(rid)
    const due = heads.filter(isDue)
    let erased = 0
    let gone = 0
    for (const head of due) {
      if (erased >= SWEEP_PIECES) break
      // Not one that somebody has begun again meanwhile.
      const erase = (): number => {
        const current = this.read(head)
        return current !== undefined && isDue(current) ? this.erase(current) : 0
      }
      erased += await this.store.transaction(erase, { frees: true })
      gone++
    }
    // What is left of this slice is looked at again with the next call.
    if (gone === due.length) this.sweptTo = entries.length < SWEEP_SLICE ? undefined : entries.at(-1)?.location
    return gone
  }

  private leaseOf({ count, pieces }: BlobHead): Millis {
    return count === pieces ? this.limits.keptMs : this.limits.partMs
  }

  /** Inside a transaction. Returns the pieces that there could be; 0 where there was no such blob. */
  private erase(name: Name): number {
    const head = this.read(name)
    if (head === undefined) return 0
    for (let index = 0; index < head.pieces; index++) this.pieces.remove(pieceId(head, index))
    this.heads.remove(headId(head))
    this.charge(head.rid, -head.pieces)
    this.charge(head.owner, -head.pieces)
    return head.pieces
  }

  /** @throws ServiceFailure `full` beyond `most` octets */
  private charge(account: Uint8Array, pieces: number, most: number = Number.POSITIVE_INFINITY): void {
    const record = this.shares.get(account)
    const before = record === undefined ? 0 : (decodeMessage(record) as { pieces: number }).pieces
    const after = before + pieces
    if (after * PIECE_BYTES > most) throw new ServiceFailure('full')
    if (after <= 0) this.shares.remove(account)
    else this.shares.put(account, encodeMessage({ pieces: after }))
  }

  private read(name: Name): BlobHead | undefined {
    const record = this.heads.get(headId(name))
    return record === undefined ? undefined : (decodeMessage(record) as BlobHead)
  }

  private write(head: BlobHead): void {
    this.heads.put(headId(head), encodeMessage(head))
  }
}
