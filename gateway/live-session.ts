/**
 * A session at the gateway together with the exchanges it is being carried by: which are held, which have been
 * answered and may be asked for again. Knows forms and answers, not connections.
 */
import type { Form } from '#engine/shape.ts'
import type { Millis, Random } from '#protocol/bytes.ts'
import { Limits, PARCEL_MIN } from '#protocol/constants.ts'
import { bindingOf } from '#protocol/recognition.ts'
import type { Caller } from '#protocol/services/service.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import type { GatewaySession, GatewaySessionEvents } from '#protocol/session/gateway-session.ts'
import type { Wanted } from '#protocol/session/multiplexer.ts'
import type { Stream } from '#protocol/session/stream.ts'
import { Priority } from '#protocol/session/stream.ts'
import type { Expected } from '#protocol/session/token-table.ts'
import type { Reply } from './connections.ts'
import { Connections } from './connections.ts'
import { KeptAnswers } from './kept-answers.ts'

interface Open {
  readonly number: number
  readonly form: Form
  /** Octets of the largest parcel that the client wants for an answer. */
  readonly room: number
  readonly deadline: Millis
  /** It has little time: it came for the sake of what it brought. */
  readonly isBrief: boolean
  /** It has little room and little time: kept for an answer that is urgent, and not spent on a piece of a file. */
  readonly isForUrgent: boolean
  /** Longest time from now to `deadline` that there can be, milliseconds. */
  readonly most: Millis
  /** Not answered before: its member has been faster than others can bear. */
  readonly notBefore: Millis
}

/** Octets of an answer and milliseconds of patience up to which an exchange is kept for what is urgent. */
const LITTLE_ROOM = 8_192
const LITTLE_TIME = 150

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
  /** Milliseconds by which an exchange of this member has to wait. */
  pace(live: LiveSession): Millis
  /** An exchange is answered; so many octets moved. */
  moved(live: LiveSession, octets: number): void
  /** The session is over. */
  remove(live: LiveSession): void
}

/** Octets of parcel that are not content: ack block, tag, frame heads. */
const PARCEL_OVERHEAD = PARCEL_MIN

/** Thousands are there at once, so it is the receiver of its session's events itself rather than a set of closures. */
export class LiveSession implements GatewaySessionEvents {
  readonly session: GatewaySession
  readonly caller: Caller
  private readonly around: Surroundings
  private readonly keeper: Keeper
  /** Taken in and not answered yet. */
  private readonly open = new Map<number, Open>()
  /** Without one, an open exchange waits for a retry. */
  private readonly connections = new Connections()
  private readonly kept = new KeptAnswers()
  private cancelTimer: (() => void) | undefined
  private flushing = false
  private toldPointer: PackPointer | undefined
  /** Sockets of the client: how to end each. */
  private readonly sockets = new Set<() => void>()
  private ended = false

  /** `begin` makes the session, which reports to what it is given. */
  constructor(
    caller: Caller,
    around: Surroundings,
    keeper: Keeper,
    begin: (events: GatewaySessionEvents) => GatewaySession,
  ) {
    this.caller = caller
    this.around = around
    this.keeper = keeper
    this.session = begin(this)
  }

  /**
   * Takes in the parcel of one exchange. undefined where it is not authentic: nothing has changed, and the request is
   * a stranger's. Otherwise `reply` is called, now or later, unless `gone` has said that the socket closed.
   */
  exchange(
    expected: Expected,
    form: Form,
    parcel: Uint8Array,
    reply: Reply,
  ): { readonly gone: () => void } | undefined {
    const received = this.session.receive(this.around.now(), expected, parcel, bindingOf(form))
    if (received === undefined) return undefined
    if (received.kind === 'repeat') return this.repeat(expected.number, form, reply)
    return this.begin(expected.number, form, received, parcel.length, reply)
  }

  /** As `exchange`, for a request that asks for a socket. A socket is given once: a repeat is a stranger's. */
  admit(expected: Expected, form: Form, parcel: Uint8Array, reply: Reply): { readonly gone: () => void } | undefined {
    const received = this.session.receive(this.around.now(), expected, parcel, bindingOf(form))
    if (received?.kind !== 'fresh') return undefined
    return this.begin(expected.number, form, received, parcel.length, reply)
  }

  private begin(
    number: number,
    form: Form,
    { hold = 0, room = Number.POSITIVE_INFINITY }: Wanted,
    octets: number,
    reply: Reply,
  ): { readonly gone: () => void } {
    this.keeper.moved(this, octets)
    const now = this.around.now()
    const most = form.holdMs ?? this.around.holdMs
    const patience = Math.min(hold, most)
    const isBrief = patience <= LITTLE_TIME
    const isForUrgent = isBrief && form.down.max <= LITTLE_ROOM
    const notBefore = now + this.keeper.pace(this)
    this.open.set(number, { number, form, room, deadline: now + patience, most, notBefore, isBrief, isForUrgent })
    // A piece of a file: the answers to those that follow bring the news, and the connection of what waits carries pieces.
    if (patience === 0 && octets > LITTLE_ROOM) this.release()
    this.wake()
    return this.connections.attend(number, reply)
  }

