/**
 * Keeps one session with one gateway alive over anything: introduces the client, keeps exchanges going in the rhythm of
 * the template, retries, renews keys hourly, and begins anew when the gateway has forgotten the session. What uses it
 * sees calls and subscriptions that survive all of that. Its parts are in tunnel/.
 */
import type { CompiledTemplate } from '#engine/compile.ts'
import { RHYTHM_SEED_LENGTH } from '#engine/rhythm.ts'
import { SottoError } from '#protocol/errors.ts'
import { aeads } from '#protocol/parcel.ts'
import type { Subscription } from '#protocol/services/rpc.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import { CloseCode } from '#protocol/session/frames.ts'
import type { Introduced } from './introduction.ts'
import type { Octets } from './path.ts'
import { Path } from './path.ts'
import { SocketCarrier } from './socket/socket-carrier.ts'
import { Attire } from './tunnel/attire.ts'
import type { CallOptions } from './tunnel/calls.ts'
import { callOver, subscribeOver, timeoutError } from './tunnel/calls.ts'
import { Epoch } from './tunnel/epoch.ts'
import type { Shared, TunnelInput } from './tunnel/input.ts'
import { Pump } from './tunnel/pump.ts'
import { Recollection } from './tunnel/recollection.ts'
import type { Outcome } from './tunnel/shift.ts'
import { tryTemplate } from './tunnel/shift.ts'
import { Starts } from './tunnel/start.ts'
import type { TunnelState, TunnelStatus } from './tunnel/status.ts'
import { describe } from './tunnel/status.ts'
import { watchForSleep } from './tunnel/wakefulness.ts'

/** Milliseconds that a session lives at least unless something is wrong with it. */
const YOUNG_MS = 10_000
/** Milliseconds for the end of a session to reach the gateway. */
const FAREWELL_MS = 1_000

interface Current {
  readonly epoch: Epoch
  readonly pump: Pump
}

export class Tunnel {
  readonly path: Path
  readonly clockwork: TunnelInput['clockwork']
  private readonly input: TunnelInput
  private readonly shared: Shared
  private readonly starts: Starts
  private readonly recollection: Recollection
  private readonly stopping = new AbortController()
  private readonly unwatch: () => void
  private readonly waiting = new Set<() => void>()
  private readonly listeners: ((status: TunnelStatus) => void)[] = []
  private current: Current | undefined
  private state: TunnelState = { kind: 'connecting' }
  private since: number
  private sessions = 0
  private holdMs = 0
  /** What the listeners heard last. */
  private told = ''

  constructor(input: TunnelInput) {
    const { permit, template, clockwork, looks } = input
    this.input = input
    this.clockwork = clockwork
    this.since = clockwork.now()
    this.path = new Path(clockwork, () => this.onPath())
    const attire = new Attire(template, input.rhythmSeed ?? clockwork.random(RHYTHM_SEED_LENGTH), this.since)
    const socket = new SocketCarrier({ permit, clockwork, path: this.path, changed: () => this.onSocket() })
    this.shared = { permit, clockwork, looks, path: this.path, attire, socket, counted: { exchanges: 0 } }
    this.starts = new Starts(this.shared, input, (look) => this.wear(look))
    this.recollection = new Recollection(input.memory, this.path, clockwork)
    this.unwatch = watchForSleep(clockwork, () => this.path.awoke())
    void this.run()
  }

  get status(): TunnelStatus {
    const { state, since, sessions, path } = this
    const { endpoint } = this.input.permit
    const { exchanges } = this.shared.counted
    const holdMs = this.current?.pump.holdMs ?? this.holdMs
    const edge = path.edge.report(this.clockwork.now())
    const way = { rttMs: path.rtt, holdMs, edge, findings: path.findings, tried: this.starts.tried }
    const socket = this.shared.socket.line !== undefined
    return { endpoint, state, since, template: this.look.id, socket, exchanges, sessions, ...way }
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
    this.starts.choose()
    this.wear(template)
    this.current?.pump.run()
  }

