/** When receipts are due: a little after the first thing there is to say, so that one says more and tells less about when. */
import { latin1, type Millis, type Random, readU16 } from '#protocol/bytes.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { ChatLimits } from './limits.ts'
import { between } from './presence/draw.ts'

export class ReceiptTimer {
  private readonly due = new Map<string, { readonly contact: Uint8Array; readonly at: Millis }>()
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  /** It could not be made now. */
  postpone(contact: Uint8Array, now: Millis): void {
    this.due.set(latin1(contact), { contact, at: now + ChatLimits.resendMaxMs })
  }

  /**
   * One is owed to this contact; the first time counts.
   * @param isLate they are not to see by it that we are there
   */
  owe(contact: Uint8Array, now: Millis, isLate = false): void {
    const key = latin1(contact)
    if (this.due.has(key)) return
    const late = isLate ? between(PresenceLimits.lateReceiptMs, this.random) : 0
    this.due.set(key, { contact, at: now + ChatLimits.receiptMs + late + this.jitter() })
  }

  /** They see us now in any case: what is owed is late no longer. */
  hasten(contact: Uint8Array, now: Millis): void {
    const key = latin1(contact)
    const at = now + ChatLimits.receiptMs + this.jitter()
    if ((this.due.get(key)?.at ?? 0) > at) this.due.set(key, { contact, at })
  }

  private jitter(): number {
    return Math.floor((readU16(this.random(2)) / 0x10000) * ChatLimits.receiptJitterMs)
  }

  nextDue(): Millis | undefined {
    const times = [...this.due.values()].map(({ at }) => at)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Those due now, taken out. */
  take(now: Millis): Uint8Array[] {
    const ripe = [...this.due].filter(([, { at }]) => at <= now)
    for (const [key] of ripe) this.due.delete(key)
    return ripe.map(([, { contact }]) => contact)
  }
}
