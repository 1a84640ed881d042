/**
 * Connections of one session that wait for the answer of an exchange, or are being given it. Several may wait for one answer:
 * edges deliver a request two or three times.
 */
import type { HttpResponse } from '#engine/template.ts'
import { Limits } from '#protocol/constants.ts'

/** Where the answer of one exchange goes. undefined: nobody waits for it any more, and its connection is to be ended. */
export type Reply = (response: HttpResponse | undefined) => void

/** By the number of the exchange. */
export class Connections {
  private readonly replies = new Map<number, readonly Reply[]>()
  /** Octets of answers that were given and not taken whole, oldest first. */
  private readonly transit = new Map<number, number>()
  /** The same, of all. */
  octets = 0

  has(number: number): boolean {
    return this.replies.has(number)
  }

  /** One more. `gone` is to be called when it has closed. */
  attend(number: number, reply: Reply): { readonly gone: () => void } {
    const before = this.replies.get(number) ?? []
    if (before.length >= Limits.copies) before[0]!(undefined)
    this.replies.set(number, [...before.slice(1 - Limits.copies), reply])
    return { gone: () => this.leave(number, reply) }
  }

  private leave(number: number, reply: Reply): void {
    const left = (this.replies.get(number) ?? []).filter((other) => other !== reply)
    if (left.length > 0) this.replies.set(number, left)
    else this.forget(number)
  }

  private forget(number: number): void {
    this.replies.delete(number)
    this.octets -= this.transit.get(number) ?? 0
    this.transit.delete(number)
  }

  /** Ends those of this exchange. */
  end(number: number): void {
    const replies = this.replies.get(number) ?? []
    this.forget(number)
    for (const reply of replies) reply(undefined)
  }

  /** Who reads too slowly loses the oldest connection. */
  give(number: number, response: HttpResponse): void {
    const replies = this.replies.get(number) ?? []
    if (replies.length > 0) {
      this.transit.set(number, response.body.length)
      this.octets += response.body.length
    }
    for (const reply of replies) reply(response)
    for (const oldest of this.transit.keys()) {
      if (this.octets <= Limits.transitBytes) return
      this.end(oldest)
    }
  }
}
