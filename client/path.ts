/**
 * What is known of the way to one gateway: round-trip time, whether it works now, how long it lets exchanges be held, what
 * sizes it lets through, how long to rest after a failure, and what it does that people should know.
 */
import type { Form } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { ExchangeResponse } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import { isSottoError } from '#protocol/errors.ts'
import type { Clockwork } from './clockwork.ts'
import { Edge } from './edge.ts'
import type { Finding } from './findings.ts'
import { Findings } from './findings.ts'
import type { WayRecord } from './way-record.ts'

/** Shortest and longest rest after failures, milliseconds. A minute-long tunnel of a train must not cost a minute after it. */
const REST_FIRST = 200
const REST_MOST = 8_000
/** The longest once it has gone on for `LONG_MS`, and where somebody answered and refused: it would draw attention. */
const REST_LONG = 30_000
const REST_REFUSED = 60_000
const LONG_MS = 180_000
/** Taken where nothing was measured yet, and the most a sample counts for, milliseconds. */
const RTT_UNKNOWN = 500
const RTT_MOST = 10_000
/** Loss is noticed after max(3 s, 4 RTT). */
const PATIENCE_LEAST = 3_000
/** After a hold: two round trips, and no less than this, milliseconds. */
const HELD_PATIENCE_LEAST = 1_000
/** An exchange that may be held for longer than this waits for news; others are answered at once. */
export const HELD_MS = 150
/** Octets of a request, or of an exchange, that take no time worth speaking of to send. */
const SMALL = 4_096
/** Connections that fell silent, each followed by one that works, within `FROZEN_MS`: that is no accident. */
const FROZEN_COUNT = 3
const FROZEN_MS = 300_000
/** Connections cut when they named the website, one after another: that is no accident either. */
const HELLOS = 3
/** Octets down after which connections are replaced where they freeze: it happens from about 16 kB on, handshake included. */
const FRESH_OCTETS = 8_000
/** Slowest upload that is waited for where none was measured, octets a millisecond; else an eighth of what was, or all of little. */
const SLOWEST_UPLOAD = 8
/** Milliseconds of one answer that tell how fast it came. */
const BODY_MS = 1_000
/** Octets of a TLS handshake, both ways: on a slow path a new connection, which an exchange may have to wait for, takes its time. */
const HANDSHAKE = 6_000

/** Octets that crossed, HTTP counted and TLS not. */
export interface Octets {
  readonly up: number
  readonly down: number
}

export class Path {
  edge: Edge = new Edge()
  /** Called with the octets of every exchange. */
  onOctets: (octets: Octets) => void = () => {}
  private readonly clockwork: Clockwork
  private readonly changed: (path: Path) => void
  private failures = 0
  /** Of them, the latest that were cut when they named the website. */
  private hellos = 0
  private roundTrip: number | undefined
  private readonly sleepers = new Set<() => void>()
  private readonly doubters = new Set<Doubter>()
  private readonly seen = new Findings()
  /** When connections fell silent whose successors worked. */
  private frozen: readonly Millis[] = []
  /** Octets down since connections were replaced. */
  private worn = 0
  /** The connections there are lead nowhere any more. */
  private stale = false
  /** The latest failure; undefined while the path works. */
  error: unknown
  /** When it began to work or to fail. */
  since: Millis
  /** When something last came through. */
  lastWorked: Millis = Number.NEGATIVE_INFINITY

  constructor(clockwork: Clockwork, changed: (path: Path) => void) {
    this.clockwork = clockwork
    this.changed = changed
    this.since = clockwork.now()
  }

  /** For the next time on this network. */
  get record(): WayRecord {
    const now = this.clockwork.now()
    return { rttMs: Math.round(this.rtt), ...this.edge.record(now), findings: this.seen.record(now) }
  }

  /** We are on a network where this was found out before. */
  recall({ rttMs, hold, fit, edge, findings }: WayRecord): void {
    const now = this.clockwork.now()
    this.roundTrip = rttMs
    this.edge.recall(hold, fit, edge ?? {}, now)
    this.seen.recall(findings, now)
    this.changed(this)
  }

  /** Another network: nothing that was found out holds there, and no connection leads there. */
  moved(): void {
    this.edge = new Edge()
    this.roundTrip = undefined
    this.frozen = []
    this.seen.clear()
    this.stale = true
    this.note('E_NET_MOVED')
    this.awake()
  }

