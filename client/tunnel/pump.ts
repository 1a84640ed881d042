/** Keeps the exchanges of one session going: as many as there is reason for, in the rhythm of the template. */
import type { CompiledTemplate, Form } from '#engine/compile.ts'
import { TemplateLimits } from '#engine/limits.ts'
import type { Rhythm } from '#engine/rhythm.ts'
import { Priority } from '#protocol/session/stream.ts'
import type { ExchangeResult } from '../carrier.ts'
import { Doubts } from './doubts.ts'
import type { Epoch } from './epoch.ts'
import type { ExchangeEvents } from './exchange.ts'
import { beginExchange } from './exchange.ts'
import type { Shared } from './input.ts'
import { PARCEL_OVERHEAD } from './input.ts'

/**
 * Milliseconds that a sending exchange may wait for the service's answer to ride back in it. Longer than a service
 * needs to store a message, and short beside the round trip of a bad network.
 */
const SEND_HOLD = 100
/** Exchanges at once on a WebSocket: below what a gateway parks for a session. */
const SOCKET_CONCURRENCY = 6
/** Milliseconds by which a poll comes earlier that has a short call to carry, as an application acknowledges news at once. */
const NEAR_MS = 250
/** So many sends, full, are not yet worth one of the shape for files. */
const FEW = 4
/**
 * A parcel of more octets than this is a piece of something large. Down: more is waiting, so more polls are kept open. Up:
 * more follows, so it is answered at once, and a gateway lets no poll wait beside it.
 */
const PLENTY = 8_192

export interface PumpEvents {
  /** Another template carries. */
  wear(template: CompiledTemplate): void
  /** The keys have served their time. */
  rekey(): void
}

export class Pump {
  /** Milliseconds that the latest poll may be held. */
  holdMs = 0
  private readonly shared: Shared
  private readonly epoch: Epoch
  private readonly events: PumpEvents
  private readonly doubts: Doubts
  private readonly ofExchanges: ExchangeEvents
  private sends = 0
  /** Of the sends, those that are pieces of something large. */
  private pieces = 0
  private polls = 0
  /** Polls worth keeping open while the gateway has much to say. */
  private appetite = 0
  /** Streams for something large that were opened when that was last looked at. */
  private expected = 0
  private soon = false
  private probing = false
  /** Ends the wait for the next exchange that the rhythm has put off. */
  private unwait: () => void = () => {}

  constructor(shared: Shared, epoch: Epoch, events: PumpEvents) {
    this.shared = shared
    this.epoch = epoch
    this.events = events
    this.doubts = new Doubts(shared, () => this.probe())
    this.ofExchanges = {
      renumbered: (before, after) => this.doubts.renumber(before, after),
      probe: () => this.probe(),
      wear: (template) => events.wear(template),
    }
  }

  /** The gateway has what was said under this number. */
  acknowledged(number: number): void {
    this.doubts.settle(number)
  }

  /** After the work under way, so that what is written together travels together. */
  soonRun(): void {
    if (this.soon || this.epoch.isOver) return
    this.soon = true
    this.shared.clockwork.soon(() => {
      this.soon = false
      this.run()
    })
  }

  /** Begins as many exchanges as there is reason for, and waits for those that the rhythm puts off. */
  run(): void {
    const { epoch, now } = this
    const { session } = epoch
    this.unwait()
    if (session.rekeyDue(now)) this.events.rekey()
    this.expect()
    if (!epoch.refused) this.shared.socket.tend(session, this.template.socket)
    while (!epoch.isOver && session.mayTake && !epoch.refused) {
      const due = this.next(now)
      if (due === undefined) return this.waitForRhythm(now)
      this[due]()
    }
    if (!epoch.isOver && session.isSpent) epoch.giveUp()
  }

  end(): void {
    this.doubts.end()
    this.unwait()
  }

  /** One last exchange; resolves when it is over. */
  last(): Promise<void> {
    const shape = this.form('send')
    return new Promise((resolve) => this.exchange(shape, shape.up.fit(PARCEL_OVERHEAD), 0, () => resolve()))
  }

  private get now(): number {
    return this.shared.clockwork.now()
  }

  private get template(): CompiledTemplate {
    return this.shared.attire.template
  }

  private get rhythm(): Rhythm {
    return this.shared.attire.rhythm
  }

  // ---- what there is reason for ----------------------------------------------------------------------------------------------

