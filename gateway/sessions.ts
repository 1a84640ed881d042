/** All sessions of a gateway: first contacts become sessions here, idle and revoked ones end here. */
import type { Shape } from '#engine/shape.ts'
import type { HttpResponse } from '#engine/template.ts'
import type { Millis, Random } from '#protocol/bytes.ts'
import { lookupKey } from '#protocol/bytes.ts'
import { Limits } from '#protocol/constants.ts'
import { x25519PublicKey } from '#protocol/crypto/x25519.ts'
import type { Claim, FirstContactRequest } from '#protocol/handshake.ts'
import { openFirstContact, respondRekey } from '#protocol/handshake.ts'
import { aeads } from '#protocol/parcel.ts'
import { bindingOf, maskKeyOf } from '#protocol/recognition.ts'
import { serve } from '#protocol/services/rpc.ts'
import type { Caller, Service } from '#protocol/services/service.ts'
import type { PackPointer } from '#protocol/session/frames.ts'
import { CloseCode } from '#protocol/session/frames.ts'
import type { NoiseAnswer } from '#protocol/session/gateway-session.ts'
import { GatewaySession } from '#protocol/session/gateway-session.ts'
import type { Stream } from '#protocol/session/stream.ts'
import type { TokenTable } from '#protocol/session/token-table.ts'
import type { Cohort } from './first-contact.ts'
import { CohortTokens, ReplayCache } from './first-contact.ts'
import type { Keeper, Surroundings } from './live-session.ts'
import { LiveSession } from './live-session.ts'
import { contactPace, exchangePace } from './pace.ts'
import type { UsedContacts } from './used-contacts.ts'

/** Octets of a first contact's answer: box 42, Noise 48, reply. Rounded up for growth of the reply. */
const ANSWER_OCTETS = 128

export interface SessionsInput extends Surroundings {
  readonly gatewaySecret: Uint8Array
  /** AEAD this machine seals quickest with: index into `aeads`. */
  readonly preferredAead: number
  readonly tokens: TokenTable
  readonly services: readonly Service[]
  /** Judges a claim; undefined for anybody who is no member. */
  readonly admit: (claim: Claim, cohort: Cohort) => Promise<Caller | undefined>
  /** Where a member is to be pointed (spec section 14.3); the same object until that changes. */
  readonly pointer?: (member: string) => PackPointer | undefined
  /** Milliseconds from some moment on; nobody sets it. */
  readonly monotonic: () => number
  /** A count of time that no set clock hurries (expiry-clock.ts): what was used is not forgotten before it says so, too. */
  readonly aging: () => Millis
  /** First contacts that were answered by this process and those before it. */
  readonly used?: UsedContacts
  /** What a service handler threw and no caller may see. */
  readonly report: (error: unknown) => void
}

export interface FirstContactExchange {
  readonly cohort: Cohort
  readonly shape: Shape
  readonly token: Uint8Array
  readonly parcel: Uint8Array
}

export class Sessions implements Keeper {
  private readonly input: SessionsInput
  private readonly cohorts: CohortTokens
  private readonly replays: ReplayCache<HttpResponse>
  private readonly live = new Map<GatewaySession, LiveSession>()
  private readonly exchanges = exchangePace()
  private readonly contacts = contactPace()
  private readonly byMember = new Map<string, readonly LiveSession[]>()

  constructor(input: SessionsInput) {
    this.input = input
    this.cohorts = new CohortTokens(maskKeyOf(x25519PublicKey(input.gatewaySecret)))
    this.replays = new ReplayCache(input.used?.until())
    for (const { token, at } of input.used?.list() ?? []) this.replays.restore(token, at)
  }

  get count(): number {
    return this.live.size
  }

  setCohorts(cohorts: readonly Cohort[]): void {
    this.cohorts.setCohorts(cohorts)
    // Now rather than in somebody's request.
    this.cohorts.fill(this.input.now())
  }

  /**
   * Whose first contact this token announces; undefined where it is nobody's, has been used and answered, or may have been.
   * `key`: the token's, for who has it already.
   */
  cohortOf(token: Uint8Array, key: string = lookupKey(token)): Cohort | undefined {
    const now = this.input.now()
    // All are asked each time, so that a token that was used takes no other time than one that never was any.
    const over = this.replays.isOver(key, this.input.monotonic)
    const shut = this.replays.isShut(now)
    const cohort = this.cohorts.find(token, now)
    return over || shut ? undefined : cohort
  }

  /** True where no first contact is recognised, as the machine's clock is more than a day behind what was forgotten. */
  get isShut(): boolean {
    return this.replays.isShut(this.input.now())
  }

  of(session: GatewaySession): LiveSession | undefined {
    return this.live.get(session)
  }

  /** The answer of a first contact; undefined where the decoy has to answer. */
  async firstContact(exchange: FirstContactExchange): Promise<HttpResponse | undefined> {
    const elapsed = this.input.monotonic()
    const request = { token: exchange.token, parcel: exchange.parcel, binding: bindingOf(exchange.shape) }
    const earlier = this.replays.earlier(request, elapsed)
    if (earlier === 'replay') return undefined
    if (earlier !== undefined) return await earlier
    const opened = openFirstContact({
      gatewaySecret: this.input.gatewaySecret,
      cohort: exchange.cohort.keys,
      ...request,
    })
    if (opened === undefined) return undefined
    const answer = this.admit(exchange, opened)
    this.replays.remember(request, this.input.now(), elapsed, answer)
    return await answer
  }

