/** Policy `disk`: a list of what waits per queue, and one record per body. Every change is one transaction. */

import type { Store, Table } from '#gateway/store/store.ts'
import type { Millis } from '#protocol/bytes.ts'
import { concat, fastEqual, latin1, u64 } from '#protocol/bytes.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { type Backlog, expired, type Message, type Waiting } from './backlog.ts'
import type { MailboxLimits } from './limits.ts'
import type { Queue, Queues } from './queues.ts'

export const DISK_TABLES: readonly string[] = ['mailbox-waiting', 'mailbox-bodies']

interface List {
  /** Sequence number of the next message. */
  readonly next: number
  readonly waiting: readonly Waiting[]
}

type Row = [seq: number, id: Uint8Array, bytes: number, at: number]
interface ListRecord {
  readonly next: number
  readonly rows: readonly Row[]
}

const bodyId = (queue: Queue, seq: number): Uint8Array => concat(queue.rid, u64(seq))
const bytesOf = (waiting: readonly Waiting[]): number => waiting.reduce((sum, { bytes }) => sum + bytes, 0)

export class DiskBacklog implements Backlog {
  private readonly store: Store
  private readonly queues: Queues
  private readonly limits: MailboxLimits
  private readonly lists: Table
  private readonly bodies: Table

  constructor(store: Store, queues: Queues, limits: MailboxLimits) {
    this.store = store
    this.queues = queues
    this.limits = limits
    this.lists = store.table('mailbox-waiting')
    this.bodies = store.table('mailbox-bodies')
  }

  put(queue: Queue, message: Message): Promise<'stored' | 'duplicate'> {
    return this.store.transaction(() => {
      if (!this.queues.exists(queue)) throw new ServiceFailure('unknown')
      const list = this.read(queue)
      if (list.waiting.some(({ id }) => fastEqual(id, message.id))) return 'duplicate'
      const gone = list.waiting.filter((waiting) => expired(queue, waiting, message.at))
      if (list.waiting.length - gone.length >= this.limits.waitingPerQueue) throw new ServiceFailure('full')
      const added = { seq: list.next, id: message.id, bytes: message.body.length, at: message.at }
      this.queues.charge(queue, added.bytes - bytesOf(gone))
      this.dropBodies(queue, gone)
      this.bodies.put(bodyId(queue, added.seq), message.body)
      const left = list.waiting.filter((waiting) => !gone.includes(waiting))
      this.write(queue, { next: list.next + 1, waiting: [...left, added] })
      return 'stored'
    })
  }

  waiting(queue: Queue, from: number, now: Millis): readonly Waiting[] {
    return this.read(queue).waiting.filter((waiting) => waiting.seq >= from && !expired(queue, waiting, now))
  }

  body(queue: Queue, { seq }: Waiting): Uint8Array | undefined {
    return this.bodies.get(bodyId(queue, seq))
  }

  async ack(queue: Queue, ids: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const named = new Set(ids.map(latin1))
    const removed = await this.remove(queue, ({ id }) => named.has(latin1(id)))
    return removed.map(({ id }) => id)
  }

  async expire(queue: Queue, now: Millis): Promise<number> {
    const due = (waiting: Waiting): boolean => expired(queue, waiting, now)
    if (!this.read(queue).waiting.some(due)) return 0
    return (await this.remove(queue, due)).length
  }

  /** Inside a transaction: forgets the list and all bodies; returns the octets freed. */
  clear(queue: Queue): number {
    const { waiting } = this.read(queue)
    this.dropBodies(queue, waiting)
    this.lists.remove(queue.rid)
    return bytesOf(waiting)
  }

  private remove(queue: Queue, choose: (waiting: Waiting) => boolean): Promise<readonly Waiting[]> {
    const change = (): readonly Waiting[] => {
      const list = this.read(queue)
      const chosen = list.waiting.filter(choose)
      if (chosen.length === 0) return chosen
      this.dropBodies(queue, chosen)
      this.queues.charge(queue, -bytesOf(chosen))
      this.write(queue, { next: list.next, waiting: list.waiting.filter((waiting) => !chosen.includes(waiting)) })
      return chosen
    }
    return this.store.transaction(change, { frees: true })
  }

  private dropBodies(queue: Queue, waiting: readonly Waiting[]): void {
    for (const { seq } of waiting) this.bodies.remove(bodyId(queue, seq))
  }

  private read(queue: Queue): List {
    const record = this.lists.get(queue.rid)
    if (record === undefined) return { next: 0, waiting: [] }
    const { next, rows } = decodeMessage(record) as ListRecord
    return { next, waiting: rows.map(([seq, id, bytes, at]) => ({ seq, id, bytes, at })) }
  }

  private write(queue: Queue, { next, waiting }: List): void {
    const rows = waiting.map(({ seq, id, bytes, at }): Row => [seq, id, bytes, at])
    this.lists.put(queue.rid, encodeMessage({ next, rows }))
  }
}
