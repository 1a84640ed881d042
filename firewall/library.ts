/**
 * The firewall itself: allow-list, vault, handshakes and dialer behind `Broker`. The broker process serves it to the
 * core over a pipe (broker.ts); a program that uses Sotto as a library may hold it directly. Then it shares the process
 * with everything else: code that turns bad there can read the secrets and open sockets of its own.
 */
import { join } from 'node:path'
import type { Millis, Random } from '#protocol/bytes.ts'
import { utf8 } from '#protocol/bytes.ts'
import { hmacSha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { AllowList, compact } from './allow-list.ts'
import { AUDIT_FILES, AuditLog } from './audit.ts'
import { ChosenWays } from './chosen-ways.ts'
import type { Dialer, DialTarget } from './dialers/dialer.ts'
import type { UnfitDialer } from './dialers/dialer-set.ts'
import { DialerSet } from './dialers/dialer-set.ts'
import { dropLeftOver, privateFolder } from './folder.ts'
import { FolderPassword } from './folder-password.ts'
import type { Change } from './journal.ts'
import { DialLimits, PipeLimits } from './limits.ts'
import { Load } from './load.ts'
import type { AttemptDetail, LocalBroker } from './local-broker.ts'
import { localPermit } from './local-permit.ts'
import { lockFolder } from './lock.ts'
import type { FlowView, Metered, MeterNews } from './meter.ts'
import type { Wait } from './metering.ts'
import { Metering } from './metering.ts'
import { NETWORK_ID_LENGTH, networkFacts } from './network.ts'
import { passwordPath } from './options.ts'
import { keyUnder } from './password.ts'
import type { Offered } from './peers.ts'
import { offeredPeers } from './peers.ts'
import type {
  DialerReport,
  EndpointInfo,
  Family,
  FirewallEvent,
  FirewallEventKind,
  OfferedPeer,
  PasswordInfo,
  Permit,
  WaysInfo,
} from './permit.ts'
import type { Endpoint, Refusal } from './policy.ts'
import { decideDial, publicInfo } from './policy.ts'
import { refusalError, unfitError } from './refusals.ts'
import type { Unlocked } from './unlock.ts'
import { Vault } from './vault.ts'
import type { WayChange } from './ways.ts'
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
  /** The password of the folder, as `unlock` had it. */
  readonly unlocked?: Unlocked | undefined
}

/**
 * Opens the firewall on its folder and holds it: one at a time.
 * @throws SottoError E_STATE_BUSY, E_STATE_UNREADABLE, E_DISK_FULL
 */
export async function openBroker(options: BrokerOptions): Promise<LocalBroker> {
  await privateFolder(options.folder)
  const unlock = lockFolder(options.folder)
  try {
    // Half a removal of the password holds what it locked, in the clear.
    await dropLeftOver(passwordPath(options.folder))
    const { secret, isSet = false } = options.unlocked ?? {}
    const vault = await Vault.open(options.folder, options.random, secret && keyUnder(secret, 'broker'))
    const password = new FolderPassword({ folder: options.folder, random: options.random, vault, secret, isSet })
    await compact(vault, options.now())
    const { folder, random, now, wait, meterTimes } = options
    const key = vault.derive('sotto/1/meter')
    const metering = await Metering.open({ folder, key, random, now, wait, meterTimes })
    const ways = await WaysFile.open({ folder, random, key: vault.derive('sotto/1/ways') })
    return new Firewall(options, { vault, password, metering, ways, unlock })
  } catch (error) {
    unlock()
    throw error
  }
}

interface Parts {
  readonly vault: Vault
  readonly password: FolderPassword
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
  private readonly folderPassword: FolderPassword
  private readonly chosen: ChosenWays
  private readonly all: DialerSet
  private readonly now: () => Millis
  private readonly random: Random
  private readonly facts: () => string | Promise<string>
  private readonly audit: AuditLog
  private readonly unlock: () => void
  private readonly metering: Metering
  private readonly list: AllowList
  private readonly exchanges = new Load(DialLimits.exchanges)
  private readonly sockets = new Load(DialLimits.sockets)
  private readonly listeners: ((event: FirewallEvent) => void)[] = []
  private admission: Promise<EndpointInfo[]> | undefined
  private closing: Promise<void> | undefined

