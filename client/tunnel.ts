/**
 * Keeps one session with one gateway alive over anything: introduces the client, keeps exchanges going in the rhythm of
 * the template, retries, renews keys hourly, and begins anew when the gateway has forgotten the session. What uses it
 * sees calls and subscriptions that survive all of that.
 */
import type { CompiledTemplate, Form, Shape } from '#engine/compile.ts'
import { TemplateLimits } from '#engine/limits.ts'
import type { Rhythm } from '#engine/rhythm.ts'
import { createRhythm, RHYTHM_SEED_LENGTH } from '#engine/rhythm.ts'
import type { HttpRequest } from '#engine/template.ts'
import type { EndpointInfo, Permit } from '#firewall/permit.ts'
import type { Millis } from '#protocol/bytes.ts'
import { PARCEL_MIN } from '#protocol/constants.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { aeads } from '#protocol/parcel.ts'
import { bindingOf } from '#protocol/recognition.ts'
import type { Subscription } from '#protocol/services/rpc.ts'
import { CallInterrupted, call, subscribe } from '#protocol/services/rpc.ts'
import type { Outgoing } from '#protocol/session/client-session.ts'
import { ClientSession } from '#protocol/session/client-session.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import { CloseCode } from '#protocol/session/frames.ts'
import type { Priority } from '#protocol/session/stream.ts'
import type { ExchangeResult } from './carrier.ts'
import { performExchange, tryExchange } from './carrier.ts'
import type { Clockwork } from './clockwork.ts'
import { hostOf, introduce, NotRecognised } from './introduction.ts'
import type { Finding, Octets } from './path.ts'
import { Path } from './path.ts'
import { SocketCarrier } from './socket/socket-carrier.ts'

/**
 * Milliseconds that a sending exchange may wait for the service's answer to ride back in it. Longer than a service
 * needs to store a message, and short beside the round trip of a bad network.
 */
const SEND_HOLD = 100
/** Exchanges at once on a WebSocket: below what a gateway parks for a session. */
const SOCKET_CONCURRENCY = 6
/** Octets of parcel beside content. */
const PARCEL_OVERHEAD = PARCEL_MIN
/** A parcel down of at least this many octets means more is waiting: keep more polls open. */
const PLENTY = 8_192
/** Milliseconds that an exchange may go on failing until another template is tried; twice as long each time. */
const SHIFT_MS = 6_000
/** First contacts of a template that fail, one after another, until another is tried. A refusal counts as all of them. */
const TRIES_EACH = 2
/** Numbers of a session that may be spent on templates that do not carry, since one did. The gateway expects 16 ahead. */
const SPARE_NUMBERS = 6
/** As many, since an exchange came through, on saying the same in a request that looks different. */
const SPARE_RENEWALS = 4
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
  /** Exchanges go over a WebSocket; otherwise as HTTP requests. */
  readonly socket: boolean
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
  /** Of the member's rhythm with this gateway, 16 octets, secret; drawn where nothing is given. */
  readonly rhythmSeed?: Uint8Array
  /** Where other templates come from; without it there is the one. */
  readonly looks?: TunnelLooks
}

/** Templates that a tunnel may change between, and who wants to know of it. */
export interface TunnelLooks {
  /** Best first, never empty. */
  candidates(): Promise<readonly CompiledTemplate[]>
  /** The tunnel goes on with this one, which has just carried an exchange. */
  took(template: CompiledTemplate): void
  /** The gateway has said which pack to use. */
  pointed(pointer: PackPointer): void
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
  /** Ends the wait for the next exchange that the rhythm has put off. */
  unwait: () => void
  /** Exchanges under way, with the template they look like and how to give them up. */
  readonly underWay: Map<AbortController, CompiledTemplate>
  /** Of them, those on the WebSocket. */
  readonly onSocket: Set<AbortController>
  /** Numbers spent on templates that did not carry. */
  spent: number
  /** Numbers spent on requests that somebody on the way had answered. */
  renewed: number
  /** Another template is being looked for. */
  shifting: boolean
  /** The website answered in place of the gateway: nothing more in this template until another is found. */
  refused: boolean
  shiftAfter: number
  rekeying: boolean
}

export class Tunnel {
  readonly path: Path
  private readonly input: TunnelInput
  private readonly socket: SocketCarrier
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
  private readonly rhythmSeed: Uint8Array
  private rhythm: Rhythm

