/**
 * Queues that hold sealed messages for people who are not there. A recipient makes a queue and gives one contact the
 * right to write to it; the two ids are unrelated, and what is kept tells neither who wrote nor what. Spec section 9.
 *
 * Refusals: `invalid` `forbidden` (guests may only put) `unknown` (no such queue, or the wrong secret) `exists` `limit`
 * (too many queues or subscriptions) `policy` (more than this gateway keeps) `full` `offline` (nothing is stored and
 * nobody reads) `unavailable` (the store failed: try later).
 */

import type { Store } from '#gateway/store/store.ts'
import type { Millis, Random } from '#protocol/bytes.ts'
import { latin1 } from '#protocol/bytes.ts'
import { type Caller, type Service, ServiceFailure, type UnaryHandler } from '#protocol/services/service.ts'
import { guarded, ofMembers } from '../guarded.ts'
import { AckedIds } from './acked-ids.ts'
import { type Policy, parseAck, parseCreate, parseDelete, parsePut, parseSubscribe, policies } from './arguments.ts'
import type { Backlog, Message } from './backlog.ts'
import { DISK_TABLES, DiskBacklog } from './disk.ts'
import { MailboxLimits } from './limits.ts'
import { dayOf, QUEUE_TABLES, type Queue, Queues } from './queues.ts'
import { RamBacklog } from './ram.ts'
import { type Delivery, Subscription, type Surroundings } from './subscription.ts'

/** Limits an operator may change; the others are part of the wire. */
export type MailboxOverrides = Partial<
  Omit<MailboxLimits, 'bodyBytes' | 'ttlSeconds' | 'queuesPerSubscription' | 'idsPerAck'>
>

export interface MailboxOptions {
  /** Opened with `MAILBOX_TABLES` among its tables. */
  readonly store: Store
  readonly now: () => Millis
  readonly random: Random
  /** The most this gateway keeps; also what a queue gets that does not ask. Default `disk`. */
  readonly policy?: Policy
  readonly limits?: MailboxOverrides
  /** Told about every failure of the store; the caller hears `unavailable`. */
  readonly onFault?: (error: unknown) => void
}

/** Tables that the mailbox needs in its store. */
export const MAILBOX_TABLES: readonly string[] = [...QUEUE_TABLES, ...DISK_TABLES]

/** `delivered`: handed to the recipient, not stored. `passed`: handed to whoever reads, if anybody does; nobody is told which. */
export type PutResult = 'delivered' | 'stored' | 'duplicate' | 'passed'

/** Queues looked at by one call of `sweep`, so that it never holds up traffic noticeably. */
const SWEEP_SLICE = 64

export class Mailbox {
  readonly service: Service
  private readonly store: Store
  private readonly policy: Policy
  private readonly limits: MailboxLimits
  private readonly around: Surroundings
  private readonly onFault: (error: unknown) => void
  private readonly queues: Queues
  private readonly disk: DiskBacklog
  private readonly ram: RamBacklog
  private readonly acked: AckedIds
  /** Who reads a queue now. */
  private readonly readers = new Map<string, Subscription>()
  private readonly subscriptionsOf = new Map<string, number>()
  private sweptTo: Uint8Array | undefined

  constructor(options: MailboxOptions) {
    this.store = options.store
    this.policy = options.policy ?? 'disk'
    this.limits = { ...MailboxLimits, ...options.limits }
    this.around = { now: options.now, random: options.random, limits: this.limits }
    this.onFault = options.onFault ?? (() => undefined)
    this.queues = new Queues(options.store, this.limits)
    this.disk = new DiskBacklog(options.store, this.queues, this.limits)
    this.ram = new RamBacklog(this.limits)
    this.acked = new AckedIds(this.limits)
    this.service = {
      unary: {
        'mailbox.create': this.member((args, caller) => this.create(args, caller)),
        'mailbox.put': this.guarded((args) => this.put(args)),
        'mailbox.ack': this.member((args) => this.ack(args)),
        'mailbox.delete': this.member((args) => this.delete(args)),
      },
      subscribe: {
        'mailbox.subscribe': async (args, caller, push, signal) => {
          const run = this.member(() => this.subscribe(args, caller, push, signal))
          await run(args, caller)
        },
      },
    }
  }

  /**
   * Looks at the next few queues: drops what has expired, removes queues nobody has read for `idleDays`. Call it about
   * once a second. Returns how many messages and queues went.
   */
  async sweep(): Promise<number> {
    const now = this.around.now()
    const { queues, next } = this.queues.slice(this.sweptTo, SWEEP_SLICE)
    this.sweptTo = next
    let gone = 0
    for (const queue of queues) {
      const isIdle = ({ seenDay }: Queue): boolean => dayOf(now) - seenDay > this.limits.idleDays
      const idle = isIdle(queue) && !this.readers.has(latin1(queue.rid))
      // Somebody may begin to read it until it goes.
      gone += idle ? Number(await this.remove(queue, isIdle)) : await this.backlogOf(queue).expire(queue, now)
    }
    return gone
  }

  private async create(args: unknown, caller: Caller): Promise<{ created: boolean }> {
    const wanted = parseCreate(args)
    const policy = wanted.policy ?? this.policy
    if (policies.indexOf(policy) > policies.indexOf(this.policy)) throw new ServiceFailure('policy')
    if (latin1(wanted.rid) === latin1(wanted.sid)) throw new ServiceFailure('invalid')
    return { created: await this.queues.create({ ...wanted, policy }, caller.member, this.around.now()) }
  }

