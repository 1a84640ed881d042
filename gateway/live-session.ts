/**
 * A session at the gateway together with the HTTP exchanges it is being carried by: which are held, which have been
 * answered and may be asked for again. Knows shapes and answers, not sockets.
 */
import type { Shape } from '#engine/shape.ts'
import type { HttpResponse } from '#engine/template.ts'
import type { Millis, Random } from '#protocol/bytes.ts'
import { Limits, PARCEL_MIN } from '#protocol/constants.ts'
import { bindingOf } from '#protocol/recognition.ts'
import type { Caller } from '#protocol/services/service.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import type { GatewaySession } from '#protocol/session/gateway-session.ts'
import type { MultiplexerEvents } from '#protocol/session/multiplexer.ts'
import type { Stream } from '#protocol/session/stream.ts'
import type { Expected } from '#protocol/session/token-table.ts'

/** Where the answer of one exchange goes. */
export type Reply = (response: HttpResponse) => void

interface Open {
  readonly number: number
  readonly shape: Shape
  readonly deadline: Millis
  /** undefined once its socket has closed: a retry may still come. */
  reply: Reply | undefined
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

/** Who keeps a live session. */
export interface Keeper {
  /** The client has opened a stream. */
  serve(stream: Stream, live: LiveSession): void
  /** The session is over. */
  remove(live: LiveSession): void
}

/** Octets of parcel that are not content: ack block, tag, frame heads. */
const PARCEL_OVERHEAD = PARCEL_MIN

/** Thousands are there at once, so it is the receiver of its session's events itself rather than a set of closures. */
export class LiveSession implements MultiplexerEvents {
  readonly session: GatewaySession
  readonly caller: Caller
  private readonly around: Surroundings
  private readonly keeper: Keeper
  /** Taken in and not answered yet. */
  private readonly open = new Map<number, Open>()
  private readonly answered = new Map<number, HttpResponse>()
  private answeredOctets = 0
  private cancelTimer: (() => void) | undefined
  private flushing = false
  private toldPointer: PackPointer | undefined

  /** `begin` makes the session, which reports to what it is given. */
  constructor(
    caller: Caller,
    around: Surroundings,
    keeper: Keeper,
    begin: (events: MultiplexerEvents) => GatewaySession,
  ) {
    this.caller = caller
    this.around = around
    this.keeper = keeper
    this.session = begin(this)
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
    const received = this.session.receive(now, expected, parcel, bindingOf(shape))
    if (received === undefined) return undefined
    const { number } = expected
    if (received.kind === 'repeat') return this.repeat(number, shape, reply)
    const patience = Math.min(received.hold ?? 0, this.around.holdMs)
    const gone = this.hold(number, shape, now + patience, reply)
    this.wake()
    return { gone }
  }

  private hold(number: number, shape: Shape, deadline: Millis, reply: Reply): () => void {
    const open: Open = { number, shape, deadline, reply }
    this.open.set(number, open)
    return () => {
      open.reply = undefined
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
    const before = this.open.get(number)
    if (before === undefined) return undefined
    const gone = this.hold(number, shape, before.reply === undefined ? this.around.now() : before.deadline, reply)
    this.wake()
    return { gone }
  }

  // ---- what the session reports ------------------------------------------------------------------------------------------

  stream(stream: Stream): void {
    this.keeper.serve(stream, this)
  }

  closed(): void {
    this.keeper.remove(this)
  }

  /** The client has this answer, or will never ask for it again. */
  acknowledged(number: number): void {
    const answered = this.answered.get(number)
    if (answered === undefined) return
    this.answered.delete(number)
    this.answeredOctets -= answered.body.length
  }

  /** The client has given up on this exchange. */
  abandoned(number: number): void {
    this.open.delete(number)
    this.acknowledged(number)
  }

  /** Something may be sendable. Cheap; the work is done once for everything that happens together. */
  wake(): void {
    if (this.flushing || this.open.size === 0) return
    this.flushing = true
    this.around.soon(() => {
      this.flushing = false
      this.flush()
    })
  }

  /** Answers what is due: every exchange past its deadline, and as many as there is content for, soonest deadline first. */
  private flush(): void {
    const now = this.around.now()
    const order = this.held.sort((a, b) => a.deadline - b.deadline || a.number - b.number)
    let spare = order.length
    for (const each of order) {
      const full = spare-- > Limits.parkedExchanges
      if (full || each.deadline <= now || this.session.mux.isClosed || this.session.pending(1) > 0) this.answer(each)
    }
    this.arm(now)
  }

  private get held(): Open[] {
    return [...this.open.values()].filter(({ reply }) => reply !== undefined)
  }

  private answer({ number, shape, reply }: Open): void {
    this.open.delete(number)
    const wanted = this.session.pending(shape.down.max) + PARCEL_OVERHEAD
    const parcel = this.session.answer(number, shape.down.fit(wanted), bindingOf(shape))
    const response = shape.encodeResponse({ parcel, random: this.around.random })
    this.keep(number, response)
    reply?.(response)
  }

  private keep(number: number, response: HttpResponse): void {
    this.answered.set(number, response)
    this.answeredOctets += response.body.length
    for (const old of this.answered.keys()) {
      if (this.answered.size <= Limits.storedReplies && this.answeredOctets <= Limits.storedReplyBytes) return
      this.acknowledged(old)
    }
  }

  /** One timer for the exchange whose patience ends first. */
  private arm(now: Millis): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    let first = Number.POSITIVE_INFINITY
    for (const { deadline } of this.held) first = Math.min(first, deadline)
    if (first === Number.POSITIVE_INFINITY) return
    this.cancelTimer = this.around.schedule(Math.max(first, now), () => this.flush())
  }

  /** Tells the client which pack to use, with whatever goes to it next; nothing where it was told. */
  point(pointer: PackPointer | undefined): void {
    if (pointer === undefined || pointer === this.toldPointer) return
    this.toldPointer = pointer
    this.session.mux.point(pointer)
  }

  /** Answers everything held, so that the client hears of the end. */
  end(): void {
    this.flush()
    this.cancelTimer?.()
  }

  get heldCount(): number {
    return this.held.length
  }
}
