/**
 * The firewall itself: allow-list, vault, handshakes and dialer behind `Broker`. The broker process serves it to the
 * core over a pipe (broker.ts); a program that uses Sotto as a library may hold it directly. Then it shares the process
 * with everything else: code that turns bad there can read the secrets and open sockets of its own.
 */
import { join } from 'node:path'
import type { Millis, Random } from '#protocol/bytes.ts'
import { hex, utf8 } from '#protocol/bytes.ts'
import { hmacSha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { AllowList, compact } from './allow-list.ts'
import { AUDIT_FILES, AuditLog } from './audit.ts'
import type { Dialer, DialTarget } from './dialers/dialer.ts'
import { privateFolder } from './folder.ts'
import type { Change } from './journal.ts'
import { DialLimits, PipeLimits } from './limits.ts'
import { localPermit } from './local-permit.ts'
import { lockFolder } from './lock.ts'
import type { FlowView, Metered, MeterNews } from './meter.ts'
import type { Wait } from './metering.ts'
import { Metering } from './metering.ts'
import { NETWORK_ID_LENGTH, networkFacts } from './network.ts'
import type {
  Broker,
  DialerReport,
  EndpointInfo,
  Family,
  FirewallEvent,
  FirewallEventKind,
  Permit,
  WaysInfo,
} from './permit.ts'
import type { Endpoint, Refusal } from './policy.ts'
import { decideDial, publicInfo } from './policy.ts'
import { refusalError, unfitError } from './refusals.ts'
import { Vault } from './vault.ts'
import type { WayChange } from './ways.ts'
import { changed, pruned, targetOf, waysInfo, withRemembered } from './ways.ts'
import { WaysFile } from './ways-file.ts'

export interface BrokerOptions {
  /** The broker's own part of the state folder; made where it is missing. */
  readonly folder: string
  /** At most one of each family, the default one first. */
  readonly dialers: readonly Dialer[]
  /** Those that refuse to work here. */
  readonly unfit?: readonly UnfitDialer[]
  readonly now: () => Millis
  readonly random: Random
  /** How many times what is ordinary for a member is ordinary here: for measurements, which move gigabytes. 1 where missing. */
  readonly meterTimes?: number | undefined
  /** How the flow meter waits; real time where it is missing. */
  readonly wait?: Wait
  /** What tells this network from others (network.ts), as text. Read anew each time. */
  readonly network?: () => string | Promise<string>
  /** True: the dialer dials no address of IPv4, and that is told. */
  readonly ipv6Only?: boolean
}

/** There is no such dialer, and why. */
export interface UnfitDialer extends DialerReport {
  readonly unfit: string
}

/** Of an attempt to get past: what is known of it. */
export type AttemptDetail = Pick<FirewallEvent, 'call' | 'origin' | 'count'>

export interface LocalBroker extends Broker {
  /**
   * Adds the gateways of an invite to the allow-list; the same invite again changes nothing. For who holds the firewall
   * itself, never over the pipe.
   * @throws SottoError E_INVITE_*, E_FIREWALL_REFUSED, E_DISK_FULL, E_STATE_UNREADABLE
   */
  admitInvite(link: string): Promise<EndpointInfo[]>
  /**
   * Takes back the latest change of the allow-list. For the person, never over the pipe.
   * @throws SottoError E_FIREWALL_REFUSED (nothing to take back, no room), E_DISK_FULL, E_STATE_UNREADABLE
   */
  undo(): Promise<Change>
  /** What the flow meter has measured of an endpoint; undefined for one that is not on the list. */
  view(endpointId: string): FlowView | undefined
  /** The person says that an endpoint is well, whatever was measured. @throws SottoError E_FIREWALL_REFUSED */
  allow(endpointId: string): void
  /** What the core says of answers (`Judgements.take`). */
  judged(endpointId: string, judged: readonly number[]): void
  /**
   * Takes another way out. For who holds the firewall itself, never over the pipe. How it went, `ways` tells as well.
   * @throws SottoError E_USAGE, E_SECRET_IN_ARGV, E_DISK_FULL, E_STATE_UNREADABLE
   */
  changeWays(change: Promise<WayChange>): Promise<void>
  /** Writes down a refusal that was decided elsewhere (the pipe), and returns the error to answer with. */
  refuse(reason: Refusal, endpoint?: string): SottoError
  /** Everywhere that connections may go: endpoints, fronts and proxies. For who holds the firewall itself (the gate). */
  targets(): readonly DialTarget[]
  /** Writes down that something tried to get past: who, or how often where only the kernel has seen it. */
  attempted(reason: 'closed-road' | 'core-denied' | 'kernel-denied', attempt: AttemptDetail): void
  /** Closes connections, log, vault and lock. */
  close(): Promise<void>
}

/**
 * Opens the firewall on its folder and holds it: one at a time.
 * @throws SottoError E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL
 */
export async function openBroker(options: BrokerOptions): Promise<LocalBroker> {
  await privateFolder(options.folder)
  const unlock = lockFolder(options.folder)
  try {
    const vault = await Vault.open(options.folder, options.random)
    await compact(vault, options.now())
    const { folder, random, now, wait, meterTimes } = options
    const key = vault.derive('sotto/1/meter')
    const metering = await Metering.open({ folder, key, random, now, wait, meterTimes })
    const ways = await WaysFile.open({ folder, random, key: vault.derive('sotto/1/ways') })
    return new Firewall(options, { vault, metering, ways, unlock })
  } catch (error) {
    unlock()
    throw error
  }
}

interface Parts {
  readonly vault: Vault
  readonly metering: Metering
  readonly ways: WaysFile
  readonly unlock: () => void
}

/** A gateway that has once accepted us is no stranger, whatever was measured since. */
function meteredOf({ id, kind, source, code }: Endpoint): Metered {
  return { id, kind, settled: source === 'invite' && code === undefined }
}

class Firewall implements LocalBroker {
  private readonly vault: Vault
  private readonly waysFile: WaysFile
  private readonly ipv6Only: boolean
  private readonly byFamily: ReadonlyMap<Family, Dialer>
  private readonly unfit: readonly UnfitDialer[]
  private readonly now: () => Millis
  private readonly random: Random
  private readonly facts: () => string | Promise<string>
  private readonly audit: AuditLog
  private readonly unlock: () => void
  private readonly metering: Metering
  private readonly list: AllowList
  /** Exchanges under way, by endpoint. */
  private readonly load = new Map<string, number>()
  /** WebSockets, by endpoint. */
  private readonly sockets = new Map<string, number>()
  private readonly listeners: ((event: FirewallEvent) => void)[] = []
  private admission: Promise<EndpointInfo[]> | undefined
  private wayChange: Promise<void> | undefined
  private closing: Promise<void> | undefined

  constructor(options: BrokerOptions, { vault, metering, ways, unlock }: Parts) {
    this.vault = vault
    this.metering = metering
    this.waysFile = ways
    this.ipv6Only = options.ipv6Only ?? false
    this.unlock = unlock
    this.byFamily = new Map(options.dialers.map((dialer) => [dialer.describe().family, dialer]))
    this.unfit = options.unfit ?? []
    this.now = options.now
    this.random = options.random
    this.facts = options.network ?? networkFacts
    this.audit = new AuditLog(join(options.folder, AUDIT_FILES[0]))
    for (const dialer of this.byFamily.values()) {
      dialer.onRefusal?.((reason, endpoint) => this.emit('refused', endpoint, reason))
      dialer.onDial(({ endpoint, code, address }) => {
        this.dialed(endpoint, code)
        if (address !== undefined) this.remember(endpoint, address)
      })
    }
    this.list = new AllowList(vault, {
      ...{ now: this.now, random: this.random },
      emit: (kind, endpoint, reason) => this.emit(kind, endpoint, reason),
      refuse: (reason) => this.refuse(reason),
      disconnect: (endpoint) => this.forgetConnections(endpoint),
    })
    metering.onNews = (news) => this.measured(news)
    metering.onAllowed = (id) => this.emit('allowed', id)
  }

  private dialed(endpointId: string, code: string | undefined): void {
    const endpoint = this.vault.endpoints.get(endpointId)
    if (endpoint !== undefined) this.metering.count(meteredOf(endpoint), { connections: 1 })
    this.emit('dialed', endpointId, code)
  }

  /** What is cut loses its connections at once, with whatever is still coming on them. */
  private measured({ endpoint, kind, reason }: MeterNews): void {
    this.emit(kind, endpoint, reason)
    if (kind === 'cut') this.forgetConnections(endpoint).catch(() => {})
  }

  async ways(): Promise<WaysInfo> {
    await this.wayChange
    return waysInfo(this.waysFile.ways, this.ipv6Only)
  }

  changeWays(change: Promise<WayChange>): Promise<void> {
    this.wayChange = this.takeWay(change)
    return this.wayChange
  }

  private async takeWay(change: Promise<WayChange>): Promise<void> {
    const wanted = await change
    const before = this.waysFile.ways.proxy
    const id = hex(this.random(8))
    await this.waysFile.update((ways) => pruned(changed(ways, this.vault.endpoints, wanted, id), this.vault.endpoints))
    // What stands leads the old way.
    for (const endpoint of this.vault.endpoints.keys()) await this.forgetConnections(endpoint)
    if (wanted.kind !== 'proxy') return
    if (before !== undefined) this.emit('forgotten', before.id)
    if (wanted.proxy !== undefined) this.emit('admitted', id)
  }

  /** Not on disk at once where the disk is full: it is only a help. */
  private remember(endpointId: string, address: string): void {
    const endpoint = this.vault.endpoints.get(endpointId)
    if (endpoint === undefined || this.closing !== undefined) return
    this.waysFile.update((ways) => withRemembered(ways, endpoint, address)).catch(() => {})
  }

  async endpoints(): Promise<EndpointInfo[]> {
    return [...this.vault.endpoints.values()].map((endpoint) => ({
      ...publicInfo(endpoint),
      ...this.metering.note(meteredOf(endpoint)),
    }))
  }

  view(endpointId: string): FlowView | undefined {
    const endpoint = this.vault.endpoints.get(endpointId)
    return endpoint && this.metering.view(meteredOf(endpoint))
  }

  allow(endpointId: string): void {
    const endpoint = this.vault.endpoints.get(endpointId)
    if (endpoint === undefined) throw this.refuse('unknown-endpoint')
    this.metering.allow(meteredOf(endpoint))
    this.emit('allowed', endpointId)
  }

  judged(endpointId: string, judged: readonly number[]): void {
    const endpoint = this.vault.endpoints.get(endpointId)
    if (endpoint !== undefined) this.metering.said(meteredOf(endpoint), judged)
  }

  admitInvite(link: string): Promise<EndpointInfo[]> {
    this.admission = this.list.admit(link)
    return this.admission
  }

  async joined(): Promise<EndpointInfo[]> {
    if (this.admission === undefined) throw new SottoError('E_NOT_JOINED', 'No invite was given.')
    return await this.admission
  }

  forget(endpointId: string): Promise<void> {
    return this.list.forget(endpointId)
  }

  async offerList(endpointId: string, bytes: Uint8Array): Promise<EndpointInfo[]> {
    const metered = meteredOf(this.decide(endpointId))
    if (this.metering.view(metered).condition === 'cut') throw this.refuse('too-many-lists', endpointId)
    return await this.list.offer(bytes, (reason) => {
      // Gateways that share members are not brought up to date in one moment.
      if (reason !== 'list-old') this.metering.count(metered, { lists: 1 })
      return this.refuse(reason, endpointId)
    })
  }

  undo(): Promise<Change> {
    return this.list.undo()
  }

  async permit(endpointId: string): Promise<Permit> {
    const endpoint = this.decide(endpointId)
    const metered = meteredOf(endpoint)
    this.emit('permitted', endpointId)
    return localPermit(publicInfo(endpoint), {
      decide: () => this.decide(endpointId),
      reach: (present) => targetOf(present, this.waysFile.ways),
      refuse: (reason) => this.refuse(reason, endpointId),
      enter: () => this.enter(endpointId, this.load, DialLimits.exchanges, 'too-many-exchanges'),
      enterSocket: () => this.enter(endpointId, this.sockets, DialLimits.sockets, 'too-many-sockets'),
      clear: (signal) => this.metering.clear({ ...metered, name: endpoint.name }, signal),
      carried: (request, response) => this.metering.carried({ ...metered, host: endpoint.host }, request, response),
      failed: (error) => this.metering.failed(metered, error),
      judged: (judged) => this.judged(endpointId, judged),
      contacted: () => this.metering.count(metered, { contacts: 1 }),
      proved: () => this.metering.proved(metered),
      confirm: () => this.list.confirm(endpointId),
      dialerFor: (family) => this.dialerFor(family, endpointId),
      random: this.random,
    })
  }

  async dialers(): Promise<DialerReport[]> {
    return [...[...this.byFamily.values()].map((dialer) => dialer.describe()), ...this.unfit]
  }

  private async forgetConnections(endpointId: string): Promise<void> {
    await Promise.all([...this.byFamily.values()].map((dialer) => dialer.forget(endpointId)))
  }

  async network(): Promise<Uint8Array> {
    return hmacSha256(this.vault.derive('sotto/1/network'), utf8(await this.facts())).slice(0, NETWORK_ID_LENGTH)
  }

  onEvent(listener: (event: FirewallEvent) => void): void {
    this.listeners.push(listener)
  }

  refuse(reason: Refusal, endpoint?: string): SottoError {
    this.emit('refused', endpoint, reason)
    return refusalError(reason)
  }

  targets(): readonly DialTarget[] {
    return [...this.vault.endpoints.values()].map((endpoint) => targetOf(endpoint, this.waysFile.ways))
  }

  attempted(reason: Refusal, { call, origin, count }: AttemptDetail): void {
    this.emit('refused', undefined, reason, {
      ...(call === undefined ? {} : { call: printable(call) }),
      ...(origin === undefined ? {} : { origin: printable(origin) }),
      ...(count === undefined ? {} : { count }),
    })
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  private async closeAll(): Promise<void> {
    await Promise.all([...this.byFamily.values()].map((dialer) => dialer.close()))
    await this.metering.close()
    await this.audit.close()
    await this.waysFile.close()
    await this.vault.close()
    this.unlock()
  }

  /** Anew for every use of a permit, so that a forgotten endpoint is refused at once. */
  private decide(endpointId: string): Endpoint {
    const decision = decideDial(this.vault.endpoints, endpointId, Math.floor(this.now() / 1000))
    if (!decision.allowed)
      throw this.refuse(decision.reason, this.vault.endpoints.has(endpointId) ? endpointId : undefined)
    return decision.value
  }

  /** What claims to be a client must come from the dialer that looks like it, and from no other. */
  private dialerFor(family: Family, endpointId: string): Dialer {
    const dialer = this.byFamily.get(family)
    if (dialer !== undefined) return dialer
    const refusal = this.refuse('no-dialer', endpointId)
    const unfit = this.unfit.find((each) => each.family === family)
    throw unfit === undefined ? refusal : unfitError(unfit)
  }

  private enter(endpointId: string, load: Map<string, number>, most: number, reason: Refusal): () => void {
    const before = load.get(endpointId) ?? 0
    if (before >= most) throw this.refuse(reason, endpointId)
    load.set(endpointId, before + 1)
    return () => {
      const left = load.get(endpointId)! - 1
      if (left > 0) load.set(endpointId, left)
      else load.delete(endpointId)
    }
  }

  /** Not after `close`: a connection that comes about then is closed at once and is nobody's business. */
  private emit(kind: FirewallEventKind, endpoint?: string, reason?: string, detail: AttemptDetail = {}): void {
    if (this.closing !== undefined) return
    const event: FirewallEvent = {
      at: this.now(),
      kind,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(reason === undefined ? {} : { reason }),
      ...detail,
    }
    this.audit.record(event)
    for (const listener of this.listeners) listener(event)
  }
}

/** The other side chose it, and people read it on a terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, PipeLimits.nameLength)
}
