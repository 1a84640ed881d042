/**
 * Ids that left the mailbox a short while ago, so that a sender's late repeat is not delivered again. In memory and
 * bounded: what is forgotten, or lost in a restart, costs the recipient one duplicate, which it drops by id.
 */
import { latin1 } from '#protocol/bytes.ts'
import type { MailboxLimits } from './limits.ts'
import type { Queue } from './queues.ts'

export class AckedIds {
  private readonly limits: MailboxLimits
  /** Oldest queue and oldest id first. */
  private readonly queues = new Map<string, Set<string>>()
  private total = 0

  constructor(limits: MailboxLimits) {
    this.limits = limits
  }

  has(queue: Queue, id: Uint8Array): boolean {
    return this.queues.get(latin1(queue.rid))?.has(latin1(id)) ?? false
  }

  add(queue: Queue, ids: readonly Uint8Array[]): void {
    if (ids.length === 0) return
    const key = latin1(queue.rid)
    const known = this.queues.get(key) ?? new Set<string>()
    this.total -= known.size
    for (const id of ids) known.add(latin1(id))
    for (const oldest of known) {
      if (known.size <= this.limits.ackedIdsPerQueue) break
      known.delete(oldest)
    }
    this.total += known.size
    this.queues.delete(key)
    this.queues.set(key, known)
    this.forgetOldest()
  }

  /** The queue is gone. */
  clear(queue: Queue): void {
    const key = latin1(queue.rid)
    this.total -= this.queues.get(key)?.size ?? 0
    this.queues.delete(key)
  }

  private forgetOldest(): void {
    for (const [key, ids] of this.queues) {
      if (this.total <= this.limits.ackedIds) return
      this.queues.delete(key)
      this.total -= ids.size
    }
  }
}
