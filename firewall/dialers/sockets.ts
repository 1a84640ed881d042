/** The WebSockets of a dialer, by endpoint, so that they end with it. */
import type { MessageSocket, SocketOptions, SocketRequest } from '../message-socket.ts'
import type { DialTarget } from './dialer.ts'
import type { OpenConnection } from './pooled.ts'
import { openWebSocket } from './web-socket.ts'

export class Sockets {
  private readonly open = new Map<string, Set<MessageSocket>>()

  /** Rejects with SottoError E_PATH_*. */
  async openSocket(
    target: DialTarget,
    connect: OpenConnection,
    request: SocketRequest,
    options: SocketOptions,
  ): Promise<MessageSocket> {
    const own = this.open.get(target.id) ?? new Set()
    this.open.set(target.id, own)
    let socket: MessageSocket | undefined
    let isOver = false
    const over = (): void => {
      isOver = true
      if (socket !== undefined) own.delete(socket)
    }
    socket = await openWebSocket({ target, connect, request, ...options, over })
    // The endpoint was forgotten while the connection came about.
    if (this.open.get(target.id) !== own) socket.close()
    else if (!isOver) own.add(socket)
    return socket
  }

  forget(endpointId: string): void {
    for (const socket of this.open.get(endpointId) ?? []) socket.close()
    this.open.delete(endpointId)
  }

  close(): void {
    for (const id of [...this.open.keys()]) this.forget(id)
  }
}
