/**
 * What the core sees of the firewall. The same interface over the pipe (core-side.ts) and in one process (library.ts).
 *
 * A permit is the leave to dial one endpoint. It stays with the broker: the core holds only the endpoint's id and calls
 * through. Pinned key, cohort secret and credential never cross over, so without the firewall no handshake can be computed.
 */
import type { Family } from '#engine/template.ts'
import type { Millis } from '#protocol/bytes.ts'
import type { HandshakeKeys } from '#protocol/handshake.ts'
import type { MessageSocket, SocketOptions, SocketRequest } from './message-socket.ts'

/** node: the person's own. peer: a contact's node. */
export const ENDPOINT_KINDS = ['gateway', 'tracker', 'node', 'peer', 'proxy'] as const
export type EndpointKind = (typeof ENDPOINT_KINDS)[number]

/** Where an endpoint was named: an invite, a signed list of gateways, a contact's offer, or the person at this machine. */
export const ENDPOINT_SOURCES = ['invite', 'list', 'contact', 'hand'] as const
export type EndpointSource = (typeof ENDPOINT_SOURCES)[number]

/** What the core may know of an endpoint. No secret in it. */
export interface EndpointInfo {
  /** Random, stable while the endpoint is admitted. */
  readonly id: string
  readonly kind: EndpointKind
  /** For people: the name in the invite. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** Template to begin with. */
  readonly template: string
  /** Unix seconds. Until the gateway has once answered: the invite's end; afterwards `NO_EXPIRY`. Of a list: its end. */
  readonly expires: number
  readonly source: EndpointSource
  /** What the flow meter does about it now; missing where all is well. */
  readonly flow?: {
    readonly condition: 'throttled' | 'cut'
    /** What was measured (a `Measure`), and since when it is so, milliseconds since the epoch. */
    readonly reason: string
    readonly since: Millis
    /** Milliseconds until a cut ends. */
    readonly leftMs: number
  }
  /** Public key that the gateway's template packs are signed under; missing where the invite was taken in before there were any. */
  readonly root?: Uint8Array
  /** Of a peer: root key of the contact whose node it is, and which of their offers it came by. */
  readonly peer?: { readonly root: Uint8Array; readonly version: number }
}

/** What a contact offers: leave to connect to their node (protocol/peer-offer.ts). */
export interface OfferedPeer {
  /** What the person calls the contact. */
  readonly name: string
  readonly offer: Uint8Array
}

/** Which client traffic claims to be. */
export type { Family }

/** What a dialer looks like on the wire. */
export interface DialerDescription {
  /** Only templates of this family go with it. */
  readonly family: Family
  /** Major version of the client that it looks like. */
  readonly version: string
  /** Operating system of that client, as Node names it (`process.platform`). */
  readonly os: string
  /** True: it writes version and system into its requests itself, so a template may hope for others. */
  readonly writesAgent?: boolean
  /** Protocols it offers, best first. */
  readonly alpn: readonly string[]
  /** Where it differs from that client, for people: what it is about, a colon, what differs. */
  readonly knownLeaks: readonly string[]
}

/** A dialer of the broker, or why there is none of that family. */
export interface DialerReport extends DialerDescription {
  /** Why it refuses to work here; then no exchange of its family is made. */
  readonly unfit?: string
}

/** `EndpointInfo.expires` of a membership that stands: later than any date. */
export const NO_EXPIRY: number = Number.MAX_SAFE_INTEGER

/**
 * One request as it shall stand on the wire. `host`, `connection` and `content-length` are the dialer's, as are the places
 * where they stand; a `host` given must be the endpoint's.
 */
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
  /** Of the client that the request claims to come from. Refused where the broker has no such dialer. */
  readonly family: Family
  /**
   * Milliseconds until the answer begins, from when it is given a connection, which may have to be opened; it waits in line
   * for one as long as others take. From then on `DialLimits.stallMs` and `answerMs` hold.
   */
  readonly timeoutMs: number
  /** Exchanges of one name share one connection, in order. Without a name: any idle connection, or a new one. */
  readonly connection?: string
  /** Most connections to hold from now on: as many as the client opens that the template claims to be. Default 2. */
  readonly connections?: number
  /** True: connections without an exchange are closed first, so that none is used that may be worn out. */
  readonly fresh?: boolean
  /** Asked for first on a connection that has to be opened: what a visitor would. Its answer goes to nobody. */
  readonly first?: ExchangeRequest | undefined
  readonly signal?: AbortSignal
}

