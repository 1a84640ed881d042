/**
 * Sealed files for people who are not there. A blob lies beside a queue of the mailbox: who may write to the queue puts its
 * pieces, who may read the queue takes them. The gateway sees a number of pieces, and neither name, kind nor length of what
 * is inside. Spec section 9.7.
 *
 * Refusals: `invalid` `forbidden` (guests only put) `unknown` (no such queue, the wrong secret, no such blob) `exists`
 * (another number of pieces) `full` `missing` (a piece that is not here yet) `policy` (this gateway keeps nothing, or nothing so large)
 * `unavailable` (the store failed: try later).
 */
import type { Store } from '#gateway/store/store.ts'
import { concat, type Millis, type Random } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { type Service, ServiceFailure, type UnaryHandler } from '#protocol/services/service.ts'
import { guarded, ofMembers } from '../guarded.ts'
import type { Policy } from '../mailbox/arguments.ts'
import { MailboxLimits } from '../mailbox/limits.ts'
import { type Queue, Queues } from '../mailbox/queues.ts'
import { parseBegin, parseGet, parsePut, parseRemove, type SenderArguments } from './arguments.ts'
import { DiskShelf } from './disk.ts'
import { BlobLimits } from './limits.ts'
import { RamShelf } from './ram.ts'
import type { BlobHead, BlobShelf } from './shelf.ts'

export interface BlobOptions {
  /** Where the mailbox keeps its queues. */
  readonly store: Store
  /** Opened with `BLOB_TABLES`. */
  readonly blobs: Store
  readonly now: () => Millis
  readonly random: Random
  /** As the mailbox's: `ram` keeps all in memory, `none` nothing. Default `disk`. */
  readonly policy?: Policy
  readonly limits?: Partial<BlobLimits>
  /** Told about every failure of the store; the caller hears `unavailable`. */
  readonly onFault?: (error: unknown) => void
}

export class Blobs {
  readonly service: Service
  private readonly options: BlobOptions
  private readonly queues: Queues
  private readonly disk: BlobShelf
  private readonly ram: BlobShelf

  constructor(options: BlobOptions) {
    this.options = options
    const limits = { ...BlobLimits, ...options.limits }
    this.queues = new Queues(options.store, MailboxLimits)
    this.disk = new DiskShelf(options.blobs, limits)
    this.ram = new RamShelf(limits)
    this.service = {
      unary: {
        'blobs.begin': this.guarded((args) => this.begin(args)),
        'blobs.put': this.guarded((args) => this.put(args)),
        'blobs.remove': this.guarded((args) => this.remove(args)),
      },
      // Its answers are as long as pieces: no message waits behind them.
      bulk: { 'blobs.get': this.guarded(ofMembers((args) => this.get(args))) },
      subscribe: {},
    }
  }

  /** Looks at the next few blobs. Returns how many went. */
  async sweep(): Promise<number> {
    const isLive = (rid: Uint8Array): boolean => this.queues.exists({ rid })
    const now = this.options.now()
    return (await this.ram.sweep(now, isLive)) + (await this.disk.sweep(now, isLive))
  }

  /** Which pieces are here; a blob that nobody has begun begins. */
  private async begin(args: unknown): Promise<{ map: Uint8Array }> {
    const wanted = parseBegin(args)
    const queue = this.asSender(wanted)
    const known = this.find(queue, wanted.blob)
    const shelf = known?.shelf ?? this.shelfFor(wanted.noStore)
    const { map } = await shelf.begin(queue, wanted.blob, wanted.pieces, this.options.now())
    return { map }
  }

  private shelfFor(noStore: boolean): BlobShelf {
    const policy = this.options.policy ?? 'disk'
    if (policy === 'none') throw new ServiceFailure('policy')
    return noStore || policy === 'ram' ? this.ram : this.disk
  }

  private async put(args: unknown): Promise<Record<string, never>> {
    const wanted = parsePut(args)
    const queue = this.asSender(wanted)
    const { shelf } = this.known(queue, wanted.blob)
    await shelf.put(queue, wanted.blob, wanted.index, wanted.piece, this.options.now())
    return {}
  }

  /** Sealed again, as messages are: who sees both sides of the gateway finds no octets that are the same. */
  private get(args: unknown): { box: Uint8Array } {
    const { rid, rauth, blob, index } = parseGet(args)
    const queue = this.queues.asRecipient(rid, rauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    const { shelf, head } = this.known(queue, blob)
    if (index >= head.pieces) throw new ServiceFailure('invalid')
    const piece = shelf.get(head, index)
    if (piece === undefined) throw new ServiceFailure('missing')
    const nonce = this.options.random(24)
    return { box: concat(nonce, xchacha20poly1305.seal(queue.seal, nonce, piece)) }
  }

  /** Who sent it does not hear whether it was still there. */
  private async remove(args: unknown): Promise<Record<string, never>> {
    const wanted = parseRemove(args)
    const queue = 'sid' in wanted ? this.asSender(wanted) : this.queues.asRecipient(wanted.rid, wanted.rauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    const found = this.find(queue, wanted.blob)
    await found?.shelf.remove(found.head)
    return {}
  }

  /** @throws ServiceFailure `unknown` */
  private asSender({ sid, sauth }: SenderArguments): Queue {
    const queue = this.queues.asSender(sid, sauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    return queue
  }

  /** @throws ServiceFailure `unknown` */
  private known(queue: Queue, blob: Uint8Array): { shelf: BlobShelf; head: BlobHead } {
    const found = this.find(queue, blob)
    if (found === undefined) throw new ServiceFailure('unknown')
    return found
  }

  /** What has expired is not there, whether it was swept or not. */
  private find(queue: Queue, blob: Uint8Array): { shelf: BlobShelf; head: BlobHead } | undefined {
    for (const shelf of [this.ram, this.disk]) {
      const head = shelf.head(queue, blob)
      if (head !== undefined && head.expires > this.options.now()) return { shelf, head }
    }
    return undefined
  }

  private guarded(handler: UnaryHandler): UnaryHandler {
    return guarded(handler, this.options.onFault)
  }
}