  get works(): boolean {
    return this.failures === 0
  }

  /** Failures since it last worked. */
  get tries(): number {
    return this.failures
  }

  /** Smoothed round-trip time of exchanges that were answered at once, milliseconds. */
  get rtt(): number {
    return this.roundTrip ?? RTT_UNKNOWN
  }

  /** Milliseconds without an answer after which an exchange that is answered at once counts as failed. */
  get patience(): number {
    return Math.max(PATIENCE_LEAST, 4 * this.rtt)
  }

  /**
   * As `patience`, for an exchange that sends so many octets and may be held for `hold`, both counted in. Twice as long
   * after the second failure: a slow path is no lost one.
   */
  timeout(hold: number, octets = 0): number {
    const patience = hold > HELD_MS ? Math.max(HELD_PATIENCE_LEAST, 2 * this.rtt) : this.patience
    const { rate } = this.edge.fit
    const upload =
      rate === Number.POSITIVE_INFINITY ? SLOWEST_UPLOAD : Math.max(Math.min(SLOWEST_UPLOAD, rate), rate / 8)
    const handshake = rate < SLOWEST_UPLOAD ? HANDSHAKE / rate : 0
    return hold + handshake + octets / upload + patience * (this.failures > 1 ? 2 : 1)
  }

  /** As `Edge.lateAfter`; undefined also for what is small, and for what may be held for long. */
  lateAfter(hold: number, octets: number): number | undefined {
    const ms = octets <= SMALL || hold > HELD_MS ? undefined : this.edge.lateAfter(octets, this.rtt)
    return ms === undefined ? undefined : hold + ms
  }

  /** As `Edge.room`, `Edge.answerRoom` and `Edge.parcel`. */
  room(shape: Form): number {
    return this.edge.room(shape, this.rtt, this.clockwork.now())
  }

  answerRoom(shape: Form): number | undefined {
    return this.edge.answerRoom(shape, this.rtt)
  }

  parcel(shape: Form, wanted: number): number {
    return this.edge.parcel(shape, wanted, this.rtt, this.clockwork.now())
  }

  /** What the path does, in the order it was found. */
  get findings(): readonly Finding[] {
    return this.seen.at(this.clockwork.now())
  }

  /** The path does this. */
  note(code: ErrorCode): void {
    if (this.seen.note(code, this.clockwork.now())) this.changed(this)
  }

  /** As `Edge.holdFor`. */
  adaptHold(template: readonly [number, number], drawn: number): number {
    return this.edge.holdFor(template, drawn, this.clockwork.now())
  }

  /**
   * An exchange of so many octets was answered after `elapsed`, of which it may have been held for up to `hold`. `proves`:
   * it tells how long the path lets requests be held.
   */
  worked(elapsed: number, hold: number, { octets = 0, proves = true }: Told = {}): void {
    // Octets take as long as they take, which is no sign of distance.
    if (octets <= SMALL || elapsed < this.rtt) this.measure(elapsed, hold, octets / this.edge.fit.rate)
    if (proves && hold > HELD_MS && elapsed >= hold) this.edge.hold.proved(hold)
    this.lastWorked = this.clockwork.now()
    if (this.failures === 0) return
    if (isSottoError(this.error, 'E_PATH_TIMEOUT')) this.thawed()
    this.failures = 0
    this.hellos = 0
    this.error = undefined
    this.seen.over('E_NET_NAME')
    this.since = this.clockwork.now()
    for (const wake of [...this.sleepers]) wake()
    this.changed(this)
  }

  /** The time that an answer was held is not known, only its bound; a clock that was set says nothing. */
  private measure(elapsed: number, hold: number, carriage: number): void {
    if (elapsed < 0) return
    const isHeld = hold > HELD_MS
    const least = isHeld && elapsed >= hold ? elapsed - hold : elapsed
    if (isHeld && elapsed < hold && least >= this.rtt) return
    const sample = Math.min(Math.max(0, least - carriage), RTT_MOST)
    const change = sample - this.rtt
    // What has become slower must not be taken for lost for long.
    this.roundTrip = this.roundTrip === undefined ? sample : this.roundTrip + change / (change > 0 ? 3 : 8)
  }

  /** It fell silent, and works again on a new connection. */
  private thawed(): void {
    const now = this.clockwork.now()
    if (now - this.since > 2 * this.patience) return
    this.frozen = [...this.frozen.filter((at) => now - at < FROZEN_MS), now]
    if (this.frozen.length >= FROZEN_COUNT) this.note('E_NET_FROZEN')
  }

