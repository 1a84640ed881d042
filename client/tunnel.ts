/**
 * Keeps one session with one gateway alive over anything: introduces the client, keeps exchanges going in the rhythm of
 * the template, retries, renews keys hourly, and begins anew when the gateway has forgotten the session. What uses it
 * sees calls and subscriptions that survive all of that.
 */
import type { CompiledTemplate, Shape } from '#engine/compile.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { EndpointInfo, Permit } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import { PARCEL_MIN } from '#protocol/constants.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { aeads } from '#protocol/parcel.ts'
import type { Subscription } from '#protocol/services/rpc.ts'
import { CallInterrupted, call, subscribe } from '#protocol/services/rpc.ts'
import type { Outgoing } from '#protocol/session/client-session.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { CloseCode } from '#protocol/session/frames.ts'
import type { Priority } from '#protocol/session/stream.ts'
import type { ExchangeResult } from './carrier.ts'
import { performExchange } from './carrier.ts'
import type { Clockwork } from './clockwork.ts'
import { hostOf, introduce, NotRecognised } from './introduction.ts'
import type { Finding, Octets } from './path.ts'
import { Path } from './path.ts'

/**
 * Milliseconds that a sending exchange may wait for the service's answer to ride back in it. Longer than a service
 * needs to store a message, and short beside the round trip of a bad network.
 */
const SEND_HOLD = 100
/** Octets of parcel beside content. */
const PARCEL_OVERHEAD = PARCEL_MIN
/** A parcel down of at least this many octets means more is waiting: keep more polls open. */
const PLENTY = 8_192
/** First contacts of a template that fail, one after another, until another is tried. A refusal counts as all of them. */
const TRIES_EACH = 2
/** Failed starts that are remembered for people. */
const TRIED = 8
/** How often to look whether the machine has slept, and how late the look may be, milliseconds. */
const WATCH_MS = 5_000
const SLEPT_MS = 3_000

export type TunnelState =
  | { readonly kind: 'connecting' | 'ready' | 'stopped' }
  | { readonly kind: 'failing'; readonly code: ErrorCode; readonly reason: string }

/** A template that was begun with in vain. */
export interface Tried {
  readonly template: string
  readonly code: ErrorCode
  /** Milliseconds since the epoch. */
  readonly at: Millis
}

export interface TunnelStatus {
  readonly endpoint: EndpointInfo
  readonly state: TunnelState
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly template: string
  readonly rttMs: number
  readonly exchanges: number
  readonly sessions: number
  /** Milliseconds that the latest poll may be held. */
  readonly holdMs: number
  /** What this path does, in the order it was found. */
  readonly findings: readonly Finding[]
  /** What was tried since the start and did not come through, oldest first, the last few. */
  readonly tried: readonly Tried[]
}

export interface TunnelInput {
  readonly permit: Permit
  readonly template: CompiledTemplate
  /** To begin with where `template` does not come through, in this order. */
  readonly others?: readonly CompiledTemplate[]
  readonly clockwork: Clockwork
  /** Index into `aeads` of the suite this machine is quickest with. */
  readonly preferredAead: number
}

/** One session, from introduction to its end, and the exchanges that carry it. */
interface Epoch {
  readonly session: ClientSession
  readonly abort: AbortController
  sends: number
  polls: number
  /** Polls worth keeping open while the gateway has much to say. */
  appetite: number
  pumping: boolean
  probing: boolean
  /** Polls that carry something up, by number: how to stop waiting for a sign that it arrived. */
  readonly unsure: Map<number, () => void>
}

export class Tunnel {
  readonly path: Path
  private readonly input: TunnelInput
  private template: CompiledTemplate
  private readonly stopping = new AbortController()
  private current: Epoch | undefined
  private state: TunnelState = { kind: 'connecting' }
  private since: number
  private readonly waiting = new Set<() => void>()
  private readonly listeners: ((status: TunnelStatus) => void)[] = []
  private exchanges = 0
  private sessions = 0
  private readonly random: Clockwork['random']
  private holdMs = 0
  private others: readonly CompiledTemplate[]
  /** What the listeners heard last. */
  private told = ''
  private clockOffset: number | undefined
  private tried: readonly Tried[] = []
  /** Failed first contacts since one succeeded, in `TRIES_EACH` for every template. */
  private starts = 0
  /** A template of POST was refused as if for the method. */
  private postRefused = false
  private unwatch: () => void = () => {}

