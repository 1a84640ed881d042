/**
 * The firewall itself: allow-list, vault, handshakes and dialer behind `Broker`. The broker process serves it to the
 * core over a pipe (broker.ts); a program that uses Sotto as a library may hold it directly. Then it shares the process
 * with everything else: code that turns bad there can read the secrets and open sockets of its own.
 */
import { join } from 'node:path'
import type { Millis, Random } from '#protocol/bytes.ts'
import { hex, utf8 } from '#protocol/bytes.ts'
import { KEY_LENGTH } from '#protocol/constants.ts'
import { hmacSha256, sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { CREDENTIAL_ID_LENGTH } from '#protocol/handshake.ts'
import { parseInvite } from '#protocol/invite.ts'
import { AuditLog } from './audit.ts'
import type { Dialer } from './dialers/dialer.ts'
import { privateFolder } from './folder.ts'
import { DialLimits } from './limits.ts'
import { localPermit } from './local-permit.ts'
import { lockFolder } from './lock.ts'
import { NETWORK_ID_LENGTH, networkFacts } from './network.ts'
import type { Broker, EndpointInfo, FirewallEvent, FirewallEventKind, Permit } from './permit.ts'
import type { Endpoint, Refusal } from './policy.ts'
import { confirmed, decideAdmission, decideDial, publicInfo } from './policy.ts'
import { refusalError } from './refusals.ts'
import { Vault } from './vault.ts'

export interface BrokerOptions {
  /** The broker's own part of the state folder; made where it is missing. */
  readonly folder: string
  readonly dialer: Dialer
  readonly now: () => Millis
  readonly random: Random
  /** What tells this network from others (network.ts), as text. Read anew each time. */
  readonly network?: () => string
}

export interface LocalBroker extends Broker {
  /**
   * Adds the gateways of an invite to the allow-list; the same invite again changes nothing. For who holds the firewall
   * itself, never over the pipe.
   * @throws SottoError E_INVITE_*, E_FIREWALL_REFUSED, E_DISK_FULL, E_STATE_UNREADABLE
   */
  admitInvite(link: string): Promise<EndpointInfo[]>
  /** Writes down a refusal that was decided elsewhere (the pipe), and returns the error to answer with. */
  refuse(reason: Refusal, endpoint?: string): SottoError
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
    return new Firewall(options, vault, unlock)
  } catch (error) {
    unlock()
    throw error
  }
}

class Firewall implements LocalBroker {
  private readonly vault: Vault
  private readonly dialer: Dialer
  private readonly now: () => Millis
  private readonly random: Random
  private readonly facts: () => string
  private readonly audit: AuditLog
  private readonly unlock: () => void
  /** Exchanges under way, by endpoint. */
  private readonly load = new Map<string, number>()
  /** WebSockets, by endpoint. */
  private readonly sockets = new Map<string, number>()
  private readonly listeners: ((event: FirewallEvent) => void)[] = []
  private admission: Promise<EndpointInfo[]> | undefined
  private closing: Promise<void> | undefined

  constructor(options: BrokerOptions, vault: Vault, unlock: () => void) {
    this.vault = vault
    this.unlock = unlock
    this.dialer = options.dialer
    this.now = options.now
    this.random = options.random
    this.facts = options.network ?? networkFacts
    this.audit = new AuditLog(join(options.folder, 'audit.log'))
    this.dialer.onDial(({ endpoint, code }) => this.emit('dialed', endpoint, code))
  }

  async endpoints(): Promise<EndpointInfo[]> {
    return [...this.vault.endpoints.values()].map(publicInfo)
  }

  admitInvite(link: string): Promise<EndpointInfo[]> {
    this.admission = this.admit(link)
    return this.admission
  }

  async joined(): Promise<EndpointInfo[]> {
    if (this.admission === undefined) throw new SottoError('E_NOT_JOINED', 'No invite was given.')
    return await this.admission
  }

  private async admit(link: string): Promise<EndpointInfo[]> {
    const invite = parseInvite(link, this.now())
    const fresh = {
      invite: sha256(utf8('sotto/1/invite'), invite.code).slice(0, 16),
      credential: { id: this.random(CREDENTIAL_ID_LENGTH), key: this.random(KEY_LENGTH) },
      newId: () => hex(this.random(8)),
    }
    let ofInvite: readonly Endpoint[] = []
    const added: string[] = []
    await this.vault.update((endpoints) => {
      const decision = decideAdmission(endpoints, invite, fresh)
      if (!decision.allowed) throw this.refuse(decision.reason)
      ofInvite = decision.value.ofInvite
      added.push(...ofInvite.map(({ id }) => id).filter((id) => !endpoints.has(id)))
      return added.length === 0 ? endpoints : decision.value.endpoints
    })
    for (const id of added) this.emit('admitted', id)
    return ofInvite.map(publicInfo)
  }

  async forget(endpointId: string): Promise<void> {
    if (!this.vault.endpoints.has(endpointId)) return
    await this.vault.update((endpoints) => new Map([...endpoints].filter(([id]) => id !== endpointId)))
    await this.dialer.forget(endpointId)
    this.emit('forgotten', endpointId)
  }

  async permit(endpointId: string): Promise<Permit> {
    const endpoint = this.decide(endpointId)
    this.emit('permitted', endpointId)
    return localPermit(publicInfo(endpoint), {
      decide: () => this.decide(endpointId),
      refuse: (reason) => this.refuse(reason, endpointId),
      enter: () => this.enter(endpointId, this.load, DialLimits.exchanges, 'too-many-exchanges'),
      enterSocket: () => this.enter(endpointId, this.sockets, DialLimits.sockets, 'too-many-sockets'),
      confirm: () => this.confirm(endpointId),
      dialer: this.dialer,
      random: this.random,
    })
  }

  async network(): Promise<Uint8Array> {
    return hmacSha256(this.vault.derive('sotto/1/network'), utf8(this.facts())).slice(0, NETWORK_ID_LENGTH)
  }

  onEvent(listener: (event: FirewallEvent) => void): void {
    this.listeners.push(listener)
  }

  refuse(reason: Refusal, endpoint?: string): SottoError {
    this.emit('refused', endpoint, reason)
    return refusalError(reason)
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  private async closeAll(): Promise<void> {
    await this.dialer.close()
    await this.audit.close()
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

  private async confirm(endpointId: string): Promise<void> {
    await this.vault.update((endpoints) => {
      const endpoint = endpoints.get(endpointId)
      if (endpoint?.code === undefined) return endpoints
      return new Map(endpoints).set(endpointId, confirmed(endpoint))
    })
    this.emit('redeemed', endpointId)
  }

  /** Not after `close`: a connection that comes about then is closed at once and is nobody's business. */
  private emit(kind: FirewallEventKind, endpoint?: string, reason?: string): void {
    if (this.closing !== undefined) return
    const event: FirewallEvent = {
      at: this.now(),
      kind,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(reason === undefined ? {} : { reason }),
    }
    this.audit.record(event)
    for (const listener of this.listeners) listener(event)
  }
}
