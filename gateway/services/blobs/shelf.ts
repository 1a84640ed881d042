/** Where blobs are kept: on disk or in memory, the same for both. A blob lies beside a queue, and counts for its owner. */
import { addToMap } from '#protocol/blobs.ts'
import type { Millis } from '#protocol/bytes.ts'
import type { Queue } from '../mailbox/queues.ts'

export interface BlobHead {
  readonly rid: Uint8Array
  readonly blob: Uint8Array
  /** Account of the queue's recipient. */
  readonly owner: Uint8Array
  readonly pieces: number
  /** Pieces that are here (protocol/blobs.ts): whoever asks for them must not have us look for thousands. */
  readonly map: Uint8Array
  /** As many are in it. */
  readonly count: number
  readonly expires: Millis
}

export interface BlobShelf {
  head(queue: Queue, blob: Uint8Array): BlobHead | undefined
  /**
   * Makes room for a blob; without effect where it is there.
   * @throws ServiceFailure `full`, `exists` (with another number of pieces)
   */
  begin(queue: Queue, blob: Uint8Array, pieces: number, now: Millis): Promise<BlobHead>
  /** Without effect where it is there. @throws ServiceFailure `unknown` (no such blob), `invalid` (no such piece) */
  put(queue: Queue, blob: Uint8Array, index: number, piece: Uint8Array, now: Millis): Promise<void>
  get(head: BlobHead, index: number): Uint8Array | undefined
  remove(head: Pick<BlobHead, 'rid' | 'blob'>): Promise<void>
  /** Looks at the next few, and removes what has expired or lies beside no queue. Returns how many went. */
  sweep(now: Millis, isLive: (rid: Uint8Array) => boolean): Promise<number>
}

/** Another map, with one piece more. */
export function withPiece(map: Uint8Array, index: number): Uint8Array {
  const more = map.slice()
  addToMap(more, index)
  return more
}