  constructor(input: TunnelInput) {
    this.input = input
    this.template = input.template
    this.others = input.others ?? []
    this.random = input.clockwork.random
    this.since = input.clockwork.now()
    this.rhythmSeed = input.rhythmSeed ?? this.random(RHYTHM_SEED_LENGTH)
    this.rhythm = createRhythm(this.template.rhythm, this.rhythmSeed, this.since)
    this.path = new Path(input.clockwork, () => this.onPath())
    const { permit, clockwork } = input
    this.socket = new SocketCarrier({ permit, clockwork, path: this.path, changed: () => this.onSocket() })
    this.watch()
    void this.run()
  }

  get status(): TunnelStatus {
    const { state, since, exchanges, sessions, holdMs, tried } = this
    const { findings } = this.path
    const { endpoint } = this.input.permit
    const path = { rttMs: this.path.rtt, holdMs, findings, tried }
    const socket = this.socket.line !== undefined
    return { endpoint, state, since, template: this.template.id, socket, exchanges, sessions, ...path }
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
    this.others = []
    this.starts = 0
    this.wear(template)
    const { current } = this
    if (current !== undefined) this.pump(current)
  }

  private wear(template: CompiledTemplate): void {
    if (template === this.template) return
    this.template = template
    this.rhythm = createRhythm(template.rhythm, this.rhythmSeed, this.input.clockwork.now())
    this.socket.drop()
    this.told = ''
    this.tell()
  }

  /** Template of the exchanges that begin now. */
  get look(): CompiledTemplate {
    return this.template
  }

  /**
   * Carries one exchange of each kind of a message in another template, beside everything that goes on. 'busy' where there
   * is no session, or no number to spare, to try it with.
   */
  async trial(template: CompiledTemplate): Promise<'carried' | 'failed' | 'busy'> {
    const { current: epoch } = this
    if (epoch === undefined || !epoch.session.mux.ready) return 'busy'
    for (const shape of new Set([template.shape('send'), template.shape('poll')])) {
      const outcome = await this.tryShape(epoch, shape)
      if (outcome !== 'carried') return outcome
    }
    return 'carried'
  }