  /** This machine is on another network. What is known of that one counts from now on; the session goes on. */
  async moved(): Promise<void> {
    this.starts.moved()
    this.path.moved()
    await this.recollection.begin()
  }

  /** Template of the exchanges that begin now. */
  get look(): CompiledTemplate {
    return this.shared.attire.template
  }

  /**
   * Carries one exchange of each kind of a message in another template, beside everything that goes on. 'busy' where there
   * is no session, or no number to spare, to try it with.
   */
  async trial(template: CompiledTemplate): Promise<Outcome> {
    return this.current === undefined ? 'busy' : await tryTemplate(this.shared, this.current.epoch, template)
  }

  /** Tells the gateway that the session is over, as far as it can be reached within a second, and ends everything. */
  async stop(): Promise<void> {
    const { current } = this
    if (current !== undefined) {
      current.epoch.session.mux.close(CloseCode.done)
      await Promise.race([this.farewell(current), this.pause(FAREWELL_MS)])
    }
    this.unwatch()
    this.recollection.end()
    await this.recollection.keep()
    this.stopping.abort()
    current?.epoch.abort.abort()
    this.shared.socket.stop()
    this.become({ kind: 'stopped' })
    for (const wake of [...this.waiting]) wake()
  }

  // ---- what services use -------------------------------------------------------------------------------------------------

  /** The live session; waits for one. @throws SottoError E_TUNNEL_STOPPED, E_TUNNEL_TIMEOUT */
  async session(timeoutMs: number = Number.POSITIVE_INFINITY): Promise<ClientSession> {
    const deadline = this.clockwork.now() + timeoutMs
    for (;;) {
      if (this.stopping.signal.aborted) throw new SottoError('E_TUNNEL_STOPPED', 'the connection was closed')
      const session = this.current?.epoch.session
      if (session?.mux.ready && !session.mux.isClosed) return session
      const left = deadline - this.clockwork.now()
      if (left <= 0) throw this.timedOut()
      await this.nextChange(left)
    }
  }

  /**
   * A service call; repeated when its session ends before the answer (every method is idempotent).
   * @throws ServiceFailure where the service refuses; SottoError E_TUNNEL_TIMEOUT, E_TUNNEL_STOPPED
   */
  call(method: string, args: unknown, options: CallOptions = {}): Promise<unknown> {
    return callOver(this, method, args, options)
  }

  /** A subscription that begins again with every new session, until cancelled or refused by the service. */
  subscribe(method: string, args: () => unknown, onMessage: (message: unknown) => void): Subscription {
    return subscribeOver(this, method, args, onMessage)
  }

  /** The error of whatever waited for the gateway in vain. */
  timedOut(): SottoError {
    return timeoutError(this.input.permit.endpoint.name, this.path.error)
  }