  private next(now: number): 'send' | 'poll' | 'cover' | undefined {
    const { session } = this.epoch
    // The farewell says so, once.
    if (session.mux.isClosed) return undefined
    const { concurrency } = this
    const { sendAt, coverAt } = this.rhythm
    const total = this.sends + this.polls
    // The last place is kept for what is urgent: a file under way must not delay a message.
    const room = total < concurrency - 1 || (total < concurrency && session.mux.urgent)
    const pollWanted = this.wantsPoll()
    const pollIn = this.pollIn(pollWanted, now)
    const pollSoon = pollIn <= 0 || (pollIn <= TemplateLimits.thinkMs && !session.mux.urgent)
    // What a poll can carry rides in one that is due anyway: most of all the credit for what a poll has just brought.
    const rides = pollWanted && pollSoon && this.fitsPoll()
    const mayStart = room && sendAt <= now && !this.rhythm.constant
    if (mayStart && session.pending(1) > 0 && !rides) return 'send'
    if (pollWanted && pollIn <= 0) return 'poll'
    return room && coverAt !== undefined && coverAt <= now ? 'cover' : undefined
  }

  /** Milliseconds until the next poll: none where much comes down, or where one that is near has a short call to carry. */
  private pollIn(wanted: boolean, now: number): number {
    const { session } = this.epoch
    const left = this.rhythm.pollAt - now
    if (this.appetite > 0 || this.shared.socket.line !== undefined) return 0
    const isCall = session.mux.urgent && this.pollRoom < this.rhythm.coverBytes
    return wanted && isCall && left <= NEAR_MS && this.fitsPoll() ? 0 : left
  }

  private wantsPoll(): boolean {
    const { isOpening } = this.shared.socket
    const { mux } = this.epoch.session
    return this.mayBring && this.polls < this.mostPolls && !mux.isClosed && !isOpening && !this.isUpload
  }

  /**
   * Under the first keys a poll could bring no news, and would be answered empty. Only where an answer to a send was too short
   * for the gateway's part of the keys, the rest is asked for.
   */
  private get mayBring(): boolean {
    const { session } = this.epoch
    return session.mux.ready || (session.isAgreeing && this.sends === 0 && session.pending(1) === 0)
  }

  /** A file goes up: the answers to its pieces bring the news, and the place of a poll is the file's. */
  private get isUpload(): boolean {
    return this.pieces > 0 && this.shared.socket.line === undefined && this.epoch.session.pending(PLENTY + 1) > PLENTY
  }

  /** Polls to keep open: the template's, and while much comes down as many as it allows. */
  private get mostPolls(): number {
    const { polls } = this.template.rhythm
    // On a WebSocket there is a place to spare for what goes up as well.
    const kept = this.shared.socket.line === undefined ? 1 : 2
    return Math.min(Math.max(polls, this.appetite), this.concurrency - kept)
  }

  /** Exchanges at once: as many as the template has connections for; on a WebSocket they take none. */
  private get concurrency(): number {
    return this.shared.socket.line === undefined ? this.template.rhythm.concurrency : SOCKET_CONCURRENCY
  }

  private fitsPoll(): boolean {
    const room = this.pollRoom
    return this.epoch.session.pending(room) + PARCEL_OVERHEAD <= room
  }

  /** Octets of the largest parcel of a poll: what is as long as a message goes up in a send, as cover says that it does. */
  private get pollRoom(): number {
    const { up } = this.pollShape
    const room = this.shared.path.room(this.pollShape)
    if (this.shared.socket.line !== undefined) return room
    return Math.min(room, up.classes.findLast((each) => each < this.rhythm.coverBytes) ?? room)
  }

  private get pollShape(): Form {
    return this.shared.socket.line?.look.messages ?? this.shared.path.edge.fit.pollShape(this.template, this.now)
  }

  /** Comes back when the earliest of what the rhythm has put off is due; sets no timer where it puts nothing off. */
  private waitForRhythm(now: number): void {
    const { pollAt, sendAt, coverAt } = this.rhythm
    const times = [
      coverAt,
      this.wantsPoll() ? pollAt : undefined,
      this.epoch.session.pending(1) > 0 ? sendAt : undefined,
    ]
    const later = times.filter((time) => time !== undefined && time > now)
    if (later.length === 0) return
    this.unwait = this.shared.clockwork.after(Math.min(...(later as number[])) - now, () => this.run())
  }

  // ---- exchanges of each kind ------------------------------------------------------------------------------------------------

  private send(): void {
    const { session } = this.epoch
    const { path } = this.shared
    const [small, bulk] = [path.room(this.template.shape('send')), path.room(this.template.shape('bulk'))]
    // What is urgent goes alone: filled up with a file it would take as long as that.
    const { urgent } = session.mux
    const wanted = session.pending(this.form('bulk').up.max, urgent ? Priority.normal : Priority.bulk) + PARCEL_OVERHEAD
    // Some messages at once are no file.
    const isSmall = wanted <= small * (urgent ? FEW : 1) || bulk <= small
    const shape = this.form(isSmall ? 'send' : 'bulk')
    const length = path.parcel(shape, wanted)
    const isPiece = length > PLENTY
    this.rhythm.began('send', this.now)
    this.sends++
    if (isPiece) this.pieces++
    // A large one is followed by more: its place is worth more than an answer that rides back.
    this.exchange(shape, length, isPiece ? 0 : SEND_HOLD, () => {
      this.sends--
      if (isPiece) this.pieces--
    })
  }

