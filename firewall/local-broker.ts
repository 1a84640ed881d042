/** What the firewall offers who holds it itself, beyond what the core may ask for. */
import type { SottoError } from '#protocol/errors.ts'
import type { DialTarget } from './dialers/dialer.ts'
import type { Change } from './journal.ts'
import type { FlowView } from './meter.ts'
import type { Offered } from './peers.ts'
import type { Broker, EndpointInfo, FirewallEvent } from './permit.ts'
import type { Refusal } from './policy.ts'
import type { WayChange } from './ways.ts'

/** Of an attempt to get past: what is known of it. */
export type AttemptDetail = Pick<FirewallEvent, 'call' | 'origin' | 'count'>

export interface LocalBroker extends Broker {
  /**
   * Adds the gateways of an invite to the allow-list, or the person's own node; the same invite again changes nothing. For who holds the firewall
   * itself, never over the pipe.
   * @throws SottoError E_INVITE_*, E_FIREWALL_REFUSED, E_DISK_FULL, E_STATE_UNREADABLE
   */
  admitInvite(link: string, kind?: 'gateway' | 'node'): Promise<EndpointInfo[]>
  /** What contacts offer of their nodes, allowed or not. */
  peerOffers(): Offered[]
  /**
   * Lets in what is offered under this key (hexadecimal). For the person, never over the pipe.
   * @throws SottoError E_FIREWALL_REFUSED, E_DISK_FULL, E_STATE_UNREADABLE
   */
  allowPeer(root: string): Promise<void>
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
  /**
   * Sets another password of the folder, or none. For who holds the firewall itself, never over the pipe. How it went,
   * `password` tells as well.
   * @throws SottoError E_PASSWORD_WEAK, E_PASSWORD_DIFFERS, E_DISK_FULL, E_STATE_UNREADABLE
   */
  changePassword(change: Promise<string | undefined>): Promise<void>
  /** Writes down a refusal that was decided elsewhere (the pipe), and returns the error to answer with. */
  refuse(reason: Refusal, endpoint?: string): SottoError
  /** Everywhere that connections may go: endpoints, fronts and proxies. For who holds the firewall itself (the gate). */
  targets(): readonly DialTarget[]
  /** Writes down that something tried to get past: who, or how often where only the kernel has seen it. */
  attempted(reason: 'closed-road' | 'core-denied' | 'kernel-denied', attempt: AttemptDetail): void
  /** Closes connections, log, vault and lock. */
  close(): Promise<void>
}
