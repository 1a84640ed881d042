/** Things begun for the other side and to be finished once, by number. Bounded: the oldest goes first. */
import { SottoError } from '#protocol/errors.ts'

export class Tickets<T> {
  private readonly open = new Map<number, T>()
  private readonly limit: number
  private last = 0

  constructor(limit: number) {
    this.limit = limit
  }

  issue(thing: T): number {
    const oldest = this.open.keys().next()
    if (this.open.size >= this.limit && !oldest.done) this.open.delete(oldest.value)
    this.open.set(++this.last, thing)
    return this.last
  }

  /** Once for each number. @throws SottoError E_INTERNAL for a number that is used up, gone or never was */
  redeem(ticket: number): T {
    const thing = this.open.get(ticket)
    if (thing === undefined) throw new SottoError('E_INTERNAL', 'This handshake is over: begin another.')
    this.open.delete(ticket)
    return thing
  }
}
