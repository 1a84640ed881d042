/** Policy `ram`: what waits lives in this process alone and is gone with it. */

import type { Millis } from '#protocol/bytes.ts'
import { hex, latin1 } from '#protocol/bytes.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { type Backlog, expired, type Message, type Waiting } from './backlog.ts'
import type { MailboxLimits } from './limits.ts'
import type { Queue } from './queues.ts'

interface Held extends Waiting {
  readonly body: Uint8Array
}

interface Shelf {
  readonly queue: Queue
  next: number
  held: readonly Held[]
}

export class RamBacklog implements Backlog {
  private readonly limits: MailboxLimits
  private readonly shelves = new Map<string, Shelf>()
  private readonly perOwner = new Map<string, number>()
  private total = 0

  constructor(limits: MailboxLimits) {
    this.limits = limits
  }

  async put(queue: Queue, message: Message): Promise<'stored' | 'duplicate'> {
    const shelf = this.shelves.get(latin1(queue.rid)) ?? { queue, next: 0, held: [] }
    const id = latin1(message.id)
    if (shelf.held.some((held) => latin1(held.id) === id)) return 'duplicate'
    this.drop(shelf, (held) => expired(queue, held, message.at))
    const bytes = message.body.length
    const cost = this.costOf({ bytes })
    const ownerBytes = (this.perOwner.get(hex(queue.owner)) ?? 0) + cost
    if (
      shelf.held.length >= this.limits.waitingPerQueue ||
      ownerBytes > this.limits.ramBytesPerMember ||
      this.total + cost > this.limits.ramBytes
    ) {
      throw new ServiceFailure('full')
    }
    shelf.held = [...shelf.held, { seq: shelf.next++, id: message.id, bytes, at: message.at, body: message.body }]
    this.shelves.set(latin1(queue.rid), shelf)
    this.count(queue, cost)
    return 'stored'
  }

  waiting(queue: Queue, from: number, now: Millis): readonly Waiting[] {
    const held = this.shelves.get(latin1(queue.rid))?.held ?? []
    return held.filter((waiting) => waiting.seq >= from && !expired(queue, waiting, now))
  }

  body(queue: Queue, { seq }: Waiting): Uint8Array | undefined {
    return this.shelves.get(latin1(queue.rid))?.held.find((held) => held.seq === seq)?.body
  }

  async ack(queue: Queue, ids: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const shelf = this.shelves.get(latin1(queue.rid))
    if (shelf === undefined) return []
    const named = new Set(ids.map(latin1))
    return this.drop(shelf, ({ id }) => named.has(latin1(id))).map(({ id }) => id)
  }

  async expire(queue: Queue, now: Millis): Promise<number> {
    const shelf = this.shelves.get(latin1(queue.rid))
    return shelf === undefined ? 0 : this.drop(shelf, (held) => expired(queue, held, now)).length
  }

  /** Forgets the queue: its sequence numbers start again, which only a subscription that has ended could notice. */
  clear(queue: Queue): void {
    const shelf = this.shelves.get(latin1(queue.rid))
    if (shelf !== undefined) this.drop(shelf, () => true)
    this.shelves.delete(latin1(queue.rid))
  }

  get bytes(): number {
    return this.total
  }

  private drop(shelf: Shelf, choose: (held: Held) => boolean): readonly Held[] {
    const chosen = shelf.held.filter(choose)
    if (chosen.length === 0) return chosen
    shelf.held = shelf.held.filter((held) => !chosen.includes(held))
    for (const held of chosen) this.count(shelf.queue, -this.costOf(held))
    return chosen
  }

  private costOf({ bytes }: { readonly bytes: number }): number {
    return bytes + this.limits.ramMessageBytes
  }

  private count(queue: Queue, bytes: number): void {
    const owner = hex(queue.owner)
    const left = (this.perOwner.get(owner) ?? 0) + bytes
    if (left === 0) this.perOwner.delete(owner)
    else this.perOwner.set(owner, left)
    this.total += bytes
  }
}