  private async put(args: unknown): Promise<{ stored: PutResult }> {
    const wanted = parsePut(args)
    const queue = this.queues.asSender(wanted.sid, wanted.sauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    const message = { id: wanted.id, body: wanted.body, at: this.around.now() }
    if (wanted.noStore || (queue.quiet && queue.policy === 'none')) return { stored: this.pass(queue, message) }
    if (queue.quiet) return { stored: await this.putQuietly(queue, message) }
    if (this.acked.has(queue, wanted.id)) return { stored: 'duplicate' }
    if (queue.policy === 'none') return { stored: await this.deliver(queue, message) }
    return { stored: await this.keep(queue, message) }
  }

  private async keep(queue: Queue, message: Message): Promise<'stored' | 'duplicate'> {
    const stored = await this.backlogOf(queue).put(queue, message)
    this.readers.get(latin1(queue.rid))?.notice(queue)
    return stored
  }

  /**
   * Whether it was kept is not told: whoever may write could see by `full` and `duplicate` when the recipient has come to
   * fetch. What is not kept costs as much, and comes again: a sender repeats until the recipient itself has answered.
   */
  private async putQuietly(queue: Queue, message: Message): Promise<PutResult> {
    try {
      if (!this.acked.has(queue, message.id) && (await this.keep(queue, message)) === 'stored') return 'stored'
    } catch (error) {
      if (!(error instanceof ServiceFailure) || error.reason !== 'full') throw error
    }
    // What is kept in memory alone gives the disk nothing to do, either.
    if (queue.policy === 'disk') await this.queues.rewrite(queue)
    return 'stored'
  }

  /** To whoever reads now, without storing it, and without a word on whether anybody does. */
  private pass(queue: Queue, message: Message): PutResult {
    this.readers.get(latin1(queue.rid))?.offer(queue, message)
    return 'passed'
  }

  /** As policy `none` has it: a message reaches who reads at this moment, or is refused. */
  private async deliver(queue: Queue, message: Message): Promise<PutResult> {
    const offered = this.readers.get(latin1(queue.rid))?.offer(queue, message) ?? false
    const delivered = offered === 'full' ? false : await offered
    if (!delivered) throw new ServiceFailure(offered === 'full' ? 'full' : 'offline')
    this.acked.add(queue, [message.id])
    return 'delivered'
  }

  private async ack(args: unknown): Promise<{ acked: number }> {
    const { rid, rauth, ids } = parseAck(args)
    const queue = this.queues.asRecipient(rid, rauth)
    if (queue === undefined) throw new ServiceFailure('unknown')
    const removed = await this.backlogOf(queue).ack(queue, ids)
    this.acked.add(queue, removed)
    return { acked: removed.length }
  }

  private async delete(args: unknown): Promise<{ deleted: boolean }> {
    const { rid, rauth } = parseDelete(args)
    const queue = this.queues.asRecipient(rid, rauth)
    if (queue === undefined) return { deleted: false }
    return { deleted: await this.remove(queue) }
  }

  /** False where it was not there any more, or what it is now does not call for it. */
  private async remove(queue: Queue, calls: (now: Queue) => boolean = () => true): Promise<boolean> {
    const change = (): boolean => {
      const current = this.queues.current(queue)
      if (current === undefined || !calls(current)) return false
      this.queues.remove(queue, this.disk.clear(queue))
      return true
    }
    const removed = await this.store.transaction(change, { frees: true })
    if (!removed) return false
    this.ram.clear(queue)
    this.acked.clear(queue)
    this.readers.get(latin1(queue.rid))?.drop(queue)
    this.readers.delete(latin1(queue.rid))
    return true
  }

  /** Returns where a newer subscription took a queue over, or `signal` aborted. */
  private async subscribe(
    args: unknown,
    caller: Caller,
    push: (message: unknown) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const queues = parseSubscribe(args).queues.map(({ rid, rauth }) => this.queues.asRecipient(rid, rauth))
    if (!queues.every((queue) => queue !== undefined)) throw new ServiceFailure('unknown')
    const subscriptions = (this.subscriptionsOf.get(caller.member) ?? 0) + 1
    if (subscriptions > this.limits.subscriptionsPerMember) throw new ServiceFailure('limit')
    this.subscriptionsOf.set(caller.member, subscriptions)
    try {
      await this.queues.touch(queues, this.around.now())
      // One may have gone meanwhile: its reader would wait for ever.
      if (!queues.every((queue) => this.queues.exists(queue))) throw new ServiceFailure('unknown')
      await this.read(queues, push, signal)
    } finally {
      const left = this.subscriptionsOf.get(caller.member)! - 1
      if (left === 0) this.subscriptionsOf.delete(caller.member)
      else this.subscriptionsOf.set(caller.member, left)
    }
  }

  private async read(
    queues: readonly Queue[],
    push: (delivery: Delivery) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) return
    const subscription = new Subscription(
      queues.map((queue) => [queue, this.backlogOf(queue)] as const),
      this.around,
    )
    const end = (): void => subscription.end()
    signal.addEventListener('abort', end, { once: true })
    // A queue may be named twice in the list, but stands once in the subscription.
    for (const { rid } of subscription.queues) {
      this.readers.get(latin1(rid))?.end()
      this.readers.set(latin1(rid), subscription)
    }
    try {
      await subscription.run(push)
    } finally {
      signal.removeEventListener('abort', end)
      for (const { rid } of subscription.queues) {
        if (this.readers.get(latin1(rid)) === subscription) this.readers.delete(latin1(rid))
      }
    }
  }

  /** Nothing ever waits in a queue of policy `none`: its backlog is an empty shelf. */
  private backlogOf({ policy }: Queue): Backlog {
    return policy === 'disk' ? this.disk : this.ram
  }

  private member(handler: UnaryHandler): UnaryHandler {
    return this.guarded(ofMembers(handler))
  }

  private guarded(handler: UnaryHandler): UnaryHandler {
    return guarded(handler, this.onFault)
  }
}
