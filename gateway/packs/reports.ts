/** What members say of a pack. Kept in memory alone: nothing that somebody repeats is written anywhere. */
import { PackKeepLimits } from './records.ts'
import type { Tally } from './rotation.ts'

export type Outcome = 'applied' | 'failed'

/** What members said of one pack, counted as they say it. */
export class Reports {
  private readonly outcomes = new Map<string, Outcome>()
  private readonly counts = { applied: 0, failed: 0 }

  get tally(): Tally {
    return { ...this.counts }
  }

  /** The latest word of each member counts. */
  take(member: string, outcome: Outcome): void {
    const before = this.outcomes.get(member)
    if (before === undefined && this.outcomes.size >= PackKeepLimits.reports) return
    if (before !== undefined) this.counts[before]--
    this.counts[outcome]++
    this.outcomes.set(member, outcome)
  }
}
