/**
 * Messages that disappear: which, and when. Kept in rows of their own, whose places say nothing of the times, and all in
 * memory, since they are few.
 */
import { hex, type Millis } from '#protocol/bytes.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Expiring } from './model.ts'
import type { Records } from './records.ts'

export class Expiry {
  private readonly records: Records
  private readonly waiting = new Map<string, Expiring>()
  /** Nothing is due before: it could not be removed. */
  private notBefore: Millis = Number.NEGATIVE_INFINITY

  constructor(records: Records) {
    this.records = records
    for (const each of records.expiring()) this.waiting.set(keyOf(each), each)
  }

  /** Inside a transaction. The earlier time counts where there are two. */
  set(expiring: Expiring, after: After): void {
    const key = keyOf(expiring)
    if ((this.waiting.get(key)?.at ?? Number.POSITIVE_INFINITY) <= expiring.at) return
    this.records.putExpiring(expiring)
    after(() => this.waiting.set(key, expiring))
  }

  /** Of those that disappear. */
  at(contact: Uint8Array, message: Uint8Array): Millis | undefined {
    return this.waiting.get(keyOf({ contact, message }))?.at
  }

  nextDue(): Millis | undefined {
    let next: Millis | undefined
    for (const { at } of this.waiting.values()) if (next === undefined || at < next) next = at
    return next === undefined ? undefined : Math.max(next, this.notBefore)
  }

  /** What is due could not be removed now (the disk is full). */
  postpone(now: Millis): void {
    this.notBefore = now + ChatLimits.resendMs
  }

  /** Removes what is due from the disk; inside a transaction. Returns it. */
  take(now: Millis, after: After): Expiring[] {
    const due = [...this.waiting.values()].filter(({ at }) => at <= now)
    for (const each of due) {
      this.records.deleteExpiring(each)
      after(() => this.waiting.delete(keyOf(each)))
    }
    return due
  }

  /** A contact is forgotten. Inside a transaction. */
  drop(contact: Uint8Array, after: After): void {
    for (const each of this.waiting.values()) {
      if (hex(each.contact) !== hex(contact)) continue
      this.records.deleteExpiring(each)
      after(() => this.waiting.delete(keyOf(each)))
    }
  }
}

const keyOf = ({ contact, message }: Pick<Expiring, 'contact' | 'message'>): string => hex(contact) + hex(message)
