/** Messages that wait for their recipient, in order of arrival: one interface, on disk (disk.ts) or in memory (ram.ts). */
import type { Millis } from '#protocol/bytes.ts'
import type { Queue } from './queues.ts'

export interface Message {
  /** 16 octets, chosen by the sender. */
  readonly id: Uint8Array
  readonly body: Uint8Array
  readonly at: Millis
}

/** A message without its body. */
export interface Waiting {
  /** Ascending within a queue, never used twice. */
  readonly seq: number
  readonly id: Uint8Array
  readonly bytes: number
  readonly at: Millis
}

export interface Backlog {
  /**
   * Resolves when the message is as durable as the policy promises.
   * @throws ServiceFailure `full`, `unknown` (the queue has just been deleted)
   */
  put(queue: Queue, message: Message): Promise<'stored' | 'duplicate'>
  /** What has not expired at `now`, from sequence number `from` on. */
  waiting(queue: Queue, from: number, now: Millis): readonly Waiting[]
  body(queue: Queue, waiting: Waiting): Uint8Array | undefined
  /** Removes what is named and waits; returns the ids removed. */
  ack(queue: Queue, ids: readonly Uint8Array[]): Promise<readonly Uint8Array[]>
  /** Drops what has expired; returns how many. */
  expire(queue: Queue, now: Millis): Promise<number>
}

export const expired = (queue: Queue, waiting: Waiting, now: Millis): boolean => waiting.at + queue.ttl * 1000 <= now
