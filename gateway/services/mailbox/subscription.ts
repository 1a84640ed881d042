/**
 * One member reading some of its queues: first what waits, oldest first over all of them, then what arrives. Delivers at
 * the reader's pace; nothing but the list of what is due is kept in memory.
 */

import type { Millis, Random } from '#protocol/bytes.ts'
import { concat, fastEqual, latin1 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import type { Backlog, Message, Waiting } from './backlog.ts'
import type { MailboxLimits } from './limits.ts'
import type { Queue } from './queues.ts'

/** What the recipient gets. `box`: nonce 24 || XChaCha20-Poly1305 of the body under the queue's `seal`. */
export interface Delivery {
  readonly rid: Uint8Array
  readonly id: Uint8Array
  readonly box: Uint8Array
  /** When the gateway took the message in. */
  readonly at: Millis
}

interface Cursor {
  readonly queue: Queue
  readonly backlog: Backlog
  /** Everything below has been delivered to this reader. */
  from: number
  due: Waiting[]
  /** Something may wait that is not in `due`. */
  stale: boolean
}

/** A message that passes through without being stored. */
interface Transit {
  readonly queue: Queue
  readonly message: Message
  readonly delivered: Promise<boolean>
  readonly settle: (delivered: boolean) => void
}

/** The message to deliver next, still to be loaded. */
interface Due {
  readonly at: Millis
  /** Takes it off the list; undefined where it has gone in the meantime. */
  readonly take: () => { queue: Queue; message: Message; settle?: (delivered: boolean) => void } | undefined
}

export interface Surroundings {
  readonly now: () => Millis
  readonly random: Random
  readonly limits: MailboxLimits
}

export class Subscription {
  private readonly cursors = new Map<string, Cursor>()
  private readonly transit: Transit[] = []
  private readonly around: Surroundings
  private over = false
  /** Ends the wait for a push that does not return. */
  private finish: () => void = () => undefined
  private wake: () => void = () => undefined

  constructor(queues: readonly (readonly [Queue, Backlog])[], around: Surroundings) {
    this.around = around
    for (const [queue, backlog] of queues) {
      this.cursors.set(latin1(queue.rid), { queue, backlog, from: 0, due: [], stale: true })
    }
  }

  get queues(): Queue[] {
    return [...this.cursors.values()].map(({ queue }) => queue)
  }

  /** Delivers until `end` is called or `push` fails. */
  async run(push: (delivery: Delivery) => Promise<void>): Promise<void> {
    try {
      while (!this.over) {
        const due = this.next()
        if (due === undefined) await this.sleep()
        else await this.deliver(due, push)
      }
    } finally {
      this.end()
      for (const { settle } of this.transit) settle(false)
    }
  }

  end(): void {
    this.over = true
    this.finish()
    this.wake()
  }

  /** Something may wait in this queue. */
  notice(queue: Queue): void {
    const cursor = this.cursors.get(latin1(queue.rid))
    if (cursor === undefined) return
    cursor.stale = true
    this.wake()
  }

  /** The queue is gone. */
  drop(queue: Queue): void {
    this.cursors.delete(latin1(queue.rid))
  }

  /** Takes a message that is not to be stored: whether it was delivered in the end, or 'full' where too many wait. */
  offer(queue: Queue, message: Message): Promise<boolean> | 'full' {
    const same = this.transit.find(
      (one) => fastEqual(one.queue.rid, queue.rid) && fastEqual(one.message.id, message.id),
    )
    if (same !== undefined) return same.delivered
    const { transitPerSubscription, transitBytesPerSubscription } = this.around.limits
    if (this.transit.length >= transitPerSubscription) return 'full'
    const held = this.transit.reduce((sum, { message: { body } }) => sum + body.length, 0)
    if (held + message.body.length > transitBytesPerSubscription) return 'full'
    let settle: (delivered: boolean) => void = () => undefined
    const delivered = new Promise<boolean>((resolve) => {
      settle = resolve
    })
    this.transit.push({ queue, message, delivered, settle })
    this.wake()
    return delivered
  }

  private async deliver(due: Due, push: (delivery: Delivery) => Promise<void>): Promise<void> {
    const taken = due.take()
    if (taken === undefined) return
    const { queue, message, settle } = taken
    try {
      const pushed = push({ rid: queue.rid, id: message.id, box: this.reseal(queue, message.body), at: message.at })
      await this.unlessOver(pushed)
      settle?.(!this.over)
    } catch (error) {
      settle?.(false)
      throw error
    }
  }

  /** Not a race against one promise for the whole subscription: that would remember every delivery until its end. */
  private unlessOver(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.finish = resolve
      work.then(resolve, reject)
      if (this.over) resolve()
    })
  }

  /** The oldest message that is due, over all queues. */
  private next(): Due | undefined {
    const now = this.around.now()
    let oldest = this.oldestTransit()
    for (const cursor of this.cursors.values()) {
      if (cursor.due.length === 0 && cursor.stale) {
        const waiting = cursor.backlog.waiting(cursor.queue, cursor.from, now)
        cursor.due = waiting.slice(0, this.around.limits.aheadPerQueue)
        cursor.stale = waiting.length > cursor.due.length
      }
      const first = cursor.due[0]
      if (first === undefined || (oldest !== undefined && oldest.at <= first.at)) continue
      oldest = { at: first.at, take: () => takeWaiting(cursor, first) }
    }
    return oldest
  }

  private oldestTransit(): Due | undefined {
    const first = this.transit[0]
    if (first === undefined) return undefined
    const take = (): Transit => {
      this.transit.shift()
      return first
    }
    return { at: first.message.at, take }
  }

  private async sleep(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve
    })
    this.wake = () => undefined
  }

  /** Octets that leave differ from those that came in, so that somebody who sees both cannot match them. */
  private reseal(queue: Queue, body: Uint8Array): Uint8Array {
    const nonce = this.around.random(xchacha20poly1305.nonceLength)
    return concat(nonce, xchacha20poly1305.seal(queue.seal, nonce, body))
  }
}

function takeWaiting(cursor: Cursor, waiting: Waiting): { queue: Queue; message: Message } | undefined {
  cursor.due.shift()
  cursor.from = waiting.seq + 1
  const body = cursor.backlog.body(cursor.queue, waiting)
  return body === undefined ? undefined : { queue: cursor.queue, message: { id: waiting.id, body, at: waiting.at } }
}