  /** So many octets took so long. */
  carried(octets: number, elapsed: number, hold: number): void {
    const isThrottled = hold > HELD_MS ? undefined : this.edge.carried(octets, elapsed, this.rtt)
    if (isThrottled) this.note('E_NET_THROTTLED')
    else if (isThrottled === false) this.seen.over('E_NET_THROTTLED')
  }

  /** As `carried`, of one answer from its first octet to its last. False where that took too little to tell. */
  came(octets: number, bodyMs: number): boolean {
    if (bodyMs < BODY_MS) return false
    this.carried(octets, bodyMs + this.rtt, 0)
    return true
  }

  count(request: HttpRequest, response: ExchangeResponse): void {
    const down = octetsOf(response.headers) + response.body.length
    this.worn += down
    this.onOctets({ up: request.target.length + octetsOf(request.headers) + (request.body?.length ?? 0), down })
  }

  /** True where the connections there are must not be used: they lead nowhere, or would freeze soon. */
  wantsFresh(): boolean {
    if (this.stale) {
      this.stale = false
      return true
    }
    if (this.worn < FRESH_OCTETS || !this.findings.some(({ code }) => code === 'E_NET_FROZEN')) return false
    this.worn = 0
    return true
  }

  failed(error: unknown): void {
    if (this.failures++ === 0) this.since = this.clockwork.now()
    this.error = error
    this.hellos = isSottoError(error, 'E_PATH_HELLO') ? this.hellos + 1 : 0
    if (this.hellos >= HELLOS) this.note('E_NET_NAME')
    this.changed(this)
  }

  /** An exchange that might have been held for `hold` failed after `elapsed`, `silent` where nothing told when. */
  cut(elapsed: number, hold: number, silent: boolean): void {
    // What fails at once was not cut for being idle.
    if (hold <= HELD_MS || elapsed <= hold / 8) return
    if (this.edge.cut(Math.min(elapsed, hold), silent, this.clockwork.now())) this.note('E_NET_IDLE')
  }

  /** Waits before the next try: longer with every failure, with jitter, and no longer than until the path works again. */
  rest(signal: AbortSignal, failures: number = this.failures): Promise<void> {
    const most = Math.min(this.longestRest, REST_FIRST * 2 ** Math.min(failures, 10))
    const jitter = this.clockwork.random(1)[0]! / 255
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        this.sleepers.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const cancel = this.clockwork.after(most * (0.5 + jitter / 2), wake)
      this.sleepers.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  private get longestRest(): number {
    if (isSottoError(this.error, 'E_NOT_RECOGNISED') || isSottoError(this.error, 'E_REVOKED')) return REST_REFUSED
    return this.clockwork.now() - this.since > LONG_MS ? REST_LONG : REST_MOST
  }

  /** The machine has slept. */
  awoke(): void {
    this.note('E_NET_SLEPT')
    this.awake()
  }

  /** What is held is asked for anew, and what rests tries again now. */
  private awake(): void {
    this.failures = Math.min(this.failures, 1)
    this.doubt()
    for (const wake of [...this.sleepers]) wake()
  }

  /**
   * Calls `doubt` when the connection of this exchange is not to be relied on; returns how to stop. What sends much is
   * left alone: slow is not lost.
   */
  onDoubt(hold: number, octets: number, doubt: () => void): () => void {
    const isHeld = hold > HELD_MS
    if (!isHeld && octets > SMALL) return () => {}
    const doubter = { doubt, from: this.clockwork.now() + (isHeld ? 0 : Math.max(HELD_PATIENCE_LEAST, 2 * this.rtt)) }
    this.doubters.add(doubter)
    return () => void this.doubters.delete(doubter)
  }

  /** What only waits, and what should have been answered by now, goes out again on a new connection: the gateway takes the same parcel twice. */
  doubt(): void {
    const now = this.clockwork.now()
    for (const doubter of [...this.doubters].filter(({ from }) => from <= now)) {
      this.doubters.delete(doubter)
      doubter.doubt()
    }
  }
}

interface Told {
  readonly octets?: number
  readonly proves?: boolean
}

interface Doubter {
  readonly doubt: () => void
  /** Not before. */
  readonly from: Millis
}

/** Of header fields, and about as many for the line before them. */
function octetsOf(headers: readonly (readonly [string, string])[]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 16)
}
