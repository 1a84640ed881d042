/** What the core says of answers, gathered until the next call takes it along: no frame of the pipe is spent on it. */
import type { ExchangeResponse } from './permit.ts'

export class Judgements {
  /** Octets of the request of each answer, for as long as the core holds the answer. */
  private readonly ups = new WeakMap<ExchangeResponse, number>()
  private authentic = 0
  private foreign = 0
  private up = 0
  private down = 0

  sent(response: ExchangeResponse, up: number): void {
    this.ups.set(response, up)
  }

  /** Once for each answer; anything else is left out. */
  add(response: ExchangeResponse, authentic: boolean): void {
    const up = this.ups.get(response)
    if (up === undefined) return
    this.ups.delete(response)
    if (authentic) {
      this.authentic++
      return
    }
    this.foreign++
    this.up += up
    this.down += response.body.length
  }

  /** Authentic, foreign, octets up and down of the foreign ones; undefined where nothing was judged. */
  take(): readonly number[] | undefined {
    if (this.authentic + this.foreign === 0) return undefined
    const taken = [this.authentic, this.foreign, this.up, this.down]
    this.authentic = 0
    this.foreign = 0
    this.up = 0
    this.down = 0
    return taken
  }
}