  /** Two attempts, as anything on a network needs; nothing of it counts for the path in use. */
  private async tryShape(epoch: Epoch, shape: Shape): Promise<'carried' | 'failed' | 'busy'> {
    const { session, abort } = epoch
    const { clockwork, permit } = this.input
    if (abort.signal.aborted || !session.mayTake || epoch.spent >= SPARE_NUMBERS) return 'busy'
    const outgoing = session.takeBare(shape.up.fit(PARCEL_OVERHEAD), bindingOf(shape))
    const request = shape.encodeRequest({ ...outgoing, host: hostOf(permit), random: clockwork.random })
    const accept = (parcel: Uint8Array): boolean => session.receive(clockwork.now(), outgoing.number, parcel)
    const timeoutMs = this.path.patience
    this.exchanges++
    for (let attempt = 0; attempt < 2; attempt++) {
      if (await tryExchange({ permit, shape, request, timeoutMs, accept, signal: abort.signal })) {
        epoch.spent = 0
        return 'carried'
      }
      if (abort.signal.aborted) return 'busy'
    }
    session.abandon(outgoing.number)
    epoch.spent++
    return 'failed'
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
    this.socket.stop()
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
      for (const cancel of epoch.unsure.values()) cancel()
      epoch.unwait()
      this.current = undefined
      this.socket.drop()
      if (!signal.aborted) this.become({ kind: 'connecting' })
    }
  }

  /** Introduces the client; undefined where that failed (noted in the path and the state). */
  private async begin(): Promise<Epoch | undefined> {
    const { permit, clockwork, preferredAead, looks } = this.input
    const { signal } = this.stopping
    let { template } = this
    const { clockOffset, path } = this
    let isVisited = false
    const visited = (offset: number): void => {
      this.clockOffset = offset
      isVisited = true
    }
    try {
      template = await this.nextLook()
      const before = this.template
      const how = { permit, template, clockwork, preferredAead, signal, clockOffset, tries: path.tries, visited }
      const introduced = await introduce(how)
      this.starts = 0
      // A look that was chosen while this was under way stays.
      if (this.template === before) this.wear(template)
      if (this.postRefused && template.shape('send').method === 'GET') path.note('E_NET_METHOD')
      this.postRefused = false
      path.worked(introduced.rttMs, 0)
      looks?.took(template)
      return this.adopt(introduced.keys.root, introduced.suite)
    } catch (error) {
      if (signal.aborted) return undefined
      this.startFailed(template, error, isVisited)
      return undefined
    }
  }

  /** What a session begins with: the one in use, and after failures the others in turn. */
  private async nextLook(): Promise<CompiledTemplate> {
    const known = (await this.input.looks?.candidates()) ?? [this.template]
    const others = this.others.filter(({ bindingId }) => known.every((each) => each.bindingId !== bindingId))
    const all = [...known, ...others]
    return all[Math.floor(this.starts / TRIES_EACH) % all.length] ?? this.template
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
        pointed: (pointer) => this.input.looks?.pointed(pointer),
      },
    })
    const epoch: Epoch = {
      ...{ session, abort, sends: 0, polls: 0, appetite: 0, pumping: false, unwait: () => {}, rekeying: false },
      ...{
        underWay: new Map(),
        onSocket: new Set(),
        spent: 0,
        renewed: 0,
        shifting: false,
        refused: false,
        shiftAfter: SHIFT_MS,
      },
      ...{ probing: false, unsure: new Map() },
    }
    abort.signal.addEventListener('abort', () => epoch.underWay.forEach((_, given) => void given.abort()), {
      once: true,
    })
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
    this.tell()
  }

  private tell(): void {
    const told = `${JSON.stringify(this.state)} ${this.template.id} ${this.socket.line !== undefined} ${this.path.findings.map(({ code }) => code)}`
    if (told === this.told) return
    this.told = told
    for (const listener of this.listeners) listener(this.status)
  }

  /** What was under way on a socket that is over goes out again as requests. */
  private onSocket(): void {
    const { current: epoch } = this
    if (epoch === undefined) return
    if (this.socket.line === undefined) for (const given of [...epoch.onSocket]) given.abort()
    this.tell()
    this.soonPump(epoch)
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

  /** Begins as many exchanges as there is reason for, and waits for those that the rhythm puts off. */
  private pump(epoch: Epoch): void {
    const { session } = epoch
    const now = this.input.clockwork.now()
    epoch.unwait()
    if (session.rekeyDue(now)) void this.rekey(epoch)
    if (!epoch.refused) this.socket.tend(session, this.template.socket)
    while (!epoch.abort.signal.aborted && session.mayTake && !epoch.refused) {
      const due = this.nextExchange(epoch, now)
      if (due === undefined) return this.waitForRhythm(epoch, now)
      this[due](epoch)
    }
  }

  /** What there is reason for right now. */
  private nextExchange(epoch: Epoch, now: number): 'send' | 'poll' | 'cover' | undefined {
    const { session } = epoch
    // The farewell says so, once.
    if (session.mux.isClosed) return undefined
    const { pollAt, sendAt, coverAt } = this.rhythm
    const total = epoch.sends + epoch.polls
    // The last place is kept for what is urgent: a file under way must not delay a message.
    const room = total < this.concurrency - 1 || (total < this.concurrency && session.mux.urgent)
    const pollWanted = this.wantsPoll(epoch)
    // Much that comes down is not waited for.
    const pollIn = epoch.appetite > 0 || this.socket.line !== undefined ? 0 : pollAt - now
    const pollSoon = pollIn <= 0 || (pollIn <= TemplateLimits.thinkMs && !session.mux.urgent)
    // What a poll can carry rides in one that is due anyway: most of all the credit for what a poll has just brought.
    const rides = pollWanted && pollSoon && this.fitsPoll(session)
    const mayStart = room && sendAt <= now && !this.rhythm.constant
    if (mayStart && session.pending(1) > 0 && !rides) return 'send'
    if (pollWanted && pollIn <= 0) return 'poll'
    return room && coverAt !== undefined && coverAt <= now ? 'cover' : undefined
  }

  private wantsPoll(epoch: Epoch): boolean {
    return epoch.polls < this.polls(epoch) && !epoch.session.mux.isClosed && !this.socket.isOpening
  }

  /** Comes back when the earliest of what the rhythm has put off is due; sets no timer where it puts nothing off. */
  private waitForRhythm(epoch: Epoch, now: number): void {
    const { pollAt, sendAt, coverAt } = this.rhythm
    const times = [
      coverAt,
      this.wantsPoll(epoch) ? pollAt : undefined,
      epoch.session.pending(1) > 0 ? sendAt : undefined,
    ]
    const later = times.filter((time) => time !== undefined && time > now)
    if (later.length === 0) return
    epoch.unwait = this.input.clockwork.after(Math.min(...(later as number[])) - now, () => this.pump(epoch))
  }

  private fitsPoll(session: ClientSession): boolean {
    const room = this.path.fit.room(this.pollShape, this.input.clockwork.now())
    return session.pending(room) + PARCEL_OVERHEAD <= room
  }

  private get pollShape(): Form {
    return this.socket.line?.look.messages ?? this.path.fit.pollShape(this.template, this.input.clockwork.now())
  }

  /** Polls to keep open: the template's, and while much comes down as many as it allows. */
  private polls(epoch: Epoch): number {
    const { polls } = this.template.rhythm
    // On a WebSocket there is a place to spare for what goes up as well.
    const kept = this.socket.line === undefined ? 1 : 2
    return Math.min(Math.max(polls, epoch.appetite), this.concurrency - kept)
  }

  /** Exchanges at once: as many as the template has connections for; on a WebSocket they take none. */
  private get concurrency(): number {
    return this.socket.line === undefined ? this.template.rhythm.concurrency : SOCKET_CONCURRENCY
  }

  private send(epoch: Epoch): void {
    const { session } = epoch
    const { fit } = this.path
    const now = this.input.clockwork.now()
    const [bulk, small] = [this.template.shape('bulk'), this.template.shape('send')]
    const wanted = session.pending(this.form('bulk').up.max) + PARCEL_OVERHEAD
    const isSmall = wanted <= fit.room(small, now) || fit.room(bulk, now) <= fit.room(small, now)
    const shape = this.form(isSmall ? 'send' : 'bulk')
    epoch.sends++
    this.rhythm.began('send', now)
    // A large one is followed by more: its place is worth more than an answer that rides back.
    this.exchange(epoch, shape, fit.length(shape, wanted, now), isSmall ? SEND_HOLD : 0, () => epoch.sends--)
  }

  /** What carries exchanges of this kind now. */
  private form(kind: 'send' | 'bulk'): Form {
    return this.socket.line?.look.messages ?? this.template.shape(kind)
  }

  /** As a send of a message, with whatever there is to say by then and otherwise nothing. */
  private cover(epoch: Epoch): void {
    const shape = this.form('send')
    const length = this.path.fit.length(shape, this.rhythm.coverBytes, this.input.clockwork.now())
    epoch.sends++
    this.beganBeside(epoch)
    this.exchange(epoch, shape, length, SEND_HOLD, () => epoch.sends--)
  }

  /** The rhythm hears of a send that nobody asked for. */
  private beganBeside(epoch: Epoch): void {
    this.rhythm.began(epoch.session.pending(1) > 0 ? 'send' : 'cover', this.input.clockwork.now())
  }

  private poll(epoch: Epoch): void {
    const shape = this.pollShape
    // Where sends are constant, polls are too.
    const said = this.rhythm.constant ? 0 : epoch.session.pending(shape.up.max)
    const length = this.path.fit.length(shape, said + PARCEL_OVERHEAD, this.input.clockwork.now())
    // Those beyond the template's come back soon when nothing follows, so that they do not stand in the way of sends.
    const isExtra = epoch.polls++ >= this.template.rhythm.polls
    const { line } = this.socket
    const hold = isExtra ? SEND_HOLD : this.drawHold(line?.look.holdMs)
    const number = this.exchange(epoch, shape, length, hold, (result, last) => {
      epoch.polls--
      this.trust(epoch, last)
      const news = result !== undefined && result.octets > shape.down.classes[0]!
      if (!isExtra && line === undefined) this.rhythm.polled(this.input.clockwork.now(), news)
    })
    if (said > 0 && !isExtra) this.doubtLater(epoch, number)
  }

  /** The rhythm draws, within what the path allows; a WebSocket is kept open by its server. */
  private drawHold(socket: readonly [number, number] | undefined): number {
    if (socket !== undefined) this.holdMs = socket[0] + (this.random(1)[0]! / 255) * (socket[1] - socket[0])
    else this.holdMs = this.path.adaptHold(this.template.rhythm.holdMs, this.rhythm.hold())
    return this.holdMs
  }

  /** Something was said in a poll that may be held for long: asks in time whether it has arrived. */
  private doubtLater(epoch: Epoch, number: number): void {
    const { clockwork } = this.input
    const half = this.path.patience / 2
    const ask = (): void => {
      const wait = this.rhythm.sendAt - clockwork.now()
      if (wait > 0) return void epoch.unsure.set(number, clockwork.after(wait, ask))
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

  /**
   * An exchange for the sake of its answer, which says what has arrived and that the path works. One at a time, and none
   * where the rhythm puts sends off: the next of them tells as much.
   */
  private probe(epoch: Epoch): void {
    if (epoch.probing || epoch.refused || !epoch.session.mayTake) return
    if (this.rhythm.constant || this.rhythm.sendAt > this.input.clockwork.now()) return
    const shape = this.form('send')
    epoch.probing = true
    epoch.sends++
    this.beganBeside(epoch)
    const length = this.path.fit.length(shape, PARCEL_OVERHEAD, this.input.clockwork.now())
    this.exchange(epoch, shape, length, 0, () => {
      epoch.probing = false
      epoch.sends--
    })
  }

  /** Begins an exchange and returns its number. `done`: what came of it, and the number that it had at last. */
  private exchange(
    epoch: Epoch,
    shape: Form,
    length: number,
    hold: number,
    done: (result: ExchangeResult | undefined, number: number) => void,
  ): number {
    const { session, abort } = epoch
    const { clockwork } = this.input
    const { path } = this
    const { line } = this.socket
    const isOnSocket = line?.look.messages === shape
    const permit = isOnSocket ? { ...this.input.permit, exchange: line.exchange.bind(line) } : this.input.permit
    let outgoing: Outgoing
    const encode = (): HttpRequest => {
      outgoing = session.take(length, hold, bindingOf(shape))
      return shape.encodeRequest({ ...outgoing, host: hostOf(permit), random: clockwork.random })
    }
    const encodeAnew = (): HttpRequest | undefined => {
      if (!session.mayTake || epoch.renewed >= SPARE_RENEWALS) return undefined
      epoch.renewed++
      const before = outgoing.number
      session.abandon(before)
      const request = encode()
      if (!epoch.unsure.has(before)) return request
      this.trust(epoch, before)
      this.doubtLater(epoch, outgoing.number)
      return request
    }
    const request = encode()
    const { number } = outgoing!
    this.exchanges++
    const accept = (parcel: Uint8Array): boolean => session.receive(clockwork.now(), outgoing.number, parcel)
    const given = new AbortController()
    const { signal } = given
    const failing = (since: Millis): void => {
      if (clockwork.now() - since >= epoch.shiftAfter) this.shift(epoch).catch(() => {})
    }
    epoch.underWay.set(given, this.template)
    if (isOnSocket) epoch.onSocket.add(given)
    const mayRetry = (): boolean => session.mayRetry(clockwork.now(), outgoing.number)
    const probe = (): void => this.probe(epoch)
    const told = { accept, mayRetry, failing, probe, signal }
    performExchange({ permit, path, clockwork, shape, request, encodeAnew, hold, ...told })
      .then(async (result) => {
        if (result.kind === 'unfit') this.onUnfit(epoch, shape, length, result.said ?? false)
        await this.onResult(epoch, result, outgoing.number)
        return result
      })
      .catch(() => {
        if (!abort.signal.aborted) session.abandon(outgoing.number)
        return undefined
      })
      .then((result) => {
        epoch.underWay.delete(given)
        epoch.onSocket.delete(given)
        done(result, outgoing.number)
        if (!abort.signal.aborted) this.pump(epoch)
      })
    return number
  }

  /** Smaller parcels from now on; where there are none, another template may carry. */
  private onUnfit(epoch: Epoch, shape: Form, length: number, said: boolean): void {
    this.path.fit.tooLarge(shape, length, said, this.input.clockwork.now())
    if (length <= shape.up.classes[0]!) this.shift(epoch).catch(() => {})
  }

  private async onResult(epoch: Epoch, result: ExchangeResult, number: number): Promise<void> {
    if (result.kind === 'late' || result.kind === 'unfit') return epoch.session.abandon(number)
    if (result.kind === 'stranger') {
      // The gateway does not take this template any more, or has forgotten the session (a restart, a long sleep).
      epoch.session.abandon(number)
      epoch.refused = true
      if (epoch.shifting || (await this.shift(epoch)) || epoch.abort.signal.aborted) return
      epoch.session.mux.close(CloseCode.gone)
      epoch.abort.abort()
      return
    }
    epoch.spent = 0
    epoch.renewed = 0
    epoch.shiftAfter = SHIFT_MS
    const { polls } = this.template.rhythm
    epoch.appetite = result.octets >= PLENTY ? Math.min(Math.max(epoch.appetite, polls) * 2, this.concurrency) : 0
  }

  /** Looks for a template that carries, and goes on with it. False where none of the others does. */
  private async shift(epoch: Epoch): Promise<boolean> {
    const { looks } = this.input
    if (looks === undefined || epoch.shifting) return false
    epoch.shifting = true
    epoch.shiftAfter *= 2
    try {
      const before = this.template
      for (const template of await looks.candidates()) {
        if (template === before || (await this.trial(template)) !== 'carried') continue
        this.wear(template)
        epoch.refused = false
        // What looks like those that do not carry goes out again in the new one.
        for (const [given, look] of epoch.underWay) if (look !== template) given.abort()
        looks.took(template)
        return true
      }
      return false
    } finally {
      epoch.shifting = false
    }
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
    const shape = this.form('send')
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
