/** Blobs that must not be stored: in memory alone, gone with a restart. */
import { mapLength, PIECE_BYTES } from '#protocol/blobs.ts'
import { fastEqual, latin1, type Millis } from '#protocol/bytes.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import type { Queue } from '../mailbox/queues.ts'
import type { BlobLimits } from './limits.ts'
import { type BlobHead, type BlobShelf, withPiece } from './shelf.ts'

interface Held {
  head: BlobHead
  readonly pieces: Map<number, Uint8Array>
}

type Name = Pick<BlobHead, 'rid' | 'blob'>

const keyOf = ({ rid, blob }: Name): string => latin1(rid) + latin1(blob)

export class RamShelf implements BlobShelf {
  private readonly limits: BlobLimits
  private readonly held = new Map<string, Held>()

  constructor(limits: BlobLimits) {
    this.limits = limits
  }

  head({ rid }: Queue, blob: Uint8Array): BlobHead | undefined {
    return this.held.get(keyOf({ rid, blob }))?.head
  }

  async begin({ rid, owner }: Queue, blob: Uint8Array, pieces: number, now: Millis): Promise<BlobHead> {
    const known = this.held.get(keyOf({ rid, blob }))
    if (known !== undefined) {
      if (known.head.pieces !== pieces) throw new ServiceFailure('exists')
      known.head = { ...known.head, expires: now + this.limits.ramMs }
      return known.head
    }
    this.requireRoom(owner, pieces * PIECE_BYTES)
    const map = new Uint8Array(mapLength(pieces))
    const head = { rid, blob, owner, pieces, map, count: 0, expires: now + this.limits.ramMs }
    this.held.set(keyOf(head), { head, pieces: new Map() })
    return head
  }

  async put({ rid }: Queue, blob: Uint8Array, index: number, piece: Uint8Array, now: Millis): Promise<void> {
    const held = this.held.get(keyOf({ rid, blob }))
    if (held === undefined) throw new ServiceFailure('unknown')
    if (index >= held.head.pieces) throw new ServiceFailure('invalid')
    if (held.pieces.has(index)) return
    // A copy: what it was cut from is much longer.
    held.pieces.set(index, piece.slice())
    const map = withPiece(held.head.map, index)
    held.head = { ...held.head, map, count: held.pieces.size, expires: now + this.limits.ramMs }
  }

  get(head: BlobHead, index: number): Uint8Array | undefined {
    return this.held.get(keyOf(head))?.pieces.get(index)
  }

  async remove(name: Name): Promise<void> {
    this.held.delete(keyOf(name))
  }

  async sweep(now: Millis, isLive: (rid: Uint8Array) => boolean): Promise<number> {
    const due = [...this.held.values()].filter(({ head }) => head.expires <= now || !isLive(head.rid))
    for (const { head } of due) this.held.delete(keyOf(head))
    return due.length
  }

  /** Room counts when it is asked for, so that what was begun can be ended. */
  private requireRoom(owner: Uint8Array, bytes: number): void {
    // Room for this never comes.
    if (bytes > this.limits.ramBytesPerMember) throw new ServiceFailure('policy')
    const sizeOf = ({ head }: Held): number => head.pieces * PIECE_BYTES
    const all = [...this.held.values()]
    const sum = (list: readonly Held[]): number => list.reduce((total, held) => total + sizeOf(held), bytes)
    const own = all.filter(({ head }) => fastEqual(head.owner, owner))
    if (sum(all) > this.limits.ramBytes || sum(own) > this.limits.ramBytesPerMember) throw new ServiceFailure('full')
  }
}
