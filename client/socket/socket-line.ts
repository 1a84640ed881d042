/**
 * Exchanges over one WebSocket, as a client of socket.io holds it: each is an event with octets, its answer the
 * acknowledgement. The socket is of use once the gateway has answered the request for it; it is over when it is closed,
 * says what no server of socket.io says, or falls silent while something is waited for.
 */
import type { Socket } from '#engine/compile.ts'
import { eventText, JOIN, type Packet, PONG, readPacket } from '#engine/encodings/socketio.ts'
import type { MessageSocket, SocketMessage } from '#firewall/message-socket.ts'
import type { ExchangeOptions, ExchangeRequest, ExchangeResponse } from '#firewall/permit.ts'
import { fromUtf8, utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Clockwork } from '../clockwork.ts'

/** Times that something else may be heard while an answer is waited for, each after its whole time, until it is taken for lost. */
const HEARD_MOST = 4

export interface SocketLineInput {
  readonly socket: MessageSocket
  readonly look: Socket
  readonly clockwork: Clockwork
  /** Takes in the answer of the request for this socket; false where it is not authentic. */
  readonly accept: (parcel: Uint8Array) => boolean
  /** Once, when the line is over, before those who wait are told. */
  readonly over: (error: SottoError) => void
}

interface Waiting {
  readonly resolve: (response: ExchangeResponse) => void
  readonly reject: (error: SottoError) => void
}

export class SocketLine {
  readonly look: Socket
  /** Resolves once the gateway has answered; rejects where the line is over before. */
  readonly standing: Promise<void>
  private readonly input: SocketLineInput
  private readonly stand: PromiseWithResolvers<void>
  private readonly waiting = new Map<number, Waiting>()
  private lastId = -1
  private error: SottoError | undefined
  /** Messages that came. */
  private heard = 0
  private cancelSilence = (): void => {}
  /** Milliseconds of silence that the server's pings allow. */
  private silenceMs = Number.POSITIVE_INFINITY
  /** A packet whose attachments are still to come. */
  private gathering: { readonly packet: Packet & { attachments: number }; readonly parts: Uint8Array[] } | undefined

  constructor(input: SocketLineInput) {
    this.input = input
    this.look = input.look
    this.stand = Promise.withResolvers()
    this.standing = this.stand.promise
    this.standing.catch(() => {})
    void this.read()
  }

  /** As `Permit.exchange`. @throws SottoError E_PATH_* */
  exchange({ body }: ExchangeRequest, { timeoutMs, signal }: ExchangeOptions): Promise<ExchangeResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ExchangeResponse>()
    if (this.error !== undefined) return Promise.reject(this.error)
    const id = ++this.lastId
    let cancel = (): void => {}
    const leave = (): void => reject(new SottoError('E_PATH_CLOSED', 'The exchange was given up.'))
    signal?.addEventListener('abort', leave, { once: true })
    this.waiting.set(id, { resolve, reject })
    const attachments = this.look.split(body!)
    this.say(eventText(this.look.event, attachments.length, id), attachments).then(
      () => {
        if (this.waiting.has(id)) cancel = this.expect(timeoutMs, 0)
        else cancel()
      },
      (error) => this.end(error),
    )
    return promise.finally(() => {
      this.waiting.delete(id)
      cancel()
      cancel = () => {}
      signal?.removeEventListener('abort', leave)
    })
  }

  close(): void {
    this.end(new SottoError('E_PATH_CLOSED', 'The socket was closed.'))
  }

  /** The line is over if nothing is heard on it for `ms`. Returns how to stop. */
  private expect(ms: number, times: number): () => void {
    const before = this.heard
    let cancel = this.input.clockwork.after(ms, () => {
      if (this.heard === before || times >= HEARD_MOST) this.end(silent())
      else cancel = this.expect(ms, times + 1)
    })
    return () => cancel()
  }

  private async say(text: string, attachments: readonly Uint8Array[] = []): Promise<void> {
    const { socket } = this.input
    // Handed over in one go, so that nothing comes between a packet and its attachments.
    const messages = attachments.map((octets): SocketMessage => ({ text: false, octets }))
    await Promise.all([{ text: true, octets: utf8(text) }, ...messages].map((message) => socket.send(message)))
  }

  private async read(): Promise<void> {
    try {
      while (this.error === undefined) {
        const message = await this.input.socket.receive()
        this.heard++
        this.listen()
        if (!this.take(message)) this.end(new SottoError('E_PATH_ANSWER', 'The socket says what no server says.'))
      }
    } catch (error) {
      this.end(error)
    }
  }

  private listen(): void {
    this.cancelSilence()
    if (this.error !== undefined || this.silenceMs === Number.POSITIVE_INFINITY) return
    this.cancelSilence = this.input.clockwork.after(this.silenceMs, () => this.end(silent()))
  }

  private take({ text, octets }: SocketMessage): boolean {
    const { gathering } = this
    if (!text) {
      if (gathering === undefined) return false
      gathering.parts.push(octets)
      return this.gathered()
    }
    const packet = gathering === undefined ? readPacket(fromUtf8(octets) ?? '') : undefined
    if (packet === undefined) return false
    if (!('attachments' in packet) || packet.attachments === 0) return this.act(packet)
    this.gathering = { packet, parts: [] }
    return true
  }

  private gathered(): boolean {
    const { packet, parts } = this.gathering!
    if (parts.length < packet.attachments) return true
    this.gathering = undefined
    const octets = this.look.join(parts)
    if (octets === undefined) return true
    if (packet.kind === 'event' && packet.name === this.look.event) {
      const parcel = this.look.upgrade.decodeResponse({ status: 200, header: () => undefined, body: octets })
      if (parcel !== undefined && this.input.accept(parcel)) this.stand.resolve()
    }
    if (packet.kind === 'acknowledged') this.waiting.get(packet.id)?.resolve({ status: 200, headers: [], body: octets })
    return true
  }

  private act(packet: Packet): boolean {
    if (packet.kind === 'open') {
      this.silenceMs = packet.pingInterval + packet.pingTimeout
      this.listen()
      this.say(JOIN).catch((error) => this.end(error))
    } else if (packet.kind === 'ping') this.say(PONG).catch((error) => this.end(error))
    return true
  }

  private end(cause: unknown): void {
    if (this.error !== undefined) return
    const error = cause instanceof SottoError ? cause : new SottoError('E_PATH_RESET', 'The socket broke.', { cause })
    this.error = error
    this.cancelSilence()
    this.input.socket.close()
    this.input.over(error)
    this.stand.reject(error)
    for (const { reject } of this.waiting.values()) reject(error)
  }
}

const silent = (): SottoError => new SottoError('E_PATH_TIMEOUT', 'The socket fell silent.')
