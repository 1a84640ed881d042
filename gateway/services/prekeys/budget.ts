/**
 * How many one-time keys a member may still draw today. In memory alone: who asked for whose keys is nothing that a disk
 * should know. A restart begins a new day.
 */
import { latin1, type Millis } from '#protocol/bytes.ts'
import { dayOf } from '../mailbox/queues.ts'
import type { PrekeyLimits } from './limits.ts'

export class Budget {
  private readonly limits: PrekeyLimits
  private readonly counts = new Map<string, number>()
  private day = 0

  constructor(limits: PrekeyLimits) {
    this.limits = limits
  }

  /** True where this member may draw from this shelf once more, which is counted. */
  draw(member: string, shelf: Uint8Array, now: Millis): boolean {
    if (dayOf(now) !== this.day) this.counts.clear()
    this.day = dayOf(now)
    const [all, one] = [member, `${member}\0${latin1(shelf)}`]
    const drawn = (key: string): number => this.counts.get(key) ?? 0
    if (drawn(all) >= this.limits.drawsPerMember || drawn(one) >= this.limits.drawsPerShelf) return false
    const added = [all, one].filter((key) => !this.counts.has(key)).length
    if (this.counts.size + added > this.limits.counts) return false
    for (const key of [all, one]) this.counts.set(key, drawn(key) + 1)
    return true
  }
}
