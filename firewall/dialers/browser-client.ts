/** One connection of a browser-like dialer: HTTP/2 where the server takes it, HTTP/1.1 where that is all it has. */
import type { TLSSocket } from 'node:tls'
import { DialLimits } from '../limits.ts'
import type { ExchangeRequest } from '../permit.ts'
import type { Answer } from './answer.ts'
import type { DialTarget } from './dialer.ts'
import type { HttpClient, HttpClientEvents } from './http-client.ts'
import { Http1Connection } from './http1-connection.ts'
import { Http2Connection } from './http2-connection.ts'
import type { OpenConnection } from './pooled.ts'
import type { BrowserProfile } from './profile.ts'
import { heardOn } from './tls-connector.ts'

/** What both protocols offer once the connection stands. */
export interface Protocol {
  readonly capacity: number
  request(request: ExchangeRequest, answer: Answer): void
  destroy(): void
}

export class BrowserClient implements HttpClient {
  private readonly profile: BrowserProfile
  private readonly target: DialTarget
  private readonly connect: OpenConnection
  private readonly events: HttpClientEvents
  private protocol: Protocol | undefined
  private socket: TLSSocket | undefined
  private connecting = false
  private isGone = false
  /** Dispatched before the connection stood. */
  private early: { readonly request: ExchangeRequest; readonly answer: Answer }[] = []
  private active = 0
  private idle: NodeJS.Timeout | undefined

  constructor(profile: BrowserProfile, target: DialTarget, connect: OpenConnection, events: HttpClientEvents) {
    this.profile = profile
    this.target = target
    this.connect = connect
    this.events = events
  }

  get capacity(): number | undefined {
    return this.isGone ? 0 : this.protocol?.capacity
  }

  get heard(): number {
    return heardOn(this.socket)
  }

  dispatch(request: ExchangeRequest, answer: Answer): void {
    this.active++
    clearTimeout(this.idle)
    answer.result.then(
      () => this.finished(),
      () => this.finished(),
    )
    if (this.protocol !== undefined) return this.write(request, answer)
    this.early.push({ request, answer })
    if (!this.connecting) void this.open()
  }

  async destroy(): Promise<void> {
    this.isGone = true
    clearTimeout(this.idle)
    this.protocol?.destroy()
  }

  private async open(): Promise<void> {
    this.connecting = true
    let socket: TLSSocket
    try {
      socket = await this.connect()
    } catch (error) {
      for (const { answer } of this.early.splice(0)) answer.error(error)
      return this.gone()
    }
    if (this.isGone) return void socket.destroy()
    this.socket = socket
    const Kind = socket.alpnProtocol === 'h2' ? Http2Connection : Http1Connection
    this.protocol = new Kind(this.profile, this.target, socket, { gone: () => this.gone(), ready: this.events.ready })
    for (const { request, answer } of this.early.splice(0)) this.write(request, answer)
    this.events.ready()
    if (this.active === 0) this.rest()
  }

  private write(request: ExchangeRequest, answer: Answer): void {
    // Given up before anything was written: this leaves the connection as it is.
    if (answer.failure !== undefined) answer.error(answer.failure)
    else this.protocol!.request(request, answer)
  }

  private finished(): void {
    if (--this.active === 0) this.rest()
  }

  private rest(): void {
    this.idle = setTimeout(() => this.protocol?.destroy(), DialLimits.idleMs).unref()
  }

  private gone(): void {
    if (this.isGone) return
    this.isGone = true
    clearTimeout(this.idle)
    this.events.gone()
  }
}
