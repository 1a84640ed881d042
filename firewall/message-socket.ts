/** A WebSocket as the core sees it: messages asked for one by one, so that nobody holds what nobody has asked for. */

import type { Family } from '#engine/template.ts'

/** What asks for the socket, as it shall stand on the wire. What makes it a WebSocket request is the dialer's. */
export interface SocketRequest {
  /** Path and query, visible ASCII. */
  readonly target: string
  /** In the order of the wire, in front of those of the handshake. */
  readonly headers: readonly (readonly [string, string])[]
}

export interface SocketOptions {
  /** Client that the request claims to come from: a dialer of that look opens the socket. */
  readonly family: Family
  /** From the call until the socket stands, milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface SocketMessage {
  readonly text: boolean
  readonly octets: Uint8Array
}

export interface MessageSocket {
  /** Resolves once the message has gone to the connection. @throws SottoError E_PATH_* where the socket is over */
  send(message: SocketMessage): Promise<void>
  /** The next message; call it once at a time. @throws SottoError E_PATH_* where the socket is over and all is read */
  receive(): Promise<SocketMessage>
  /** What waits to be received, rejects with E_PATH_CLOSED. */
  close(): void
}
