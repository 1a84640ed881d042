/**
 * One WebSocket over one verified connection, by the `ws` library: what it writes is what every program on Node writes that
 * uses it, socket.io's own client among them, the offer to compress included.
 */
import type { TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import type { SottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import type { MessageSocket, SocketMessage, SocketOptions, SocketRequest } from '../message-socket.ts'
import { octets } from '../octets.ts'
import { authority } from '../policy.ts'
import type { DialTarget } from './dialer.ts'
import { pathError, toPathError } from './path-error.ts'
import type { OpenConnection } from './pooled.ts'

export interface WebSocketInput extends Omit<SocketOptions, 'family'> {
  readonly target: DialTarget
  readonly connect: OpenConnection
  readonly request: SocketRequest
  /** Once, when the socket is over. */
  readonly over: () => void
  /** Milliseconds of silence; `DialLimits.socketIdleMs` where nothing is said. */
  readonly idleMs?: number
}

/** Rejects with SottoError E_PATH_*; E_PATH_ANSWER where the answer is another than a socket. */
export async function openWebSocket(input: WebSocketInput): Promise<MessageSocket> {
  const { target, timeoutMs, signal } = input
  const { promise: given, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(pathError('E_PATH_TIMEOUT', target.name, 'while opening a socket')), timeoutMs)
  const leave = (): void => reject(pathError('E_PATH_CLOSED', target.name, undefined, signal?.reason))
  if (signal?.aborted) leave()
  signal?.addEventListener('abort', leave, { once: true })
  const opening = open(input)
  try {
    return await Promise.race([opening.standing, given])
  } catch (error) {
    opening.cancel()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', leave)
  }
}

function open(input: WebSocketInput): { readonly standing: Promise<MessageSocket>; readonly cancel: () => void } {
  const { connect, target, request } = input
  let given = false
  let made: OpenSocket | undefined
  const standing = connect().then((connection) => {
    if (given) connection.destroy()
    made = new OpenSocket(handshake(connection, target, request), input)
    return made.standing
  })
  const cancel = (): void => {
    given = true
    made?.close()
    standing.catch(() => {})
  }
  return { standing, cancel }
}

function handshake(connection: TLSSocket, target: DialTarget, { target: path, headers }: SocketRequest): WebSocket {
  return new WebSocket(`wss://${authority(target)}${path}`, {
    createConnection: () => connection,
    headers: Object.fromEntries(headers),
    // As engine.io's client offers it; below the threshold nothing would be compressed, and ours is noise.
    perMessageDeflate: { threshold: 1_024 },
    maxPayload: DialLimits.messageBytes,
    skipUTF8Validation: true,
  })
}

class OpenSocket implements MessageSocket {
  readonly standing: Promise<MessageSocket>
  private readonly socket: WebSocket
  private readonly name: string
  private readonly over: () => void
  private readonly idleMs: number
  private readonly refuse: (failure: SottoError) => void
  private failure: SottoError | undefined
  /** Came and were not asked for. */
  private unread: SocketMessage[] = []
  private wanted: PromiseWithResolvers<SocketMessage> | undefined
  private idle: NodeJS.Timeout | undefined

  constructor(socket: WebSocket, { target, over, idleMs }: WebSocketInput) {
    this.socket = socket
    this.name = target.name
    this.over = over
    this.idleMs = idleMs ?? DialLimits.socketIdleMs
    const { promise, resolve, reject } = Promise.withResolvers<MessageSocket>()
    this.standing = promise
    this.refuse = reject
    socket.on('open', () => {
      this.heard()
      resolve(this)
    })
    socket.on('ping', () => this.heard())
    socket.on('message', (data, isBinary) => this.take({ text: !isBinary, octets: octets(data as Buffer) }))
    socket.on('unexpected-response', () => this.end(pathError('E_PATH_ANSWER', this.name, 'it gives no socket')))
    socket.on('error', (cause) => this.end(toPathError(cause, this.name)))
    socket.on('close', () => this.end(pathError('E_PATH_RESET', this.name)))
  }

  async send({ text, octets: data }: SocketMessage): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    await new Promise<void>((resolve, reject) => {
      this.socket.send(data, { binary: !text, compress: false }, (error) => {
        if (error) reject(this.failure ?? toPathError(error, this.name))
        else resolve()
      })
    })
  }

  async receive(): Promise<SocketMessage> {
    const message = this.unread.shift()
    if (this.unread.length < DialLimits.unreadMessages && this.socket.isPaused) this.socket.resume()
    if (message !== undefined) return message
    if (this.failure !== undefined) throw this.failure
    this.wanted ??= Promise.withResolvers()
    return await this.wanted.promise
  }

  close(): void {
    this.end(pathError('E_PATH_CLOSED', this.name))
  }

  private take(message: SocketMessage): void {
    this.heard()
    const { wanted } = this
    this.wanted = undefined
    if (wanted !== undefined) return wanted.resolve(message)
    this.unread.push(message)
    if (this.unread.length >= DialLimits.unreadMessages) this.socket.pause()
  }

  private heard(): void {
    clearTimeout(this.idle)
    if (this.failure !== undefined) return
    const silent = (): void => this.end(pathError('E_PATH_TIMEOUT', this.name, 'its socket fell silent'))
    this.idle = setTimeout(silent, this.idleMs)
  }

  private end(failure: SottoError): void {
    if (this.failure !== undefined) return
    this.failure = failure
    clearTimeout(this.idle)
    this.refuse(failure)
    this.wanted?.reject(failure)
    this.wanted = undefined
    // As a client that leaves: it says so where it can, and does not wait for the answer.
    if (failure.code === 'E_PATH_CLOSED' && this.socket.readyState === WebSocket.OPEN) this.socket.close()
    else this.socket.terminate()
    this.over()
  }
}
