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
    // Made while the server is waited for: with all that it takes, Node would speak a millisecond later than a browser.
    const ready = this.prepared()
    try {
      socket = await this.connect()
    } catch (error) {
      ready.destroy()
      for (const { answer } of this.early.splice(0)) answer.error(error)
      return this.gone()
    }
    const isHttp2 = !this.isGone && socket.alpnProtocol === 'h2'
    if (!isHttp2) ready.destroy()
    if (this.isGone) return void socket.destroy()
    this.socket = socket
    if (isHttp2) {
      this.protocol = ready
      ready.begin(socket)
    } else {
      const events = { gone: () => this.gone(), ready: this.events.ready }
      this.protocol = new Http1Connection(this.profile, this.target, socket, events)
    }
    for (const { request, answer } of this.early.splice(0)) this.write(request, answer)
    this.events.ready()
    if (this.active === 0) this.rest()
  }

  /** It may turn out that the server speaks HTTP/1.1, or is none: what is not used tells nobody of its end. */
  private prepared(): Http2Connection {
    const gone = (): void => {
      if (this.protocol === ready) this.gone()
    }
    const ready: Http2Connection = new Http2Connection(this.profile, this.target, { gone, ready: this.events.ready })
    return ready
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