  constructor(input: TunnelInput) {
    this.input = input
    this.template = input.template
    this.others = input.others ?? []
    this.random = input.clockwork.random
    this.since = input.clockwork.now()
    this.path = new Path(input.clockwork, () => this.onPath())
    this.watch()
    void this.run()
  }

  get status(): TunnelStatus {
    const { state, since, exchanges, sessions, holdMs, tried } = this
    const { findings } = this.path
    const { endpoint } = this.input.permit
    const path = { rttMs: this.path.rtt, holdMs, findings, tried }
    return { endpoint, state, since, template: this.template.id, exchanges, sessions, ...path }
  }

  /** Called with the octets of every exchange that was answered. */
  onOctets(listener: (octets: Octets) => void): void {
    this.path.onOctets = listener
  }

  /** Called whenever the state, the template or what is known of the path changes. */
  onChange(listener: (status: TunnelStatus) => void): void {
    this.listeners.push(listener)
  }

  /** Exchanges from now on look like this template and no other; what is under way ends as it began. */
  use(template: CompiledTemplate): void {
    this.template = template
    this.others = []
    this.starts = 0
    const { current } = this
    if (current !== undefined) this.pump(current)
  }

  /** Tells the gateway that the session is over, as far as it can be reached within a second, and ends everything. */
  async stop(): Promise<void> {
    const { current } = this
    if (current !== undefined) {
      current.session.mux.close(CloseCode.done)
      await Promise.race([this.farewell(current), this.pause(1_000)])
    }
    this.unwatch()
    this.stopping.abort()
    current?.abort.abort()
    this.become({ kind: 'stopped' })
    for (const wake of [...this.waiting]) wake()
  }

  // ---- what services use -------------------------------------------------------------------------------------------------

  /** The live session; waits for one. @throws SottoError E_TUNNEL_STOPPED, E_TUNNEL_TIMEOUT */
  async session(timeoutMs: number = Number.POSITIVE_INFINITY): Promise<ClientSession> {
    const deadline = this.input.clockwork.now() + timeoutMs
    for (;;) {
      if (this.stopping.signal.aborted) throw new SottoError('E_TUNNEL_STOPPED', 'the connection was closed')
      const { current } = this
      if (current?.session.mux.ready && !current.session.mux.isClosed) return current.session
      const left = deadline - this.input.clockwork.now()
      if (left <= 0) throw this.timedOut()
      await this.nextChange(left)
    }
  }