  private async admit(exchange: FirstContactExchange, opened: FirstContactRequest): Promise<HttpResponse | undefined> {
    const caller = await this.input.admit(opened.claim, exchange.cohort)
    const wanted = opened.hello[0]
    if (caller === undefined || wanted === undefined || wanted >= aeads.length) return undefined
    if (this.live.size >= Limits.sessions) return undefined
    if (!this.contacts.takeNow(caller.member, this.input.now())) return undefined
    await this.use(exchange.token)
    // AES only where both ends are quick with it: index 1 is AES-256-GCM, 0 ChaCha20-Poly1305.
    const suite = Math.min(wanted, this.input.preferredAead)
    const { shape } = exchange
    const { parcel, keys } = opened.answer({
      reply: Uint8Array.of(suite),
      length: shape.down.fit(ANSWER_OCTETS),
      random: this.input.random,
    })
    this.create(keys.root, suite, caller, exchange.cohort)
    return shape.encodeResponse({ parcel, random: this.input.random })
  }

  /** Before the answer: it must not be given again after a start. A full disk is no reason to shut members out. */
  private async use(token: Uint8Array): Promise<void> {
    try {
      await this.input.used?.keep({ token, at: this.input.now() })
    } catch (error) {
      this.input.report(error)
    }
  }

  private create(root: Uint8Array, suite: number, caller: Caller, cohort: Cohort): void {
    const { tokens, random } = this.input
    const noise = this.noiseFor(cohort)
    const now = this.input.now()
    const live = new LiveSession(
      caller,
      this.input,
      this,
      (events) => new GatewaySession({ root, aead: aeads[suite]!, now, random, tokens, noise, events }),
    )
    this.live.set(live.session, live)
    live.point(this.input.pointer?.(caller.member))
    this.enrol(live)
  }

  private noiseFor(cohort: Cohort): NoiseAnswer {
    return (message, prologue) => {
      const { gatewaySecret, random } = this.input
      return respondRekey({ gatewaySecret, cohort: cohort.keys, prologue, message, random })
    }
  }

  pace(live: LiveSession): Millis {
    return this.exchanges.take(live.caller.member, this.input.now())
  }

  moved(live: LiveSession, octets: number): void {
    this.exchanges.settle(live.caller.member, octets)
  }

  /** A call costs as much as an exchange: one exchange may begin a hundred, and cut them at once to begin more. */
  serve(stream: Stream, live: LiveSession): void {
    this.exchanges.take(live.caller.member, this.input.now())
    serve(stream, this.input.services, live.caller, this.input.report)
  }

  /** A member's oldest session gives way where it has too many. */
  private enrol(live: LiveSession): void {
    const { member } = live.caller
    const own = [...(this.byMember.get(member) ?? []), live]
    this.byMember.set(member, own)
    if (own.length > Limits.sessionsPerMember) oldest(own).session.close(CloseCode.limit)
  }

  remove(live: LiveSession): void {
    this.live.delete(live.session)
    const { member } = live.caller
    const left = (this.byMember.get(member) ?? []).filter((other) => other !== live)
    if (left.length === 0) this.byMember.delete(member)
    else this.byMember.set(member, left)
    this.input.soon(() => live.end())
  }

  /** Tells all clients anew which pack to use, where that has changed. */
  repoint(): void {
    for (const live of this.live.values()) live.point(this.input.pointer?.(live.caller.member))
  }

  /** All there are. */
  each(): Iterable<LiveSession> {
    return this.live.values()
  }

  /** Members with a session. */
  members(): Iterable<string> {
    return this.byMember.keys()
  }

  /** Ends every session of a member at once. */
  revoke(member: string): void {
    for (const live of this.byMember.get(member) ?? []) live.session.close(CloseCode.revoked)
  }

  /** Forgets sessions that have been silent for too long, and old first contacts; looks ahead. Call about once a second. */
  sweep(now: Millis): void {
    this.replays.expire(this.input.monotonic())
    this.input.used?.forget(this.replays.forget(now, this.input.aging())).catch(this.input.report)
    this.cohorts.prepare(now)
    this.exchanges.sweep(now)
    this.contacts.sweep(now)
    let kept = 0
    for (const live of [...this.live.values()]) {
      if (now - live.session.lastSeen > Limits.sessionIdleMs) live.session.close(CloseCode.gone)
      else kept += live.keptOctets
    }
    if (kept > Limits.heldBytes) this.relieve(kept)
  }

  /** Closes those who hold most, until the others have room. */
  private relieve(kept: number): void {
    let left = kept
    for (const live of [...this.live.values()].toSorted((a, b) => b.keptOctets - a.keptOctets)) {
      if (left <= Limits.heldBytes) return
      left -= live.keptOctets
      live.session.close(CloseCode.limit)
    }
  }

  /** Ends all sessions, telling the clients whose exchanges are held. */
  end(): void {
    for (const { session } of [...this.live.values()]) session.close(CloseCode.gone)
  }
}

function oldest(sessions: readonly LiveSession[]): LiveSession {
  return sessions.reduce((a, b) => (a.session.lastSeen <= b.session.lastSeen ? a : b))
}

/** Kept apart so that tests can make the same surroundings. */
export function surroundings(random: Random): Surroundings & Pick<SessionsInput, 'monotonic' | 'aging'> {
  return {
    random,
    now: () => Date.now(),
    monotonic: () => performance.now(),
    aging: () => Date.now(),
    holdMs: Limits.holdMs,
    schedule: (at, run) => {
      const timer = setTimeout(run, Math.max(0, at - Date.now()))
      return () => clearTimeout(timer)
    },
    soon: (run) => {
      setImmediate(run)
    },
  }
}