  constructor(options: BrokerOptions, { vault, password, metering, ways, unlock }: Parts) {
    this.vault = vault
    this.folderPassword = password
    this.metering = metering
    this.unlock = unlock
    this.all = new DialerSet(options.dialers, options.unfit)
    this.now = options.now
    this.random = options.random
    this.facts = options.network ?? networkFacts
    this.audit = new AuditLog(join(options.folder, AUDIT_FILES[0]))
    for (const dialer of options.dialers) {
      dialer.onRefusal?.((reason, endpoint) => this.emit('refused', endpoint, reason))
      dialer.onDial(({ endpoint, code, address }) => {
        this.dialed(endpoint, code)
        if (address !== undefined) this.remember(endpoint, address)
      })
    }
    const disconnect = (endpointId: string): Promise<void> => this.all.forget(endpointId)
    this.chosen = new ChosenWays({
      ...{ vault, file: ways, ipv6Only: options.ipv6Only ?? false, random: this.random, disconnect },
      emit: (kind, proxyId) => this.emit(kind, proxyId),
    })
    this.list = new AllowList(vault, {
      ...{ now: this.now, random: this.random },
      emit: (kind, endpoint, reason) => this.emit(kind, endpoint, reason),
      refuse: (reason) => this.refuse(reason),
      disconnect,
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
    if (kind === 'cut') this.all.forget(endpoint).catch(() => {})
  }

  ways(): Promise<WaysInfo> {
    return this.chosen.info()
  }

  changeWays(change: Promise<WayChange>): Promise<void> {
    return this.chosen.take(change)
  }

  password(): Promise<PasswordInfo> {
    return this.folderPassword.info()
  }

  changePassword(change: Promise<string | undefined>): Promise<void> {
    return this.folderPassword.take(change)
  }

  private remember(endpointId: string, address: string): void {
    const endpoint = this.vault.endpoints.get(endpointId)
    if (endpoint !== undefined && this.closing === undefined) this.chosen.remember(endpoint, address)
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

  admitInvite(link: string, kind: 'gateway' | 'node' = 'gateway'): Promise<EndpointInfo[]> {
    this.admission = this.list.admit(link, kind)
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

  offerPeers(offers: readonly OfferedPeer[]): Promise<EndpointInfo[]> {
    return this.list.offerPeers(offers)
  }

  peerOffers(): Offered[] {
    return offeredPeers(this.vault.kept)
  }

  allowPeer(root: string): Promise<void> {
    return this.list.allowPeer(root)
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
      reach: (present) => this.chosen.targetOf(present),
      refuse: (reason) => this.refuse(reason, endpointId),
      enter: () => this.entered(this.exchanges, endpointId, 'too-many-exchanges'),
      enterSocket: () => this.entered(this.sockets, endpointId, 'too-many-sockets'),
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
    return this.all.reports()
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
    return [...this.vault.endpoints.values()].map((endpoint) => this.chosen.targetOf(endpoint))
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
    await this.all.close()
    await this.metering.close()
    await this.audit.close()
    await this.chosen.close()
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

  private dialerFor(family: Family, endpointId: string): Dialer {
    const dialer = this.all.of(family)
    if (dialer !== undefined) return dialer
    const refusal = this.refuse('no-dialer', endpointId)
    const unfit = this.all.whyNot(family)
    throw unfit === undefined ? refusal : unfitError(unfit)
  }

  private entered(load: Load, endpointId: string, reason: Refusal): () => void {
    const leave = load.enter(endpointId)
    if (leave === undefined) throw this.refuse(reason, endpointId)
    return leave
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
