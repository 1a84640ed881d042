/**
 * A tunnel and a gateway in simulated time, and between them a network that sleeps, moves and fails. Connections are
 * what a dialer makes of them: few, begun apart, each with one exchange at a time. No sockets.
 */
import type { Clockwork } from '#client/clockwork.ts'
import type { TunnelInput } from '#client/tunnel/input.ts'
import { Tunnel } from '#client/tunnel.ts'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse, Permit } from '#firewall/permit.ts'
import { Sessions } from '#gateway/sessions.ts'
import { hex, latin1 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { provesMembership } from '#protocol/handshake.ts'
import type { Service } from '#protocol/services/service.ts'
import { CloseCode } from '#protocol/session/frames.ts'
import { TokenTable } from '#protocol/session/token-table.ts'
import { cohort, credentialKey, gatewaySecret, testPermit } from './pair.ts'
import { plainTemplate } from './plain-template.ts'
import { prng } from './prng.ts'
import { VirtualTime } from './virtual-time.ts'

/** What the network does now. `silent`: nothing passes, and nobody is told. */
export type Weather = 'works' | 'silent' | 'resets' | 'refuses'

/** As `DialLimits.apartMs`. */
const APART_MS = 500
/** Round trips until a connection stands: TCP and TLS. */
const HANDSHAKE = 2

interface Connection {
  /** Stale ones lead nowhere. */
  readonly generation: number
  busy: boolean
}

export class SimulatedNetwork {
  readonly time: VirtualTime = new VirtualTime()
  weather: Weather = 'works'
  rttMs = 100
  /** Share of exchanges that are lost on their way, request or answer. */
  loss = 0
  /** Longest time that an exchange may wait before its connection is cut without a word. */
  idleCutMs: number = Number.POSITIVE_INFINITY
  /** Most connections there were at once, and the shortest time between two beginnings. */
  most = 0
  closest: number = Number.POSITIVE_INFINITY
  /** How often there were more than the exchange allowed. */
  exceeded = 0
  exchanges = 0
  /** Told of the octets of every request's body. */
  onRequest: (octets: number) => void = () => {}
  /** Likewise, once it is over. */
  onOver: (octets: number) => void = () => {}
  /** Connections of these families are cut as soon as they name the website. */
  readonly cutFamilies: Set<string> = new Set()
  private readonly timers = new MachineTimers(this.time)
  private generation = 0
  private lastBegan = Number.NEGATIVE_INFINITY
  private connections: Connection[] = []
  /** How exchanges learn that their connection was reset. */
  private readonly underWay = new Set<() => void>()
  private readonly waiting: (() => void)[] = []
  private sessions: Sessions
  private tokens = new TokenTable()
  private readonly services: readonly Service[]
  private readonly random: (length: number) => Uint8Array
  private readonly chance: (share: number) => boolean

  constructor(seed: number, services: readonly Service[]) {
    const rng = prng(seed)
    this.random = rng.bytes
    this.chance = (share) => rng.chance(share)
    this.services = services
    this.sessions = this.startGateway()
  }

  get clockwork(): Clockwork {
    const { time, random } = this
    const after = (ms: number, run: () => void): (() => void) => this.timers.set(time.now + ms, run)
    return { now: () => time.now, random, after, soon: (run) => void time.after(0, run) }
  }

  /** The member's machine sleeps: its timers stand still, and its connections do not live that long. */
  sleep(ms: number): void {
    this.timers.delay(ms)
    this.strand()
  }

  /** Timers of the member that are still to come. */
  get timerCount(): number {
    return this.timers.count
  }

  /** Connections there are stay, and nothing passes on them any more: another address, a long sleep, a freeze. */
  strand(): void {
    this.generation++
  }

  /** The gateway ends, and another begins that knows no session. */
  restart(): void {
    const before = this.sessions
    this.tokens = new TokenTable()
    this.sessions = this.startGateway()
    for (const cut of [...this.underWay]) cut()
    this.strand()
    this.connections = []
    before.end()
  }

  /** The gateway ends all sessions there are, as where somebody has too many. */
  endSessions(): void {
    for (const { session } of [...this.sessions.each()]) session.close(CloseCode.limit)
  }

  /** Sessions there are at the gateway. */
  get sessionCount(): number {
    return this.sessions.count
  }

  open(change: Partial<TunnelInput> & { readonly rhythm?: Partial<CompiledTemplate['rhythm']> } = {}): Tunnel {
    const { rhythm, ...input } = change
    const standard = { holdMs: [6_000, 8_000], concurrency: 3, polls: 1 } as const
    const template = { ...plainTemplate, rhythm: { ...standard, ...rhythm } }
    const permit: Permit = { ...testPermit(0), exchange: (request, options) => this.exchange(request, options) }
    const { clockwork } = this
    return new Tunnel({ permit, template, clockwork, preferredAead: 1, rhythmSeed: this.random(16), ...input })
  }

  /** Lets time go on until the tunnel is over. */
  async close(tunnel: Tunnel): Promise<void> {
    const stopped = tunnel.stop()
    await this.time.run(() => false, 20_000)
    await stopped
    this.sessions.end()
  }

  /** Sweeps the gateway once a second, as its process does. */
  sweepFor(ms: number): void {
    const end = this.time.now + ms
    const sweep = (): void => {
      this.sessions.sweep(this.time.now)
      if (this.time.now < end) this.time.after(1_000, sweep)
    }
    sweep()
  }

  private startGateway(): Sessions {
    const { time, random, services, tokens } = this
    const sessions = new Sessions({
      ...{ random, holdMs: 120_000, gatewaySecret, preferredAead: 1, tokens, services },
      ...{ now: () => time.now, monotonic: () => time.now, aging: () => time.now },
      soon: (run) => void time.after(0, run),
      schedule: (at, run) => time.after(at - time.now, run),
      admit: async (claim) =>
        claim.kind === 'credential' && provesMembership(claim, credentialKey)
          ? { member: hex(claim.credentialId), role: 'member' }
          : undefined,
      report: (error) => {
        throw error
      },
    })
    sessions.setCohorts([{ id: 'test', keys: cohort }])
    return sessions
  }

  // ---- the dialer ---------------------------------------------------------------------------------------------------------------

  private exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse> {
    this.exchanges++
    if (this.cutFamilies.has(options.family)) return this.cutAtHello()
    this.onRequest(request.body?.length ?? 0)
    if (options.fresh) this.connections = this.connections.filter(({ busy }) => busy)
    return new Promise((resolve, reject) => {
      let connection: Connection | undefined
      let over = false
      const finish = (settle: () => void, spoils: boolean): void => {
        if (over) return
        over = true
        cancel()
        this.underWay.delete(cut)
        options.signal?.removeEventListener('abort', aborted)
        if (connection !== undefined) this.leave(connection, spoils)
        this.onOver(request.body?.length ?? 0)
        settle()
      }
      const fail = (code: 'E_PATH_TIMEOUT' | 'E_PATH_RESET' | 'E_PATH_REFUSED' | 'E_PATH_CLOSED'): void =>
        finish(() => reject(new SottoError(code, 'as simulated')), true)
      const cut = (): void => fail('E_PATH_RESET')
      this.underWay.add(cut)
      const late = (): void => {
        // What is idle is not trusted after a silence.
        this.connections = this.connections.filter(({ busy }) => busy)
        fail('E_PATH_TIMEOUT')
      }
      const cancel = this.time.after(options.timeoutMs, late)
      const aborted = (): void => fail('E_PATH_CLOSED')
      options.signal?.addEventListener('abort', aborted, { once: true })
      const onward = (given: Connection): void => {
        if (over) return this.leave(given, false)
        connection = given
        this.travel(request, given, fail, (answer) => finish(() => resolve(answer), false))
      }
      this.take(options.connections ?? 2, onward, fail, () => over)
    })
  }

  private async cutAtHello(): Promise<never> {
    await new Promise<void>((resolve) => this.time.after(2 * this.rttMs, resolve))
    throw new SottoError('E_PATH_HELLO', 'as simulated')
  }

  /** An idle connection, a new one, or the next that is free. */
  private take(
    limit: number,
    onward: (connection: Connection) => void,
    fail: (code: 'E_PATH_REFUSED' | 'E_PATH_RESET') => void,
    isOver: () => boolean,
  ): void {
    const again = (): void => {
      if (!isOver()) this.take(limit, onward, fail, isOver)
    }
    const idle = this.connections.findLast(({ busy }) => !busy)
    if (idle !== undefined) {
      idle.busy = true
      return onward(idle)
    }
    const wait = this.lastBegan + APART_MS - this.time.now
    if (this.connections.length >= limit) return void this.waiting.push(again)
    if (wait > 0) {
      this.waiting.push(again)
      return void this.time.after(wait, () => this.wake())
    }
    if (this.weather === 'refuses') return void this.time.after(this.rttMs, () => fail('E_PATH_REFUSED'))
    const made: Connection = { generation: this.generation, busy: true }
    this.closest = Math.min(this.closest, this.time.now - this.lastBegan)
    this.lastBegan = this.time.now
    this.connections.push(made)
    this.most = Math.max(this.most, this.connections.length)
    if (this.connections.length > limit) this.exceeded++
    this.time.after(HANDSHAKE * this.rttMs, () => onward(made))
  }

  private leave(connection: Connection, spoils: boolean): void {
    connection.busy = false
    if (spoils) this.connections = this.connections.filter((other) => other !== connection)
    this.wake()
  }

  private wake(): void {
    for (const next of this.waiting.splice(0)) this.time.after(0, next)
  }

  // ---- the way and the gateway ---------------------------------------------------------------------------------------------------

  private travel(
    request: ExchangeRequest,
    connection: Connection,
    fail: (code: 'E_PATH_RESET') => void,
    done: (answer: ExchangeResponse) => void,
  ): void {
    const began = this.time.now
    const passes = (then: () => void): void => {
      if (this.weather === 'resets') return void this.time.after(this.rttMs, () => fail('E_PATH_RESET'))
      const isLost = this.weather !== 'works' || connection.generation !== this.generation || this.chance(this.loss)
      if (!isLost) this.time.after(this.rttMs / 2, then)
    }
    passes(() =>
      this.answer(request, (answer) => {
        if (this.time.now - began > this.idleCutMs) return
        passes(() => done(answer))
      }),
    )
  }

  private answer({ target, headers, body }: ExchangeRequest, reply: (answer: ExchangeResponse) => void): void {
    const { time, tokens, sessions } = this
    const page = (): void =>
      reply({ status: 200, headers: [['date', new Date(time.now).toUTCString()]], body: new Uint8Array(0) })
    if (target === '/') return page()
    const shape = plainTemplate.shape('poll')
    const parcel = body ?? new Uint8Array(0)
    const given = (answer: { body: Uint8Array } | undefined): void => {
      if (answer !== undefined) reply({ status: 200, headers: [['x-plain', '1']], body: answer.body })
    }
    const token = shape.readToken(target, (name) => headers.find(([each]) => each === name)?.[1], parcel)
    if (!(token instanceof Uint8Array)) return page()
    const expected = tokens.find(latin1(token))
    const cohort = expected === undefined ? sessions.cohortOf(token) : undefined
    if (cohort !== undefined) {
      const contact = sessions.firstContact({ cohort, shape, token, parcel })
      void contact.then((answer) => (answer === undefined ? page() : given(answer)))
      return
    }
    const live = expected && sessions.of(expected.session)
    if (live?.exchange(expected!, shape, parcel, given) === undefined) page()
  }
}

/** Timers of a machine that may sleep. */
class MachineTimers {
  private readonly time: VirtualTime
  private readonly pending = new Set<{ at: number; cancel: () => void; readonly run: () => void }>()

  constructor(time: VirtualTime) {
    this.time = time
  }

  get count(): number {
    return this.pending.size
  }

  set(at: number, run: () => void): () => void {
    const timer = { at, run, cancel: () => {} }
    this.pending.add(timer)
    this.arm(timer)
    return () => {
      timer.cancel()
      this.pending.delete(timer)
    }
  }

  delay(ms: number): void {
    for (const timer of this.pending) {
      timer.cancel()
      timer.at += ms
      this.arm(timer)
    }
  }

  private arm(timer: { at: number; cancel: () => void; readonly run: () => void }): void {
    timer.cancel = this.time.after(timer.at - this.time.now, () => {
      this.pending.delete(timer)
      timer.run()
    })
  }
}