  /** What carries exchanges of this kind now. */
  private form(kind: 'send' | 'bulk'): Form {
    return this.shared.socket.line?.look.messages ?? this.template.shape(kind)
  }

  /** As a send of a message, with whatever there is to say by then and otherwise nothing. */
  private cover(): void {
    const shape = this.form('send')
    const length = this.shared.path.parcel(shape, this.rhythm.coverBytes)
    // What says nothing gets no answer from a service that would be worth waiting for, and must not take longer than what does.
    const hold = this.epoch.session.pending(1) > 0 ? SEND_HOLD : 0
    this.sends++
    this.beganBeside()
    this.exchange(shape, length, hold, () => this.sends--)
  }

  /** The rhythm hears of a send that nobody asked for. */
  private beganBeside(): void {
    this.rhythm.began(this.epoch.session.pending(1) > 0 ? 'send' : 'cover', this.now)
  }

  private poll(): void {
    const shape = this.pollShape
    // Where sends are constant, polls are too.
    const said = this.rhythm.constant ? 0 : this.epoch.session.pending(shape.up.max)
    const length = this.shared.path.parcel(shape, Math.min(said + PARCEL_OVERHEAD, this.pollRoom))
    // While much comes down, and beyond the template's, they come back soon when nothing follows: they do not stand in the
    // way of sends, and it is known how long they take.
    const { line } = this.shared.socket
    const isExtra = this.polls++ >= this.template.rhythm.polls || (this.appetite > 0 && line === undefined)
    const hold = isExtra ? SEND_HOLD : this.drawHold(line?.look.holdMs)
    const done = (result: ExchangeResult | undefined, last: number): void => {
      this.polls--
      this.doubts.settle(last)
      if (result?.kind === 'authentic') this.feed(result.octets)
      const news = result !== undefined && result.octets > shape.down.classes[0]!
      if (!isExtra && line === undefined) this.rhythm.polled(this.now, news)
    }
    const number = this.exchange(shape, length, hold, done, isExtra ? shape.down.max : 0)
    if (said > 0 && !isExtra) this.doubts.begin(number)
  }

  /** The rhythm draws, within what the path allows; a WebSocket is kept open by its server. */
  private drawHold(socket: readonly [number, number] | undefined): number {
    if (socket !== undefined) {
      const chance = this.shared.clockwork.random(1)[0]! / 255
      this.holdMs = Math.round(socket[0] + chance * (socket[1] - socket[0]))
    } else this.holdMs = this.shared.path.adaptHold(this.template.rhythm.holdMs, this.rhythm.hold())
    return this.holdMs
  }

  /**
   * An exchange for the sake of its answer, which says what has arrived and that the path works. One at a time, and none
   * where the rhythm puts sends off: the next of them tells as much.
   */
  private probe(): void {
    const { epoch } = this
    if (this.probing || epoch.refused || epoch.isOver || !epoch.session.mayTake) return
    if (this.rhythm.constant || this.rhythm.sendAt > this.now) return
    const shape = this.form('send')
    this.probing = true
    this.sends++
    this.beganBeside()
    this.exchange(shape, this.shared.path.parcel(shape, PARCEL_OVERHEAD), 0, () => {
      this.probing = false
      this.sends--
    })
  }

  /** `expected`: octets that may come down. */
  private exchange(
    shape: Form,
    length: number,
    hold: number,
    done: (result: ExchangeResult | undefined, number: number) => void,
    expected = 0,
  ): number {
    const { shared, epoch, ofExchanges } = this
    const plan = { shape, length, hold, octets: Math.max(length, expected) }
    return beginExchange(shared, epoch, plan, ofExchanges, (result, number) => {
      done(result, number)
      if (!epoch.isOver) this.run()
    })
  }

  /** Who has just asked for something large, and sends nothing large, waits for it in every place there is. */
  private expect(): void {
    const { session } = this.epoch
    if (session.mux.bulkOpened === this.expected) return
    this.expected = session.mux.bulkOpened
    if (session.pending(PLENTY + 1) <= PLENTY) this.appetite = this.concurrency
  }

  /** Where much comes down at once, more is asked for at a time; one by one less, as messages come between pieces of a file. */
  private feed(octets: number): void {
    const { polls } = this.template.rhythm
    // The more came, the more is waiting.
    const more = Math.max(Math.max(this.appetite, polls) * 2, Math.floor(octets / PLENTY))
    if (octets > PLENTY) this.appetite = Math.min(more, this.concurrency)
    else this.appetite = Math.max(0, this.appetite - 1)
  }
}