export interface ExchangeResponse {
  readonly status: number
  /** In the order of the wire, names as sent. */
  readonly headers: [string, string][]
  readonly body: Uint8Array
  /** Milliseconds until the request had a connection, opened if need be; not known on a WebSocket. */
  readonly waitMs?: number
  /** Milliseconds from the beginning of the answer to its end. */
  readonly bodyMs?: number
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
   *   E_PATH_CLOSED (aborted), E_FIREWALL_REFUSED (endpoint or request not allowed), E_FIREWALL_CUT (flow meter), E_FIREWALL_GONE
   */
  exchange(request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse>
  /** Whether an answer of `exchange` was the gateway's. For the flow meter; what only loads a page is not judged. */
  judge(response: ExchangeResponse, authentic: boolean): void
  /**
   * A WebSocket with this endpoint and no other; missing where the dialer has none.
   * @throws SottoError as `exchange`; E_PATH_ANSWER where the answer is no socket
   */
  openSocket?(request: SocketRequest, options: SocketOptions): Promise<MessageSocket>
}

/**
 * Of the list: admitted, listed (a signed list was taken in), peered (the person let a contact's node in, or it moved), forgotten, undone (the latest change was taken back),
 * redeemed. Of use: permitted, dialed, refused. Of the meter: throttled, cut, eased (as it was before), allowed (by the
 * person).
 */
export const EVENT_KINDS = [
  'admitted',
  'listed',
  'peered',
  'forgotten',
  'undone',
  'redeemed',
  'permitted',
  'dialed',
  'refused',
  'throttled',
  'cut',
  'eased',
  'allowed',
] as const
export type FirewallEventKind = (typeof EVENT_KINDS)[number]

/** One line of the audit log. Endpoints by id only: neither host nor address, so that the log names nobody. */
export interface FirewallEvent {
  readonly at: Millis
  readonly kind: FirewallEventKind
  readonly endpoint?: string
  /**
   * `refused`: why (a `Refusal`). `dialed`: the error code where no connection came about. `throttled`, `cut`: what was
   * measured (a `Measure`). `undone`: the kind of the change taken back.
   */
  readonly reason?: string
  /** Of a road that is closed: the function that was called, and the modules it was called from, nearest first. */
  readonly call?: string
  readonly origin?: string
  /** Of what the kernel refused: how often since the last line. */
  readonly count?: number
}

/** The ways out that the person has chosen. No password in it. */
export interface WaysInfo {
  readonly ipv6Only: boolean
  /** What all connections go through. */
  readonly proxy?: {
    readonly kind: 'http' | 'https' | 'socks5' | 'tor'
    readonly host: string
    readonly port: number
    readonly hasCredentials: boolean
  }
  readonly fronts: readonly {
    readonly endpoint: string
    /** What TLS names. */
    readonly host: string
    readonly port: number
    readonly addresses: readonly string[]
    /** What requests name, where it is not the gateway. */
    readonly asks?: string
  }[]
}

export interface PasswordInfo {
  readonly isSet: boolean
  /** 32 octets that lock the core's own key; missing where the folder never had a password. */
  readonly lock?: Uint8Array
}

export interface Broker {
  endpoints(): Promise<EndpointInfo[]>
  /**
   * The password of the state folder. There is no way to change it from the core.
   * @throws SottoError E_PASSWORD_WEAK, E_PASSWORD_DIFFERS, E_DISK_FULL, E_STATE_UNREADABLE where the person wanted another one in this
   *   run of the program, and it was not taken
   */
  password(): Promise<PasswordInfo>
  /**
   * The ways out. There is no way to change them from the core.
   * @throws SottoError E_USAGE, E_SECRET_IN_ARGV, E_DISK_FULL, E_STATE_UNREADABLE where the person wanted another one in
   *   this run of the program, and it was not taken
   */
  ways(): Promise<WaysInfo>
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
  /** The dialers there are, and those that refuse to work here, the default one first. */
  dialers(): Promise<DialerReport[]>
  /**
   * The network this machine is on, as 16 opaque octets: the same on the same network, salted on this machine, so that
   * nobody else can tell which one it is. Never sent anywhere.
   */
  network(): Promise<Uint8Array>
  /**
   * Offers a list of gateways that came by an endpoint: signed under the root key of an invite, it adds gateways beside those
   * of that invite. Resolves with the endpoints that are new; the same list again brings none.
   * @throws SottoError E_FIREWALL_REFUSED, E_DISK_FULL, E_STATE_UNREADABLE
   */
  offerList(endpointId: string, list: Uint8Array): Promise<EndpointInfo[]>
  /**
   * All that contacts offer of their nodes now. What the person has let in follows; nothing else is let in by it. Resolves
   * with the peers there are.
   * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE
   */
  offerPeers(offers: readonly OfferedPeer[]): Promise<EndpointInfo[]>
  onEvent(listener: (event: FirewallEvent) => void): void
}
