/** Tells mailboxes what may be forgotten: a few calls a queue at a time, each with everything that came together meanwhile. */
import { latin1 } from '#protocol/bytes.ts'
import type { MailboxPort, QueueRef } from './ports.ts'

/** Most ids in one call. */
const BATCH = 128
/**
 * Calls at once. With one, what comes with the answer to it would be acknowledged an exchange later than an application does it
 * that does not wait.
 */
const FLYING = 2

interface Waiting {
  readonly queue: QueueRef
  readonly ids: Uint8Array[]
  flying: number
}

export class Acks {
  private readonly mailbox: MailboxPort
  private readonly waiting = new Map<string, Waiting>()

  constructor(mailbox: MailboxPort) {
    this.mailbox = mailbox
  }

  add(queue: QueueRef, id: Uint8Array): void {
    const key = latin1(queue.rid)
    const waiting = this.waiting.get(key) ?? { queue, ids: [], flying: 0 }
    this.waiting.set(key, waiting)
    waiting.ids.push(id)
    if (waiting.flying < FLYING) void this.flush(key, waiting)
  }

  private async flush(key: string, waiting: Waiting): Promise<void> {
    waiting.flying++
    while (waiting.ids.length > 0) {
      // What could not be acknowledged comes again, is known as a repeat, and is acknowledged then.
      await this.mailbox.ack(waiting.queue, waiting.ids.splice(0, BATCH)).catch(() => undefined)
    }
    if (--waiting.flying === 0) this.waiting.delete(key)
  }
}
