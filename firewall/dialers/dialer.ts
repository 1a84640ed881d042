/** What every dialer offers the broker. A dialer connects to what it is given; whether it may was decided before. */
import type { ErrorCode } from '#protocol/errors.ts'
import type { MessageSocket, SocketOptions, SocketRequest } from '../message-socket.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse } from '../permit.ts'

/** Where to, and how to know that it is there. */
export interface DialTarget {
  readonly id: string
  /** For error texts. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly addresses: readonly string[]
  readonly certificate: Uint8Array | undefined
}

export interface DialEvent {
  readonly endpoint: string
  /** Absent where the connection stands. */
  readonly code?: ErrorCode
}

export interface Dialer {
  /** One exchange. Rejects with SottoError E_PATH_*. */
  exchange(target: DialTarget, request: ExchangeRequest, options: ExchangeOptions): Promise<ExchangeResponse>
  /** One WebSocket; missing where there are none of this dialer's look. Rejects with SottoError E_PATH_*. */
  openSocket?(target: DialTarget, request: SocketRequest, options: SocketOptions): Promise<MessageSocket>
  /** Closes the connections of one endpoint; exchanges under way reject with E_PATH_CLOSED. */
  forget(endpointId: string): Promise<void>
  /** Called for each attempt to connect, once it is decided. */
  onDial(listener: (event: DialEvent) => void): void
  /** Closes everything, as `forget` does. */
  close(): Promise<void>
}
