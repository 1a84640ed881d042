/**
 * Keeps one session with one gateway alive over anything: introduces the client, keeps exchanges going in the rhythm of
 * the template, retries, renews keys hourly, and begins anew when the gateway has forgotten the session. What uses it
 * sees calls and subscriptions that survive all of that.
 */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { EndpointInfo, Permit } from '#firewall/permit.ts'
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
import { hostOf, introduce } from './introduction.ts'
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

export type TunnelState =
  | { readonly kind: 'connecting' | 'ready' | 'stopped' }
  | { readonly kind: 'failing'; readonly code: ErrorCode; readonly reason: string }

export interface TunnelStatus {
  readonly endpoint: EndpointInfo
  readonly state: TunnelState
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly template: string
  readonly rttMs: number
  readonly exchanges: number
  readonly sessions: number
}

export interface TunnelInput {
  readonly permit: Permit
  readonly template: CompiledTemplate
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
  rekeying: boolean
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

  constructor(input: TunnelInput) {
    this.input = input
    this.template = input.template
    this.random = input.clockwork.random
    this.since = input.clockwork.now()
    this.path = new Path(input.clockwork, () => this.onPath())
    void this.run()
  }

  get status(): TunnelStatus {
    const { state, since, exchanges, sessions } = this
    const { endpoint } = this.input.permit
    return { endpoint, state, since, template: this.template.id, rttMs: this.path.rtt, exchanges, sessions }
  }

  /** Called whenever the state changes. */
  onChange(listener: (status: TunnelStatus) => void): void {
    this.listeners.push(listener)
  }

  /** Exchanges from now on look like this template; what is under way ends as it began. */
  use(template: CompiledTemplate): void {
    this.template = template
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
      const late = new AbortController()
      try {
        return await this.within(call(session.mux, method, args, options.priority, late.signal), left)
      } catch (error) {
        if (error instanceof CallInterrupted) continue
        // Otherwise calls that came too late would pile up in the session, and all go out once the path works again.
        if (isSottoError(error)) late.abort()
        throw error
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
      this.current = undefined
      if (!signal.aborted) this.become({ kind: 'connecting' })
    }
  }

  /** Introduces the client; undefined where that failed (noted in the path and the state). */
  private async begin(): Promise<Epoch | undefined> {
    const { permit, clockwork, preferredAead } = this.input
    const { signal } = this.stopping
    try {
      const introduced = await introduce({ permit, template: this.template, clockwork, preferredAead, signal })
      this.path.worked(introduced.rttMs, 0)
      return this.adopt(introduced.keys.root, introduced.suite)
    } catch (error) {
      if (signal.aborted) return undefined
      this.path.failed(error)
      return undefined
    }
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
      },
    })
    const epoch: Epoch = { session, abort, sends: 0, polls: 0, appetite: 0, pumping: false, rekeying: false }
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
    if (!same) for (const listener of this.listeners) listener(this.status)
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
    const { max } = this.template.shape('poll').up
    return session.pending(max) + PARCEL_OVERHEAD <= max
  }

  /** Polls to keep open: the template's, and while much comes down as many as it allows. */
  private polls(epoch: Epoch): number {
    const { polls, concurrency } = this.template.rhythm
    return Math.min(Math.max(polls, epoch.appetite), concurrency - 1)
  }

  private send(epoch: Epoch): void {
    const { session } = epoch
    const bulk = this.template.shape('bulk')
    const wanted = session.pending(bulk.up.max) + PARCEL_OVERHEAD
    const small = this.template.shape('send')
    const isSmall = wanted <= small.up.max
    const shape = isSmall ? small : bulk
    epoch.sends++
    // A large one is followed by more: its place is worth more than an answer that rides back.
    this.exchange(epoch, shape, shape.up.fit(wanted), isSmall ? SEND_HOLD : 0, () => epoch.sends--)
  }

  private poll(epoch: Epoch): void {
    const shape = this.template.shape('poll')
    const wanted = epoch.session.pending(shape.up.max) + PARCEL_OVERHEAD
    // Those beyond the template's come back soon when nothing follows, so that they do not stand in the way of sends.
    const isExtra = epoch.polls++ >= this.template.rhythm.polls
    this.exchange(epoch, shape, shape.up.fit(wanted), isExtra ? SEND_HOLD : this.drawHold(), () => epoch.polls--)
  }

  private drawHold(): number {
    const [least, most] = this.template.rhythm.holdMs
    const bytes = this.random(2)
    return Math.round(least + ((most - least) * (bytes[0]! * 256 + bytes[1]!)) / 65_535)
  }

  private exchange(
    epoch: Epoch,
    shape: ReturnType<CompiledTemplate['shape']>,
    length: number,
    hold: number,
    done: () => void,
  ): void {
    const { session, abort } = epoch
    const { clockwork, permit } = this.input
    const outgoing: Outgoing = session.take(length, hold)
    const request = shape.encodeRequest({ ...outgoing, host: hostOf(permit), random: clockwork.random })
    this.exchanges++
    const accept = (parcel: Uint8Array): boolean => session.receive(clockwork.now(), outgoing.number, parcel)
    const mayRetry = (): boolean => session.mayRetry(clockwork.now(), outgoing.number)
    performExchange({
      permit,
      path: this.path,
      clockwork,
      shape,
      request,
      hold,
      accept,
      mayRetry,
      signal: abort.signal,
    })
      .then((result) => this.onResult(epoch, outgoing.number, result))
      .catch(() => {})
      .finally(() => {
        done()
        if (!abort.signal.aborted) this.pump(epoch)
      })
  }

  private onResult(epoch: Epoch, number: number, result: ExchangeResult): void {
    if (result.kind === 'late') return epoch.session.abandon(number)
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
    if (epoch.rekeying) return
    epoch.rekeying = true
    try {
      const noise = await this.input.permit.rekey({ prologue: epoch.session.transcript })
      if (!epoch.abort.signal.aborted && epoch.session.rekeyDue(this.input.clockwork.now())) epoch.session.renew(noise)
    } catch {
      // The firewall refuses or has gone; it is asked again with the next exchange, and those fail with the reason.
    } finally {
      epoch.rekeying = false
    }
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
