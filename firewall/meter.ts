/**
 * The flow meter: how much goes to and comes from each endpoint, of what form, and whether that is ordinary. Pure.
 *
 * Whom it trusts for what. Octets, times, connections, statuses and handshakes are the broker's own observations: neither
 * core nor endpoint can make them less. Whether an answer was authentic, the core says: it alone has the session's keys. A
 * hostile core can say yes to everything; then the quantities bound it, and so does that the endpoint must go on
 * succeeding in handshakes, which the broker computes itself.
 */
import type { Millis } from '#protocol/bytes.ts'
import type { Amounts, FlowCondition, FlowNews, FlowState } from './meter-flow.ts'
import { Flow, newFlow } from './meter-flow.ts'
import type { Measure } from './meter-limits.ts'
import { envelopes, MeterLimits } from './meter-limits.ts'
import type { EndpointKind } from './permit.ts'

/** One exchange that was answered, as the broker saw it. */
export interface ExchangeFacts {
  /** Octets of request and answer, heads included. */
  readonly up: number
  readonly down: number
  /** Octets of the answer's header fields. */
  readonly header: number
  /** The answer leads to another site. */
  readonly leadsAway: boolean
  /** Milliseconds from the beginning of the answer to its end. */
  readonly bodyMs: number
  /** The endpoint's clock, where its answer says it. */
  readonly date: Millis | undefined
}

export interface Metered {
  readonly id: string
  readonly kind: EndpointKind
  /** It was known before it was measured. */
  readonly settled?: boolean
}

export interface MeterNews extends FlowNews {
  readonly endpoint: string
}

export interface FlowView {
  readonly condition: FlowCondition
  readonly reason: Measure | undefined
  /** Milliseconds since the epoch: when the condition began. */
  readonly since: Millis
  /** Milliseconds until a cut ends. */
  readonly leftMs: number
  /** A handshake was seen to succeed within `MeterLimits.provenMs`. */
  readonly proven: boolean
  /** How full the buckets are: 1 is full. */
  readonly shares: readonly { readonly measure: Measure; readonly share: number }[]
}

export type Leave = { readonly delayMs: number } | { readonly cut: Measure; readonly leftMs: number }

/** What is kept of all flows, by endpoint. */
export type MeterState = ReadonlyMap<string, { readonly kind: EndpointKind; readonly state: FlowState }>

export class Meter {
  private readonly flows = new Map<string, { readonly kind: EndpointKind; readonly flow: Flow }>()
  private readonly tell: (news: MeterNews) => void
  /** Endpoints that never proved themselves, and when they were last asked. */
  private readonly strangers = new Map<string, Millis>()
  private readonly times: number
  private savedAt: Millis

  constructor(stored: MeterState, now: Millis, tell: (news: MeterNews) => void, times = 1) {
    this.times = times
    this.tell = tell
    this.savedAt = now
    for (const [id, { kind, state }] of stored) this.add({ id, kind }, state)
  }

  /** May an exchange begin, and when? */
  ask(endpoint: Metered, now: Millis): Leave {
    const flow = this.of(endpoint, now)
    if (this.isCrowd(endpoint, flow, now)) flow.cut('fan-out')
    const delayMs = flow.ask(now)
    return delayMs === undefined ? { cut: flow.state.reason!, leftMs: flow.state.cutLeftMs } : { delayMs }
  }

  /** An exchange was answered. */
  carried(endpoint: Metered, now: Millis, facts: ExchangeFacts): void {
    const flow = this.of(endpoint, now)
    const { up, down, header, leadsAway, bodyMs, date } = facts
    const { ratio, smallOctets, headerOctets, dripMs, dripRate } = MeterLimits
    flow.spend(now, {
      up,
      down,
      pulled: up - ratio * down,
      pushed: down - ratio * up,
      small: Math.max(0, 1 - (up + down) / smallOctets),
      unproven: flow.isProven ? 0 : up,
      redirects: leadsAway ? 1 : 0,
      headers: header > headerOctets ? 1 : 0,
      drip: bodyMs > dripMs && (down / bodyMs) * 1_000 < dripRate ? 1 : 0,
    })
    if (date !== undefined) flow.heardClock(now, date)
  }

  /** Something happened that counts by itself. */
  count(endpoint: Metered, now: Millis, amounts: Amounts): void {
    this.of(endpoint, now).spend(now, amounts)
  }

  /** The core says what an answer was, with the octets of the exchange. */
  judged(
    endpoint: Metered,
    now: Millis,
    authentic: boolean,
    octets: { readonly up: number; readonly down: number },
  ): void {
    const flow = this.of(endpoint, now)
    flow.judged(now, authentic)
    if (!authentic) flow.spend(now, { 'foreign-up': octets.up, 'foreign-down': octets.down })
  }

  /** The broker has seen a handshake succeed. */
  proved(endpoint: Metered, now: Millis): void {
    this.of(endpoint, now).proved(now)
    this.strangers.delete(endpoint.id)
  }

  allow(endpoint: Metered, now: Millis): void {
    this.of(endpoint, now).allow(now)
    this.strangers.delete(endpoint.id)
  }

  view(endpoint: Metered, now: Millis): FlowView {
    const flow = this.of(endpoint, now)
    flow.tick(now)
    const { condition, reason, since, cutLeftMs } = flow.state
    const times = { since, leftMs: Math.max(0, cutLeftMs) }
    return { condition, reason: reason ?? undefined, ...times, proven: flow.isProven, shares: flow.shares() }
  }

  /** True where too much would be forgotten with a crash. */
  wantsSaving(now: Millis): boolean {
    const { unsavedMs, unsavedShare } = MeterLimits
    let most = 0
    for (const { flow } of this.flows.values()) most = Math.max(most, flow.unsaved)
    return most >= unsavedShare || (most > 0 && Math.abs(now - this.savedAt) >= unsavedMs)
  }

  /** What to write down now. */
  save(now: Millis): MeterState {
    this.savedAt = now
    for (const { flow } of this.flows.values()) flow.saved()
    return new Map([...this.flows].map(([id, { kind, flow }]) => [id, { kind, state: structuredClone(flow.state) }]))
  }

  /** Too many who never proved themselves: those that come on top do not get through, the others go on. */
  private isCrowd({ id, kind, settled = false }: Metered, flow: Flow, now: Millis): boolean {
    if (settled || flow.state.provenMs !== null) return false
    const hour = 3_600_000
    for (const [other, at] of this.strangers) if (Math.abs(now - at) > hour) this.strangers.delete(other)
    const isNew = !this.strangers.has(id)
    if (isNew && this.strangers.size >= envelopes[kind]['fan-out'].burst) return true
    this.strangers.set(id, now)
    return false
  }

  private of(endpoint: Metered, now: Millis): Flow {
    const known = this.flows.get(endpoint.id)
    if (known !== undefined) return known.flow
    // The oldest that is open goes: what was cut is not forgotten by adding others.
    if (this.flows.size >= MeterLimits.flows) {
      const open = [...this.flows].find(([, { flow }]) => flow.state.condition === 'open')
      this.flows.delete(open?.[0] ?? this.flows.keys().next().value!)
    }
    return this.add(endpoint, newFlow(now))
  }

  private add({ id, kind }: Metered, state: FlowState): Flow {
    const flow = new Flow(kind, state, (news) => this.tell({ ...news, endpoint: id }), this.times)
    this.flows.set(id, { kind, flow })
    return flow
  }
}
