/**
 * Cards for those who found somebody at a tracker: the recipient of a queue lays one beside it, sealed under a key that the
 * gateway does not have, and whoever may write to the queue may take a copy. It goes with its queue. Spec section 9.6.
 *
 * Refusals: `invalid` `forbidden` (guests only take) `unknown` (no such queue, or the wrong secret) `none` (no card there)
 * `unavailable` (the store failed: try later).
 */
import * as v from 'valibot'
import type { Store, Table } from '#gateway/store/store.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { type Caller, type Service, ServiceFailure, type UnaryHandler } from '#protocol/services/service.ts'
import { CARD_BOX_BYTES } from '#protocol/tracker/card-box.ts'
import { octets, parser } from '../arguments.ts'
import { guarded } from '../guarded.ts'
import { MailboxLimits } from '../mailbox/limits.ts'
import { Queues } from '../mailbox/queues.ts'

export const CARD_TABLES: readonly string[] = ['cards']

export interface CardOptions {
  /** Opened with `CARD_TABLES` and those of the mailbox among its tables. */
  readonly store: Store
  /** Told about every failure of the store; the caller hears `unavailable`. */
  readonly onFault?: (error: unknown) => void
}

interface CardRecord {
  readonly rid: Uint8Array
  readonly box: Uint8Array
}

/** Cards looked at by one call of `sweep`. */
const SWEEP_SLICE = 16

const parsePublish = parser(v.strictObject({ rid: octets(24), rauth: octets(32), box: octets(1, CARD_BOX_BYTES) }))
const parseFetch = parser(v.strictObject({ sid: octets(24), sauth: octets(32) }))

export class Cards {
  readonly service: Service
  private readonly options: CardOptions
  private readonly queues: Queues
  private readonly table: Table
  private sweptTo: Uint8Array | undefined

  constructor(options: CardOptions) {
    this.options = options
    this.queues = new Queues(options.store, MailboxLimits)
    this.table = options.store.table('cards')
    this.service = {
      unary: {
        'cards.publish': this.guarded((args, caller) => this.publish(args, caller)),
        'cards.fetch': this.guarded((args) => this.fetch(args)),
      },
      subscribe: {},
    }
  }

  /** Looks at the next few cards, and removes those whose queue is gone. Returns how many went. */
  async sweep(): Promise<number> {
    const entries = this.table.scan(this.sweptTo, SWEEP_SLICE)
    this.sweptTo = entries.length < SWEEP_SLICE ? undefined : entries.at(-1)?.location
    const rids = entries.map(({ value }) => (decodeMessage(value) as CardRecord).rid)
    const gone = rids.filter((rid) => !this.queues.exists({ rid }))
    if (gone.length === 0) return 0
    return await this.options.store.transaction(() => gone.filter((rid) => this.table.remove(rid)).length, {
      frees: true,
    })
  }

  private async publish(args: unknown, { role }: Caller): Promise<Record<string, never>> {
    if (role !== 'member') throw new ServiceFailure('forbidden')
    const { rid, rauth, box } = parsePublish(args)
    if (this.queues.asRecipient(rid, rauth) === undefined) throw new ServiceFailure('unknown')
    await this.options.store.transaction(() => {
      if (!this.queues.exists({ rid })) throw new ServiceFailure('unknown')
      this.table.put(rid, encodeMessage({ rid, box }))
    })
    return {}
  }

  private fetch(args: unknown): { box: Uint8Array } {
    const { sid, sauth } = parseFetch(args)
    const queue = this.queues.asSender(sid, sauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    const record = this.table.get(queue.rid)
    if (record === undefined) throw new ServiceFailure('none')
    return { box: (decodeMessage(record) as CardRecord).box }
  }

  private guarded(handler: UnaryHandler): UnaryHandler {
    return guarded(handler, this.options.onFault)
  }
}
