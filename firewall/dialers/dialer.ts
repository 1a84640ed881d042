/** What every dialer offers the broker. A dialer connects to what it is given; whether it may was decided before. */
import type { ErrorCode } from '#protocol/errors.ts'
import type { MessageSocket, SocketOptions, SocketRequest } from '../message-socket.ts'
import type { DialerDescription, ExchangeOptions, ExchangeRequest, ExchangeResponse } from '../permit.ts'
import type { Refusal } from '../policy.ts'

/** A machine that connections go to, and what it has to show. */
export interface Reach {
  /** For error texts. */
  readonly name: string
  /** What TLS names, and what the resolver is asked for. */
  readonly host: string
  readonly port: number
  /** IP addresses that win over the resolver. */
  readonly addresses: readonly string[]
  /** IP addresses that led there before, for where the resolver fails. */
  readonly remembered?: readonly string[]
  /** SHA-256 of the only certificate to accept; undefined: any that an authority vouches for. */
  readonly certificate: Uint8Array | undefined
  /** True: it may stand in the person's own network, so the resolver may say so. */
  readonly isNear?: boolean
}

/** Where to, and how to know that it is there. */
export interface DialTarget extends Reach {
  readonly id: string
  /** Another machine that takes the connection and passes requests on by their `Host`: TLS names this one. */
  readonly front?: Reach
  /** What all connections go through. */
  readonly proxy?: ProxyReach
}

/** A proxy of the person's own choice. */
export interface ProxyReach extends Reach {
  readonly id: string
  /** `tor`: SOCKS5, each endpoint with credentials of its own, so that each has circuits of its own. */
  readonly kind: 'http' | 'https' | 'socks5' | 'tor'
  readonly credentials?: { readonly user: string; readonly password: string }
}

/** The machine that TLS is spoken with. */
export function reachOf(target: DialTarget): Reach {
  return target.front ?? target
}

export interface DialEvent {
  readonly endpoint: string
  /** Absent where the connection stands. */
  readonly code?: ErrorCode
  /** IP address of a connection that stands; a proxy's, where it goes through one. */
  readonly address?: string
}

export interface Dialer {
  /** What it looks like on the wire, and where it differs from what it looks like. */
  describe(): DialerDescription
  /** One exchange. Rejects with SottoError E_PATH_*, E_PROXY_*. */
  exchange(target: DialTarget, request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse>
  /** One WebSocket; missing where there are none of this dialer's look. Rejects with SottoError E_PATH_*, E_PROXY_*. */
  openSocket?(target: DialTarget, request: SocketRequest, options: SocketOptions): Promise<MessageSocket>
  /** Closes the connections of one endpoint; exchanges under way reject with E_PATH_CLOSED. */
  forget(endpointId: string): Promise<void>
  /** Called for each attempt to connect, once it is decided. */
  onDial(listener: (event: DialEvent) => void): void
  /** Called where the dialer itself refuses something, such as what a browser asks for by itself. */
  onRefusal?(listener: (reason: Refusal, endpoint: string) => void): void
  /** Closes everything, as `forget` does. */
  close(): Promise<void>
}
