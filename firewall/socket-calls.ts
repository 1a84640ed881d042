/** The WebSockets that the core at the other end of the pipe holds, by number. They end with the pipe. */
import { SottoError } from '#protocol/errors.ts'
import { DialLimits, PipeLimits } from './limits.ts'
import type { LocalBroker } from './local-broker.ts'
import type { MessageSocket, SocketMessage, SocketOptions, SocketRequest } from './message-socket.ts'
import type { Permit } from './permit.ts'

export class HeldSockets {
  private readonly broker: LocalBroker
  private readonly held = new Map<number, MessageSocket>()
  /** Being opened. */
  private opening = 0
  private last = 0
  private over = false

  constructor(broker: LocalBroker) {
    this.broker = broker
  }

  /** @throws SottoError E_FIREWALL_REFUSED, E_PATH_* */
  async open(permit: Permit, request: SocketRequest, options: SocketOptions): Promise<{ readonly socket: number }> {
    if (permit.openSocket === undefined) throw new SottoError('E_PATH_ANSWER', 'There are no sockets on this way.')
    if (this.held.size + this.opening >= PipeLimits.sockets) throw this.broker.refuse('too-many-sockets')
    this.opening++
    try {
      const socket = await permit.openSocket(request, options)
      if (this.over || options.signal?.aborted) {
        socket.close()
        throw new SottoError('E_PATH_CLOSED', 'The socket was given up.')
      }
      this.held.set(++this.last, socket)
      return { socket: this.last }
    } finally {
      this.opening--
    }
  }

  async send(number: number, message: SocketMessage): Promise<void> {
    if (message.octets.length > DialLimits.messageBytes) throw this.broker.refuse('bad-length')
    await this.of(number).send(message)
  }

  /** Where `signal` aborts the socket is closed: whoever gave up the next message would miss it. */
  async receive(number: number, signal: AbortSignal): Promise<SocketMessage> {
    const leave = (): void => this.end(number)
    signal.addEventListener('abort', leave, { once: true })
    try {
      return await this.of(number).receive()
    } catch (error) {
      this.held.delete(number)
      throw error
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  /** Numbers that are over: nothing to do. */
  end(number: number): void {
    const socket = this.held.get(number)
    this.held.delete(number)
    socket?.close()
  }

  close(): void {
    this.over = true
    for (const number of [...this.held.keys()]) this.end(number)
  }

  private of(number: number): MessageSocket {
    const socket = this.held.get(number)
    if (socket === undefined) throw new SottoError('E_PATH_CLOSED', 'This socket is over.')
    return socket
  }
}