  /**
   * A service call; repeated when its session ends before the answer (every method is idempotent).
   * @throws ServiceFailure where the service refuses; SottoError E_TUNNEL_TIMEOUT, E_TUNNEL_STOPPED
   */
  async call(
    method: string,
    args: unknown,
    options: { timeoutMs?: number; priority?: Priority } = {},
  ): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? 60_000
    const deadline = this.input.clockwork.now() + timeoutMs
    for (;;) {
      const left = deadline - this.input.clockwork.now()
      const session = await this.session(left)
      try {
        return await this.within(call(session.mux, method, args, options.priority), left)
      } catch (error) {
        if (!(error instanceof CallInterrupted)) throw error
      }
    }
  }

  /** A subscription that begins again with every new session, until cancelled or refused by the service. */
  subscribe(method: string, args: () => unknown, onMessage: (message: unknown) => void): Subscription {
    let inner: Subscription | undefined
    let cancelled = false
    const run = async (): Promise<string | undefined> => {
      while (!cancelled) {
        const session = await this.session()
        if (cancelled) break
        inner = subscribe(session.mux, method, args(), onMessage)
        const reason = await inner.ended
        if (reason !== undefined) return reason
      }
      return undefined
    }
    const cancel = (): void => {
      cancelled = true
      inner?.cancel()
    }
    return { ended: run().catch(() => undefined), cancel }
  }

  private async within<T>(work: Promise<T>, ms: number): Promise<T> {
    if (ms === Number.POSITIVE_INFINITY) return await work
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.input.clockwork.after(ms, () => reject(this.timedOut()))
    })
    return await Promise.race([work, late]).finally(cancel)
  }

  /** With the path's own advice; where somebody answered and refused, that is the news and not the time it took. */
  private timedOut(): SottoError {
    const { error } = this.path
    if (isSottoError(error, 'E_NOT_RECOGNISED') || isSottoError(error, 'E_REVOKED')) return error
    const why = error instanceof Error ? `: ${error.message}` : ''
    const { name } = this.input.permit.endpoint
    const advice = isSottoError(error) ? { next: error.next, cause: error } : {}
    return new SottoError('E_TUNNEL_TIMEOUT', `the gateway «${name}» could not be reached in time${why}`, {
      kept: 'Your messages and contacts are kept, and unsent messages stay in the outbox.',
      ...advice,
    })
  }

  private nextChange(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake)
        cancel()
        resolve()
      }
      const cancel = ms === Number.POSITIVE_INFINITY ? () => {} : this.input.clockwork.after(ms, wake)
      this.waiting.add(wake)
    })
  }

  // ---- the life of the tunnel ----------------------------------------------------------------------------------------------

  private async run(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      const epoch = await this.begin()
      if (epoch === undefined) {
        await this.path.rest(signal)
        continue
      }
      this.current = epoch
      this.pump(epoch)
      await aborted(epoch.abort.signal)
      for (const cancel of epoch.unsure.values()) cancel()
      this.current = undefined
      if (!signal.aborted) this.become({ kind: 'connecting' })
    }
  }

  /** Introduces the client; undefined where that failed (noted in the path and the state). */
  private async begin(): Promise<Epoch | undefined> {
    const { permit, clockwork, preferredAead } = this.input
    const { signal } = this.stopping
    const template = this.nextLook()
    const { clockOffset, path } = this
    let isVisited = false
    const visited = (offset: number): void => {
      this.clockOffset = offset
      isVisited = true
    }
    try {
      const how = { permit, template, clockwork, preferredAead, signal, clockOffset, tries: path.tries, visited }
      const introduced = await introduce(how)
      this.template = template
      this.starts = 0
      if (this.postRefused && template.shape('send').method === 'GET') path.note('E_NET_METHOD')
      this.postRefused = false
      path.worked(introduced.rttMs, 0)
      return this.adopt(introduced.keys.root, introduced.suite)
    } catch (error) {
      if (signal.aborted) return undefined
      this.startFailed(template, error, isVisited)
      return undefined
    }
  }

  /** What a session begins with: the one in use, and after failures the others in turn. */
  private nextLook(): CompiledTemplate {
    const others = this.others.filter(({ id }) => id !== this.template.id)
    const all = [this.template, ...others]
    return all[Math.floor(this.starts / TRIES_EACH) % all.length]!
  }

  private startFailed(template: CompiledTemplate, error: unknown, isVisited: boolean): void {
    const { code } = describe(error)
    this.tried = [...this.tried, { template: template.id, code, at: this.input.clockwork.now() }].slice(-TRIED)
    const isRefusal = error instanceof NotRecognised
    if (isRefusal && error.refused) this.postRefused = true
    // Where not even the page comes through, no other template would.
    if (isRefusal || code === 'E_NET_SIZE') this.starts += TRIES_EACH - (this.starts % TRIES_EACH)
    else if (isVisited && code !== 'E_NET_PORTAL') this.starts++
    this.path.failed(error)
  }

  private adopt(root: Uint8Array, suite: number): Epoch {
    const { clockwork } = this.input
    const abort = new AbortController()
    const session = new ClientSession({
      root,
      aead: aeads[suite]!,
      now: clockwork.now(),
      random: clockwork.random,
      events: {
        wake: () => this.soonPump(epoch),
        ready: () => this.become({ kind: 'ready' }),
        closed: (code) => this.onClosed(epoch, code),
        acknowledged: (number) => this.trust(epoch, number),
      },
    })
    const epoch: Epoch = {
      session,
      abort,
      sends: 0,
      polls: 0,
      appetite: 0,
      pumping: false,
      probing: false,
      unsure: new Map(),
    }
    session.renew()
    this.sessions++
    return epoch
  }

  private onClosed(epoch: Epoch, code: number): void {
    if (code === CloseCode.revoked)
      this.path.failed(new SottoError('E_REVOKED', 'the gateway has revoked this membership'))
    if (code !== CloseCode.done) epoch.abort.abort()
  }

  private onPath(): void {
    const { error } = this.path
    if (error === undefined) this.become(this.current?.session.mux.ready ? { kind: 'ready' } : { kind: 'connecting' })
    else this.become({ kind: 'failing', ...describe(error) })
  }

  private become(state: TunnelState): void {
    if (this.state.kind === 'stopped') return
    const same = this.state.kind === state.kind && JSON.stringify(this.state) === JSON.stringify(state)
    if (!same) this.since = this.input.clockwork.now()
    this.state = state
    for (const wake of [...this.waiting]) wake()
    const told = `${JSON.stringify(state)} ${this.template.id} ${this.path.findings.map(({ code }) => code)}`
    if (told === this.told) return
    this.told = told
    for (const listener of this.listeners) listener(this.status)
  }

  // ---- exchanges --------------------------------------------------------------------------------------------------------------

  private soonPump(epoch: Epoch): void {
    if (epoch.pumping || epoch.abort.signal.aborted) return
    epoch.pumping = true
    this.input.clockwork.soon(() => {
      epoch.pumping = false
      this.pump(epoch)
    })
  }

  /** Begins as many exchanges as there is reason for. */
  private pump(epoch: Epoch): void {
    const { session } = epoch
    const { rhythm } = this.template
    if (session.rekeyDue(this.input.clockwork.now())) void this.rekey(epoch)
    while (!epoch.abort.signal.aborted && session.mayTake) {
      const total = epoch.sends + epoch.polls
      // The last place is kept for what is urgent: a file under way must not delay a message.
      const room = total < rhythm.concurrency - 1 || (total < rhythm.concurrency && session.mux.urgent)
      const pollDue = epoch.polls < this.polls(epoch) && !session.mux.isClosed
      // What a poll can carry rides in one that is due anyway: most of all the credit for what a poll has just brought.
      if (room && session.pending(1) > 0 && !(pollDue && this.fitsPoll(session))) this.send(epoch)
      else if (pollDue) this.poll(epoch)
      else return
    }
  }

  private fitsPoll(session: ClientSession): boolean {
    const room = this.path.fit.room(this.pollShape, this.input.clockwork.now())
    return session.pending(room) + PARCEL_OVERHEAD <= room
  }

  private get pollShape(): Shape {
    return this.path.fit.pollShape(this.template, this.input.clockwork.now())
  }

  /** Polls to keep open: the template's, and while much comes down as many as it allows. */
  private polls(epoch: Epoch): number {
    const { polls, concurrency } = this.template.rhythm
    return Math.min(Math.max(polls, epoch.appetite), concurrency - 1)
  }

  private send(epoch: Epoch): void {
    const { session } = epoch
    const { fit } = this.path
    const now = this.input.clockwork.now()
    const bulk = this.template.shape('bulk')
    const small = this.template.shape('send')
    const wanted = session.pending(bulk.up.max) + PARCEL_OVERHEAD
    const isSmall = wanted <= fit.room(small, now) || fit.room(bulk, now) <= fit.room(small, now)
    const shape = isSmall ? small : bulk
    epoch.sends++
    // A large one is followed by more: its place is worth more than an answer that rides back.
    this.exchange(epoch, shape, fit.length(shape, wanted, now), isSmall ? SEND_HOLD : 0, () => epoch.sends--)
  }

  private poll(epoch: Epoch): void {
    const { session } = epoch
    const shape = this.pollShape
    const carries = session.pending(shape.up.max)
    const length = this.path.fit.length(shape, carries + PARCEL_OVERHEAD, this.input.clockwork.now())
    // Those beyond the template's come back soon when nothing follows, so that they do not stand in the way of sends.
    const isExtra = epoch.polls++ >= this.template.rhythm.polls
    const hold = isExtra ? SEND_HOLD : this.drawHold()
    const number = this.exchange(epoch, shape, length, hold, () => {
      epoch.polls--
      this.trust(epoch, number)
    })
    if (carries > 0 && !isExtra) this.doubtLater(epoch, number)
  }

  private drawHold(): number {
    const bytes = this.random(2)
    this.holdMs = this.path.drawHold(this.template.rhythm.holdMs, (bytes[0]! * 256 + bytes[1]!) / 65_535)
    return this.holdMs
  }

  /** Something was said in a poll that may be held for long: asks in time whether it has arrived. */
  private doubtLater(epoch: Epoch, number: number): void {
    const { clockwork } = this.input
    const half = this.path.patience / 2
    const ask = (): void => {
      epoch.unsure.set(
        number,
        clockwork.after(half, () => this.path.doubt()),
      )
      if (this.path.works) this.probe(epoch)
    }
    epoch.unsure.set(number, clockwork.after(half, ask))
  }

  /** The gateway has it. */
  private trust(epoch: Epoch, number: number): void {
    epoch.unsure.get(number)?.()
    epoch.unsure.delete(number)
  }

  /** An exchange for the sake of its answer, which says what has arrived and that the path works. One at a time. */
  private probe(epoch: Epoch): void {
    if (epoch.probing || !epoch.session.mayTake) return
    const shape = this.template.shape('send')
    epoch.probing = true
    epoch.sends++
    const length = this.path.fit.length(shape, PARCEL_OVERHEAD, this.input.clockwork.now())
    this.exchange(epoch, shape, length, 0, () => {
      epoch.probing = false
      epoch.sends--
    })
  }

  /** Begins an exchange and returns its number. */
  private exchange(epoch: Epoch, shape: Shape, length: number, hold: number, done: () => void): number {
    const { session, abort } = epoch
    const { clockwork, permit } = this.input
    const outgoing: Outgoing = session.take(length, hold)
    const encode = (): HttpRequest =>
      shape.encodeRequest({ ...outgoing, host: hostOf(permit), random: clockwork.random })
    this.exchanges++
    const accept = (parcel: Uint8Array): boolean => session.receive(clockwork.now(), outgoing.number, parcel)
    const { path } = this
    const { signal } = abort
    const probe = (): void => this.probe(epoch)
    performExchange({ permit, path, clockwork, shape, encode, hold, accept, probe, signal })
      .then((result) => {
        if (result.kind !== 'unfit') return this.onResult(epoch, result)
        path.fit.tooLarge(shape, length, result.said ?? false, clockwork.now())
        session.abandon(outgoing.number)
      })
      .catch(() => {})
      .finally(() => {
        done()
        if (!abort.signal.aborted) this.pump(epoch)
      })
    return outgoing.number
  }

  private onResult(epoch: Epoch, result: ExchangeResult): void {
    if (result.kind === 'stranger') {
      // The gateway has forgotten the session (a restart, a long sleep): begin anew.
      epoch.session.mux.close(CloseCode.gone)
      epoch.abort.abort()
      return
    }
    const { polls, concurrency } = this.template.rhythm
    epoch.appetite = result.octets >= PLENTY ? Math.min(Math.max(epoch.appetite, polls) * 2, concurrency) : 0
  }

  private async rekey(epoch: Epoch): Promise<void> {
    const noise = await this.input.permit.rekey({ prologue: epoch.session.transcript })
    if (!epoch.abort.signal.aborted && epoch.session.rekeyDue(this.input.clockwork.now())) epoch.session.renew(noise)
  }

  /** One last exchange that carries the end of the session. */
  private async farewell(epoch: Epoch): Promise<void> {
    const { session, abort } = epoch
    if (!session.mayTake || !this.path.works) return
    const shape = this.template.shape('send')
    await new Promise<void>((resolve) => {
      this.exchange(epoch, shape, shape.up.fit(PARCEL_OVERHEAD), 0, () => {
        abort.abort()
        resolve()
      })
    })
  }

  /** Timers stand still while a machine sleeps, and its connections do not live that long. */
  private watch(): void {
    const { clockwork } = this.input
    const due = clockwork.now() + WATCH_MS
    this.unwatch = clockwork.after(WATCH_MS, () => {
      if (clockwork.now() > due + SLEPT_MS) this.path.awoke()
      this.watch()
    })
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.input.clockwork.after(ms, resolve)
    })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function describe(error: unknown): { code: ErrorCode; reason: string } {
  if (isSottoError(error)) return { code: error.code, reason: error.message }
  return { code: 'E_INTERNAL', reason: error instanceof Error ? error.message : 'unknown' }
}
