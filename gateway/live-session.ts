/**
 * A session at the gateway together with the HTTP exchanges it is being carried by: which are held, which have been
 * answered and may be asked for again. Knows shapes and answers, not sockets.
 */
import type { Shape } from '#engine/shape.ts'
import type { HttpResponse } from '#engine/template.ts'
import type { Millis, Random } from '#protocol/bytes.ts'
import { Limits, PARCEL_MIN } from '#protocol/constants.ts'
import type { Caller } from '#protocol/services/service.ts'
import type { GatewaySession } from '#protocol/session/gateway-session.ts'
import type { Expected } from '#protocol/session/token-table.ts'

/** Where the answer of one exchange goes. */
export type Reply = (response: HttpResponse) => void

interface Held {
  readonly number: number
  readonly shape: Shape
  readonly deadline: Millis
  readonly reply: Reply
}

/** What a live session needs from its surroundings. */
export interface Surroundings {
  readonly random: Random
  readonly now: () => Millis
  /** Longest time an exchange may be held here, milliseconds; at most `Limits.holdMs`. */
  readonly holdMs: number
  /** Calls `run` at `at` or soon after; returns how to cancel. */
  readonly schedule: (at: Millis, run: () => void) => () => void
  /** Calls `run` after the work under way, so that what is written together travels together. */
  readonly soon: (run: () => void) => void
}

/** Octets of parcel that are not content: ack block, tag, frame heads. */
const PARCEL_OVERHEAD = PARCEL_MIN

export class LiveSession {
  readonly session: GatewaySession
  readonly caller: Caller
  private readonly around: Surroundings
  private readonly held = new Map<number, Held>()
  private readonly answered = new Map<number, HttpResponse>()
  private answeredOctets = 0
  /** Taken in and not answered yet; not all of them are held, since sockets close. */
  private readonly open = new Set<number>()
  private cancelTimer: (() => void) | undefined
  private flushing = false

  constructor(session: GatewaySession, caller: Caller, around: Surroundings) {
    this.session = session
    this.caller = caller
    this.around = around
  }

  /**
   * Takes in the parcel of one exchange. undefined where it is not authentic: nothing has changed, and the request is
   * a stranger's. Otherwise `reply` is called once, now or later, unless `gone` has said that the socket closed.
   */
  exchange(
    expected: Expected,
    shape: Shape,
    parcel: Uint8Array,
    reply: Reply,
  ): { readonly gone: () => void } | undefined {
    const now = this.around.now()
    const received = this.session.receive(now, expected, parcel)
    if (received === undefined) return undefined
    const { number } = expected
    if (received.kind === 'repeat') return this.repeat(number, shape, reply)
    this.open.add(number)
    const patience = Math.min(received.hold ?? 0, this.around.holdMs)
    const gone = this.hold(number, shape, now + patience, reply)
    this.soonFlush()
    return { gone }
  }

  private hold(number: number, shape: Shape, deadline: Millis, reply: Reply): () => void {
    this.held.set(number, { number, shape, deadline, reply })
    return () => {
      const held = this.held.get(number)
      if (held?.reply === reply) this.held.delete(number)
    }
  }

  /** A retry gets the identical answer, takes over the one still held, or is answered now where the first try was cut. */
  private repeat(number: number, shape: Shape, reply: Reply): { readonly gone: () => void } | undefined {
    const earlier = this.answered.get(number)
    if (earlier !== undefined) {
      reply(earlier)
      return { gone: () => {} }
    }
    // Its answer was given and is not kept any more; it cannot be made a second time.
    if (!this.open.has(number)) return undefined
    const before = this.held.get(number)
    const gone = this.hold(number, shape, before?.deadline ?? this.around.now(), reply)
    this.soonFlush()
    return { gone }
  }

  /** The client has this answer, or will never ask for it again. */
  forget(number: number): void {
    const answered = this.answered.get(number)
    if (answered === undefined) return
    this.answered.delete(number)
    this.answeredOctets -= answered.body.length
  }

  /** The client has given up on this exchange. */
  abandon(number: number): void {
    this.held.delete(number)
    this.open.delete(number)
    this.forget(number)
  }

  /** Something may be sendable. Cheap; the work is done once for everything that happens together. */
  soonFlush(): void {
    if (this.flushing || this.held.size === 0) return
    this.flushing = true
    this.around.soon(() => {
      this.flushing = false
      this.flush()
    })
  }

  /** Answers what is due: every exchange past its deadline, and as many as there is content for, soonest deadline first. */
  private flush(): void {
    const now = this.around.now()
    const order = [...this.held.values()].sort((a, b) => a.deadline - b.deadline || a.number - b.number)
    let spare = order.length
    for (const held of order) {
      const full = spare-- > Limits.parkedExchanges
      if (full || held.deadline <= now || this.session.mux.isClosed || this.session.pending(1) > 0) this.answer(held)
    }
    this.arm(now)
  }

  private answer(held: Held): void {
    const { number, shape, reply } = held
    this.held.delete(number)
    this.open.delete(number)
    const wanted = this.session.pending(shape.down.max) + PARCEL_OVERHEAD
    const parcel = this.session.answer(number, shape.down.fit(wanted))
    const response = shape.encodeResponse({ parcel, random: this.around.random })
    this.keep(number, response)
    reply(response)
  }

  private keep(number: number, response: HttpResponse): void {
    this.answered.set(number, response)
    this.answeredOctets += response.body.length
    for (const old of this.answered.keys()) {
      if (this.answered.size <= Limits.storedReplies && this.answeredOctets <= Limits.storedReplyBytes) return
      this.forget(old)
    }
  }

  /** One timer for the exchange whose patience ends first. */
  private arm(now: Millis): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    let first = Number.POSITIVE_INFINITY
    for (const { deadline } of this.held.values()) first = Math.min(first, deadline)
    if (first === Number.POSITIVE_INFINITY) return
    this.cancelTimer = this.around.schedule(Math.max(first, now), () => this.flush())
  }

  /** Answers everything held, so that the client hears of the end. */
  end(): void {
    this.flush()
    this.cancelTimer?.()
  }

  get heldCount(): number {
    return this.held.size
  }
}
