/**
 * Keys that somebody needs to begin a conversation with a person who is not there. Each queue on a card may have a shelf:
 * its recipient fills it, and whoever may write to the queue may take from it. Spec section 9.4.
 *
 * Refusals: `invalid` `forbidden` (guests only take) `unknown` (no such queue, or the wrong secret) `none` (an empty shelf)
 * `limit` (too many shelves) `full` (too many keys) `unavailable` (the store failed: try later).
 */
import type { Store } from '#gateway/store/store.ts'
import { empty, latin1, type Millis } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { type Caller, type Service, ServiceFailure, type UnaryHandler } from '#protocol/services/service.ts'
import { guarded, ofMembers } from '../guarded.ts'
import { MailboxLimits } from '../mailbox/limits.ts'
import { type Queue, Queues } from '../mailbox/queues.ts'
import { parseFetch, parsePublish, parseStock } from './arguments.ts'
import { Budget } from './budget.ts'
import { PrekeyLimits } from './limits.ts'
import { type PileView, SHELF_TABLES, Shelves, type Taken } from './shelves.ts'

export interface PrekeyOptions {
  /** Opened with `PREKEY_TABLES` and those of the mailbox among its tables. */
  readonly store: Store
  readonly now: () => Millis
  readonly limits?: Partial<PrekeyLimits>
  /** Told about every failure of the store; the caller hears `unavailable`. */
  readonly onFault?: (error: unknown) => void
}

export const PREKEY_TABLES: readonly string[] = SHELF_TABLES

interface Remembered {
  readonly at: Millis
  readonly answer: Promise<Taken>
}

interface StockView {
  /** SHA-256 of the head; empty where nothing was published. */
  readonly head: Uint8Array
  readonly dh: PileView
  readonly kem: PileView
}

/** Shelves looked at by one call of `sweep`. */
const SWEEP_SLICE = 16

export class Prekeys {
  readonly service: Service
  private readonly options: PrekeyOptions
  private readonly limits: PrekeyLimits
  private readonly queues: Queues
  private readonly shelves: Shelves
  private readonly budget: Budget
  /** Oldest first. */
  private readonly answers = new Map<string, Remembered>()
  private sweptTo: Uint8Array | undefined

  constructor(options: PrekeyOptions) {
    this.options = options
    this.limits = { ...PrekeyLimits, ...options.limits }
    this.queues = new Queues(options.store, MailboxLimits)
    this.shelves = new Shelves(options.store, this.limits)
    this.budget = new Budget(this.limits)
    this.service = {
      unary: {
        'prekeys.publish': this.member((args) => this.publish(args)),
        'prekeys.stock': this.member((args) => this.stockOf(args)),
        'prekeys.fetch': this.guarded((args, caller) => this.fetch(args, caller)),
      },
      subscribe: {},
    }
  }

  /** Looks at the next few shelves, and removes those whose queue is gone. Returns how many went. */
  async sweep(): Promise<number> {
    const { rids, next } = this.shelves.slice(this.sweptTo, SWEEP_SLICE)
    this.sweptTo = next
    const gone = rids.filter((rid) => !this.queues.exists({ rid }))
    if (gone.length === 0) return 0
    const remove = (): number => gone.filter((rid) => this.shelves.remove(rid)).length
    return await this.options.store.transaction(remove, { frees: true })
  }

  private async publish(args: unknown): Promise<StockView> {
    const wanted = parsePublish(args)
    const queue = this.mine(wanted)
    await this.options.store.transaction(() => {
      if (!this.queues.exists(queue)) throw new ServiceFailure('unknown')
      this.shelves.publish(queue, wanted, (rid) => this.queues.exists({ rid }))
    })
    return this.view(queue)
  }

  private async stockOf(args: unknown): Promise<StockView> {
    return this.view(this.mine(parseStock(args)))
  }

  private view({ rid }: Queue): StockView {
    const head = this.shelves.head(rid)
    return { head: head === undefined ? empty : sha256(head), ...this.shelves.piles(rid) }
  }

  /** @throws ServiceFailure `unknown` */
  private mine({ rid, rauth }: { readonly rid: Uint8Array; readonly rauth: Uint8Array }): Queue {
    const queue = this.queues.asRecipient(rid, rauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    return queue
  }

  private async fetch(args: unknown, { member }: Caller): Promise<Taken> {
    const { sid, sauth, request } = parseFetch(args)
    const queue = this.queues.asSender(sid, sauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    const now = this.options.now()
    this.forget(now)
    const key = `${member}\0${latin1(queue.rid)}${latin1(request)}`
    const known = this.answers.get(key)
    if (known !== undefined) return await known.answer
    const answer = this.take(queue, member, now)
    this.answers.set(key, { at: now, answer })
    answer.catch(() => this.answers.delete(key))
    return await answer
  }

  private async take({ rid }: Queue, member: string, now: Millis): Promise<Taken> {
    const head = this.shelves.head(rid)
    if (head === undefined) throw new ServiceFailure('none')
    const gives = this.shelves.hasOneTime(rid) && this.budget.draw(member, rid, now)
    if (!gives) return { head, dh: empty, kem: empty }
    return await this.options.store.transaction(() => this.shelves.take(rid), { frees: true })
  }

  private forget(now: Millis): void {
    for (const [key, { at }] of this.answers) {
      if (at + this.limits.answerMs > now && this.answers.size < this.limits.answers) return
      this.answers.delete(key)
    }
  }

  private member(handler: UnaryHandler): UnaryHandler {
    return this.guarded(ofMembers(handler))
  }

  private guarded(handler: UnaryHandler): UnaryHandler {
    return guarded(handler, this.options.onFault)
  }
}
