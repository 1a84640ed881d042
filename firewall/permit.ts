/**
 * What the core sees of the firewall. The same interface over the pipe (core-side.ts) and in one process (library.ts).
 *
 * A permit is the leave to dial one endpoint. It stays with the broker: the core holds only the endpoint's id and calls
 * through. Pinned key, cohort secret and credential never cross over, so without the firewall no handshake can be computed.
 */
import type { Millis } from '#protocol/bytes.ts'
import type { HandshakeKeys } from '#protocol/handshake.ts'
import type { MessageSocket, SocketOptions, SocketRequest } from './message-socket.ts'

/** What the core may know of an endpoint. No secret in it. */
export interface EndpointInfo {
  /** Random, stable while the endpoint is admitted. */
  readonly id: string
  readonly kind: 'gateway' | 'tracker' | 'peer' | 'proxy'
  /** For people: the name in the invite. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** Template to begin with. */
  readonly template: string
  /** Unix seconds. Until the gateway has once answered: the invite's end; afterwards `NO_EXPIRY`. */
  readonly expires: number
  readonly source: 'invite' | 'card'
  /** Public key that the gateway's template packs are signed under; missing where the invite was taken in before there were any. */
  readonly root?: Uint8Array
}

/** Client that the dialer's TLS and HTTP look like: only templates of this family go with it. */
export const DIALER_FAMILY = 'node'

/** `EndpointInfo.expires` of a membership that stands: later than any date. */
export const NO_EXPIRY: number = Number.MAX_SAFE_INTEGER

/** One request as it shall stand on the wire. `host` and `connection` are the dialer's; a `host` given must be the endpoint's. */
export interface ExchangeRequest {
  readonly method: 'GET' | 'POST'
  /** Path and query, visible ASCII. */
  readonly target: string
  /** In the order of the wire. */
  readonly headers: readonly (readonly [string, string])[]
  /** Not to be changed until the exchange is over: it is sent without a copy. */
  readonly body: Uint8Array | undefined
}

export interface ExchangeOptions {
  /** From the call until the answer begins, milliseconds. From then on `DialLimits.stallMs` and `answerMs` hold. */
  readonly timeoutMs: number
  /** Exchanges of one name share one connection, in order. Without a name: any idle connection, or a new one. */
  readonly connection?: string
  /** True: connections without an exchange are closed first, so that none is used that may be worn out. */
  readonly fresh?: boolean
  readonly signal?: AbortSignal
}

export interface ExchangeResponse {
  readonly status: number
  /** In the order of the wire, names as sent. */
  readonly headers: [string, string][]
  readonly body: Uint8Array
}

export interface FirstContactInput {
  /** Opaque octets for the other side's session layer, at most `HELLO_MAX`. */
  readonly hello: Uint8Array
  /** `requestBinding` of the request that will carry the parcel. */
  readonly binding: Uint8Array
  /** Octets that the parcel must fill. */
  readonly length: number
  /** The gateway's clock, as well as the core knows it. */
  readonly now: Millis
}

export interface FirstContact {
  readonly token: Uint8Array
  readonly parcel: Uint8Array
  /** Once only. undefined where the answer is not authentic: the gateway did not recognise us, or another answered. */
  finish(parcel: Uint8Array): Promise<{ readonly keys: HandshakeKeys; readonly reply: Uint8Array } | undefined>
}

export interface Rekey {
  readonly first: Uint8Array
  /** Once only. 32 octets for the session's key chain; undefined where the answer is not authentic. */
  finish(reply: Uint8Array): Promise<Uint8Array | undefined>
}

export interface Permit {
  readonly endpoint: EndpointInfo
  /**
   * First contact, computed inside the broker.
   * @throws SottoError E_FIREWALL_REFUSED, E_INTERNAL (a length that cannot hold it)
   */
  firstContact(input: FirstContactInput): Promise<FirstContact>
  /** @throws SottoError E_FIREWALL_REFUSED */
  rekey(input: { readonly prologue: Uint8Array }): Promise<Rekey>
  /**
   * One HTTP exchange with this endpoint and no other. Redirects are answers like any other.
   * @throws SottoError E_PATH_DNS, E_PATH_REFUSED, E_PATH_RESET, E_PATH_TIMEOUT, E_PATH_TLS, E_PATH_ANSWER,
   *   E_PATH_CLOSED (aborted), E_FIREWALL_REFUSED (endpoint or request not allowed), E_FIREWALL_GONE
   */
  exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse>
  /**
   * A WebSocket with this endpoint and no other; missing where the dialer has none.
   * @throws SottoError as `exchange`; E_PATH_ANSWER where the answer is no socket
   */
  openSocket?(request: SocketRequest, options: SocketOptions): Promise<MessageSocket>
}

export type FirewallEventKind = 'admitted' | 'forgotten' | 'permitted' | 'redeemed' | 'dialed' | 'refused'

/** One line of the audit log. Endpoints by id only: neither host nor address, so that the log names nobody. */
export interface FirewallEvent {
  readonly at: Millis
  readonly kind: FirewallEventKind
  readonly endpoint?: string
  /** `refused`: why (a `Refusal`). `dialed`: the error code where no connection came about. */
  readonly reason?: string
}

export interface Broker {
  endpoints(): Promise<EndpointInfo[]>
  /**
   * What the person has joined in this run of the program. The link was read, and judged, before the core began: there is
   * no way to admit an invite from the core.
   * @throws SottoError E_NOT_JOINED where there was no invite; E_INVITE_*, E_FIREWALL_REFUSED, E_DISK_FULL,
   *   E_STATE_UNREADABLE where it was not admitted
   */
  joined(): Promise<EndpointInfo[]>
  /** Removes the endpoint with its credential and closes its connections. Unknown ids: nothing to do. */
  forget(endpointId: string): Promise<void>
  /** @throws SottoError E_FIREWALL_REFUSED */
  permit(endpointId: string): Promise<Permit>
  /**
   * The network this machine is on, as 16 opaque octets: the same on the same network, salted on this machine, so that
   * nobody else can tell which one it is. Never sent anywhere.
   */
  network(): Promise<Uint8Array>
  onEvent(listener: (event: FirewallEvent) => void): void
}