  private nextChange(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake)
        cancel()
        resolve()
      }
      const cancel = ms === Number.POSITIVE_INFINITY ? () => {} : this.clockwork.after(ms, wake)
      this.waiting.add(wake)
    })
  }

  // ---- the life of the tunnel ----------------------------------------------------------------------------------------------

  private async run(): Promise<void> {
    const { signal } = this.stopping
    /** Sessions that died young, one after another. */
    let young = 0
    await this.pause(this.input.afterMs ?? 0)
    await this.recollection.begin()
    while (!signal.aborted) {
      const introduced = await this.starts.begin(signal)
      if (introduced === undefined) {
        if (!signal.aborted) await this.path.rest(signal)
        continue
      }
      const began = this.clockwork.now()
      const current = this.adopt(introduced)
      this.current = current
      current.pump.run()
      await aborted(current.epoch.abort.signal)
      current.pump.end()
      this.holdMs = current.pump.holdMs
      this.current = undefined
      this.shared.socket.drop()
      if (signal.aborted) return
      this.become({ kind: 'connecting' })
      young = this.clockwork.now() - began < YOUNG_MS ? young + 1 : 0
      // Once is nothing. A gateway that ends every session would be asked for the next one many times a minute.
      if (young > 1) await this.path.rest(signal, young)
    }
  }

  private adopt({ keys, suite }: Introduced): Current {
    const { clockwork } = this
    const session = new ClientSession({
      root: keys.root,
      aead: aeads[suite]!,
      now: clockwork.now(),
      random: clockwork.random,
      events: {
        wake: () => pump.soonRun(),
        ready: () => this.become({ kind: 'ready' }),
        closed: (code) => this.onClosed(epoch, code),
        acknowledged: (number) => pump.acknowledged(number),
        repeated: (count) => {
          if (count > epoch.again) this.path.edge.repeats()
        },
        pointed: (pointer) => this.input.looks?.pointed(pointer),
      },
    })
    const epoch = new Epoch(session)
    const pump = new Pump(this.shared, epoch, {
      wear: (template) => this.wear(template),
      rekey: () => void this.rekey(epoch),
    })
    session.renew()
    this.sessions++
    return { epoch, pump }
  }

  private async rekey(epoch: Epoch): Promise<void> {
    const { session } = epoch
    if (epoch.rekeying) return
    epoch.rekeying = true
    try {
      const noise = await this.input.permit.rekey({ prologue: session.transcript })
      if (!epoch.isOver && session.rekeyDue(this.clockwork.now())) session.renew(noise)
    } catch {
      // The firewall refuses or has gone; it is asked again with the next exchange, and those fail with the reason.
    } finally {
      epoch.rekeying = false
    }
  }

  /** One last exchange that carries the end of the session. */
  private async farewell({ epoch, pump }: Current): Promise<void> {
    if (!epoch.session.mayTake || !this.path.works) return
    await pump.last()
    epoch.abort.abort()
  }

  /** Over when the tunnel is. */
  private async pause(ms: number): Promise<void> {
    if (ms === 0 || this.stopping.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.clockwork.after(ms, resolve)
    await Promise.race([promise, aborted(this.stopping.signal)])
    cancel()
  }

  // ---- what it says of itself ----------------------------------------------------------------------------------------------

  /** What was under way on a socket that is over goes out again as requests. */
  private onSocket(): void {
    if (this.current === undefined) return
    const { epoch, pump } = this.current
    if (this.shared.socket.line === undefined) for (const given of [...epoch.onSocket]) given.abort()
    this.tell()
    pump.soonRun()
  }

  private wear(template: CompiledTemplate): void {
    if (!this.shared.attire.wear(template, this.clockwork.now())) return
    this.shared.socket.drop()
    this.told = ''
    this.tell()
  }

  private onClosed(epoch: Epoch, code: number): void {
    if (code === CloseCode.revoked)
      this.path.failed(new SottoError('E_REVOKED', 'the gateway has revoked this membership'))
    if (code !== CloseCode.done) epoch.abort.abort()
  }

  private onPath(): void {
    const { error } = this.path
    const isReady = this.current?.epoch.session.mux.ready ?? false
    if (error === undefined) this.become({ kind: isReady ? 'ready' : 'connecting' })
    else this.become({ kind: 'failing', ...describe(error) })
  }

  private become(state: TunnelState): void {
    if (this.state.kind === 'stopped') return
    const same = this.state.kind === state.kind && JSON.stringify(this.state) === JSON.stringify(state)
    if (!same) this.since = this.clockwork.now()
    this.state = state
    for (const wake of [...this.waiting]) wake()
    this.tell()
  }

  private tell(): void {
    const told = `${JSON.stringify(this.state)} ${this.look.id} ${this.status.socket} ${this.path.findings.map(({ code }) => code)}`
    if (told === this.told) return
    this.told = told
    for (const listener of this.listeners) listener(this.status)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
