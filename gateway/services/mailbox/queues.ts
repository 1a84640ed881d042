/**
 * Definitions of queues, all on disk whatever their policy, so that a restart loses none; and what each member has taken.
 * A definition names the two ids and the sealing key only inside its sealed record, the two secrets only as SHA-256.
 */

import type { Store, Table } from '#gateway/store/store.ts'
import type { Millis } from '#protocol/bytes.ts'
import { concat, constantTimeEqual, fastEqual, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import type { CreateArguments, Policy } from './arguments.ts'
import type { MailboxLimits } from './limits.ts'

export interface Queue {
  readonly rid: Uint8Array
  readonly sid: Uint8Array
  readonly rauthHash: Uint8Array
  readonly sauthHash: Uint8Array
  /** Key under which bodies leave the gateway. */
  readonly seal: Uint8Array
  readonly policy: Policy
  /** Seconds a message may wait. */
  readonly ttl: number
  /** Who writes is not told whether anybody reads. Missing in queues from before there was the choice. */
  readonly quiet?: boolean
  /** Names the account of the member that made it. */
  readonly owner: Uint8Array
  /** Day (since 1970) of the latest subscription. */
  readonly seenDay: number
}

/** What one member has taken of the store. */
interface Account {
  readonly queues: number
  readonly bytes: number
}

export const QUEUE_TABLES: readonly string[] = ['mailbox-queues', 'mailbox-senders', 'mailbox-accounts']

const DAY_MS = 86_400_000
export const dayOf = (now: Millis): number => Math.floor(now / DAY_MS)

const decode = <T>(record: Uint8Array): T => decodeMessage(record) as T

export class Queues {
  private readonly store: Store
  private readonly limits: MailboxLimits
  private readonly definitions: Table
  private readonly senders: Table
  private readonly accounts: Table

  constructor(store: Store, limits: MailboxLimits) {
    this.store = store
    this.limits = limits
    this.definitions = store.table('mailbox-queues')
    this.senders = store.table('mailbox-senders')
    this.accounts = store.table('mailbox-accounts')
  }

  /** The queue that this recipient may read; the same undefined for an unknown id and for a wrong secret. */
  asRecipient(rid: Uint8Array, rauth: Uint8Array): Queue | undefined {
    const queue = this.read(rid)
    return queue !== undefined && constantTimeEqual(queue.rauthHash, sha256(rauth)) ? queue : undefined
  }

  /** The queue that this sender may write to; undefined as above. */
  asSender(sid: Uint8Array, sauth: Uint8Array): Queue | undefined {
    const rid = this.senders.get(sid)
    const queue = rid === undefined ? undefined : this.read(rid)
    return queue !== undefined && constantTimeEqual(queue.sauthHash, sha256(sauth)) ? queue : undefined
  }

  /**
   * False where exactly this queue exists already.
   * @throws ServiceFailure `exists` (one of the ids is taken), `limit`
   */
  async create(args: CreateArguments & { readonly policy: Policy }, member: string, now: Millis): Promise<boolean> {
    const queue: Queue = {
      rid: args.rid,
      sid: args.sid,
      rauthHash: sha256(args.rauth),
      sauthHash: sha256(args.sauth),
      seal: args.seal,
      policy: args.policy,
      ttl: args.ttl,
      quiet: args.quiet,
      owner: sha256(utf8('sotto/1/mailbox/owner\0'), utf8(member)),
      seenDay: dayOf(now),
    }
    return await this.store.transaction(() => this.insert(queue))
  }

  /** Inside a transaction. */
  private insert(queue: Queue): boolean {
    const existing = this.read(queue.rid)
    if (existing !== undefined) {
      if (!sameQueue(existing, queue)) throw new ServiceFailure('exists')
      // Its maker may want it quiet later than it was made.
      if (existing.quiet !== queue.quiet) this.write({ ...existing, quiet: queue.quiet ?? false })
      return false
    }
    if (this.senders.has(queue.sid)) throw new ServiceFailure('exists')
    const account = this.account(queue.owner)
    if (account.queues >= this.limits.queuesPerMember) throw new ServiceFailure('limit')
    this.setAccount(queue.owner, { ...account, queues: account.queues + 1 })
    this.write(queue)
    this.senders.put(queue.sid, queue.rid)
    return true
  }

  /** Inside a transaction. `bytes`: what still waited in it on disk. */
  remove(queue: Queue, bytes: number): void {
    const account = this.account(queue.owner)
    this.setAccount(queue.owner, { queues: account.queues - 1, bytes: account.bytes - bytes })
    this.definitions.remove(queue.rid)
    this.senders.remove(queue.sid)
  }

  /** Inside a transaction. @throws ServiceFailure `full` above the member's share of the disk */
  charge(queue: Queue, bytes: number): void {
    const account = this.account(queue.owner)
    const total = account.bytes + bytes
    if (bytes > 0 && total > this.limits.diskBytesPerMember) throw new ServiceFailure('full')
    this.setAccount(queue.owner, { ...account, bytes: total })
  }

  /** Notes that these queues are in use; writes at most once a day for each. */
  async touch(queues: readonly Queue[], now: Millis): Promise<void> {
    const today = dayOf(now)
    const stale = queues.filter((queue) => queue.seenDay < today)
    if (stale.length === 0) return
    await this.store.transaction(() => {
      for (const queue of stale) if (this.exists(queue)) this.write({ ...queue, seenDay: today })
    })
  }

  /** Writes what stands there already: as much work for the disk as a message. */
  async rewrite(queue: Queue): Promise<void> {
    await this.store.transaction(() => {
      const current = this.read(queue.rid)
      if (current !== undefined) this.write(current)
    })
  }

  /** As it is now; undefined where it has gone. */
  current({ rid }: Queue): Queue | undefined {
    return this.read(rid)
  }

  exists(queue: Pick<Queue, 'rid'>): boolean {
    return this.definitions.has(queue.rid)
  }

  /** Up to `limit` queues behind `after`, and where the next slice starts; undefined at the end. */
  slice(after: Uint8Array | undefined, limit: number): { queues: Queue[]; next: Uint8Array | undefined } {
    const entries = this.definitions.scan(after, limit)
    const next = entries.length < limit ? undefined : entries.at(-1)?.location
    return { queues: entries.map(({ value }) => decode<Queue>(value)), next }
  }

  private read(rid: Uint8Array): Queue | undefined {
    const record = this.definitions.get(rid)
    return record === undefined ? undefined : decode<Queue>(record)
  }

  private write(queue: Queue): void {
    this.definitions.put(queue.rid, encodeMessage(queue))
  }

  private account(owner: Uint8Array): Account {
    const record = this.accounts.get(owner)
    return record === undefined ? { queues: 0, bytes: 0 } : decode<Account>(record)
  }

  private setAccount(owner: Uint8Array, account: Account): void {
    if (account.queues === 0 && account.bytes === 0) this.accounts.remove(owner)
    else this.accounts.put(owner, encodeMessage(account))
  }
}

/** Everything that a caller of `create` chooses once and for all. */
function sameQueue(a: Queue, b: Queue): boolean {
  const chosen = (queue: Queue): Uint8Array =>
    concat(queue.rid, queue.sid, queue.rauthHash, queue.sauthHash, queue.seal, queue.owner)
  return fastEqual(chosen(a), chosen(b)) && a.policy === b.policy && a.ttl === b.ttl
}
