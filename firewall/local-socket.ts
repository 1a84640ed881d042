/** WebSockets of a permit where the secrets are: each is judged, counted for as long as it is open, and metered. */
import { SottoError } from '#protocol/errors.ts'
import { DialLimits } from './limits.ts'
import type { PermitSource } from './local-permit.ts'
import type { MessageSocket, SocketMessage, SocketOptions, SocketRequest } from './message-socket.ts'
import { decideSocket } from './socket-request.ts'

/** @throws SottoError as `Permit.openSocket` */
export async function openLocalSocket(
  source: PermitSource,
  request: SocketRequest,
  options: SocketOptions,
): Promise<MessageSocket> {
  const endpoint = source.decide()
  const refusal = decideSocket(endpoint, request, options)
  if (refusal !== undefined) throw source.refuse(refusal)
  const dialer = source.dialerFor(options.family)
  if (dialer.openSocket === undefined)
    throw new SottoError('E_PATH_ANSWER', `${endpoint.name} answered with what cannot be used: no socket of this look.`)
  const leave = source.enterSocket()
  try {
    const delay = source.clear(options.signal)
    if (delay !== undefined) await delay
    const reach = source.reach(delay === undefined ? endpoint : source.decide())
    const socket = await dialer.openSocket(reach, request, options)
    return new Metered(socket, source, leave)
  } catch (error) {
    leave()
    throw error
  }
}

/** Octets of text that count as one answer. */
const COUNTED = 4_096
/** Longer than what comes between two counts. */
const blank = new Uint8Array(4 * DialLimits.messageBytes)

/** As the meter sees it, each message of octets that comes is the answer to all that was sent since the one before. */
class Metered implements MessageSocket {
  private readonly socket: MessageSocket
  private readonly source: PermitSource
  private readonly leave: () => void
  private left = false
  private up = 0
  private down = 0
  /** What waits for the meter; later messages stay behind it. */
  private line: Promise<unknown> | undefined

  constructor(socket: MessageSocket, source: PermitSource, leave: () => void) {
    this.socket = socket
    this.source = source
    this.leave = leave
  }

  async send(message: SocketMessage): Promise<void> {
    this.up += message.octets.length
    if (this.up > blank.length / 2) this.count()
    try {
      const wait = this.line ?? this.source.clear(undefined)
      if (wait === undefined) return await this.socket.send(message)
      const sent = wait.then(() => this.socket.send(message))
      this.line = sent
      await sent
      if (this.line === sent) this.line = undefined
    } catch (error) {
      this.over()
      this.socket.close()
      throw error
    }
  }

  async receive(): Promise<SocketMessage> {
    try {
      const message = await this.socket.receive()
      this.down += message.octets.length
      if (!message.text || this.down > COUNTED) this.count()
      return message
    } catch (error) {
      this.over()
      throw error
    }
  }

  close(): void {
    this.socket.close()
    this.over()
  }

  private count(): void {
    // Their lengths alone are looked at.
    const request = { method: 'POST', target: '', headers: [], body: blank.subarray(0, this.up) } as const
    const response = { status: 200, headers: [], body: blank.subarray(0, this.down) }
    this.up = 0
    this.down = 0
    this.source.carried(request, response)
  }

  private over(): void {
    if (this.left) return
    this.left = true
    if (this.up + this.down > 0) this.count()
    this.leave()
  }
}