  /**
   * The client has a socket now: what HTTP exchanges wait for comes over that. `end` is called with the session's end: on a
   * socket nobody would tell the client that it is over. Returns what to call when the socket has gone.
   */
  attach(end: () => void): () => void {
    this.sockets.add(end)
    if (this.ended) end()
    else this.release()
    return () => void this.sockets.delete(end)
  }

  /** Whatever waits for news is answered now, in an exchange of HTTP; not what waits for the answer to a message. */
  private release(): void {
    const now = this.around.now()
    for (const [number, open] of this.open) {
      if (open.form.holdMs === undefined && !open.isForUrgent) this.open.set(number, { ...open, deadline: now })
    }
    this.wake()
  }

  /** A retry gets the identical answer, waits for it with the first try, or is answered now where the first was cut. */
  private repeat(number: number, form: Form, reply: Reply): { readonly gone: () => void } | undefined {
    const earlier = this.kept.get(number)
    // Otherwise its answer was given and is not kept any more; it cannot be made a second time.
    const open = this.open.get(number)
    if (earlier === undefined && open === undefined) return undefined
    if (open !== undefined) {
      const deadline = this.connections.has(number) ? open.deadline : this.around.now()
      this.open.set(number, { ...open, form, deadline })
      this.wake()
    }
    const attending = this.connections.attend(number, reply)
    if (earlier !== undefined) reply(earlier)
    return attending
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
    this.kept.drop(number)
  }

  /** The client has given up on this exchange: whatever connection still waits or takes the answer slowly is ended. */
  abandoned(number: number): void {
    this.open.delete(number)
    this.kept.drop(number)
    this.connections.end(number)
  }

  /** The keys of this exchange are about to go. Without a connection there is nobody to answer. */
  expiring(number: number): void {
    const open = this.open.get(number)
    if (open === undefined) return
    if (this.connections.has(number)) this.answer(open)
    else this.open.delete(number)
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
    // Stable: those that give way keep their order behind the others.
    if (this.session.mux.urgent) order.sort((a, b) => Number(this.givesWay(a, order)) - Number(this.givesWay(b, order)))
    let spare = order.length
    for (const each of order) {
      const full = spare-- > Limits.parkedExchanges
      if (this.mustWait(each, now)) continue
      if (full || this.isDue(each, now) || this.session.mux.isClosed || this.hasFor(each)) this.answer(each)
    }
    this.arm(now)
  }

  /**
   * News goes where it is waited for, as with the service that the template looks like: in the answer to a send goes what is said
   * to it, which is little, unless nothing else is held. An agreement on keys is answered where it was asked for.
   */
  private givesWay({ isBrief, form }: Open, order: readonly Open[]): boolean {
    const least = form.down.classes[0]!
    const isLong = (): boolean => this.session.pending(least, Priority.normal) + PARCEL_OVERHEAD > least
    const agrees = this.session.mux.control.sending.sendable(Number.MAX_SAFE_INTEGER) > 0
    return isBrief && !agrees && order.some((other) => !other.isBrief) && isLong()
  }

  private hasFor({ isForUrgent }: Open): boolean {
    return isForUrgent ? this.session.mux.speaks : this.session.pending(1) > 0
  }

  /** Not for longer than a bucket takes to fill, where the clock was set back; nor at the end of the session. */
  private mustWait({ notBefore }: Open, now: Millis): boolean {
    const longest = (Limits.memberExchangeBurst / Limits.memberExchanges) * 1_000
    return notBefore > now && notBefore <= now + longest && !this.session.mux.isClosed
  }

  /** Also where the clock was set back, so that no exchange is held for as long as it was wrong. */
  private isDue({ deadline, most }: Open, now: Millis): boolean {
    return deadline <= now || deadline > now + most
  }

  private get held(): Open[] {
    return [...this.open.values()].filter(({ number }) => this.connections.has(number))
  }

  private answer({ number, form, room }: Open): void {
    this.open.delete(number)
    // What is urgent goes alone: behind it a piece of a file would hold it up until the whole answer is there.
    const most = this.session.mux.speaks ? Priority.normal : Priority.bulk
    const wanted = this.session.pending(form.down.max, most) + PARCEL_OVERHEAD
    const length = Math.min(form.down.fit(wanted), form.down.within(room))
    const parcel = this.session.answer(number, length, bindingOf(form))
    const response = form.encodeResponse({ parcel, random: this.around.random })
    this.keeper.moved(this, parcel.length)
    this.kept.keep(number, response)
    // Where its connection is lost, it is kept for a retry as any other.
    this.connections.give(number, response)
  }

  /** One timer for the exchange whose patience ends first. */
  private arm(now: Millis): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    let first = Number.POSITIVE_INFINITY
    for (const { deadline, notBefore } of this.held) first = Math.min(first, notBefore > now ? notBefore : deadline)
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
    this.session.wipe()
    this.ended = true
    for (const end of [...this.sockets]) end()
  }

  /** Octets kept for this session: unread ones, those to be said, answers for a retry, and answers on their way. */
  get keptOctets(): number {
    const { unread, unsettled } = this.session.mux
    return unread + unsettled + this.kept.octets + this.connections.octets
  }

  get heldCount(): number {
    return this.held.length
  }
}
