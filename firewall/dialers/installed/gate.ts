/**
 * The only way out for a browser: a proxy on the loopback that knows a secret, asks for CONNECT, and leads to one place, by
 * the firewall's own route. Whatever else the browser wants (updates, suggestions, other sites) is refused and counted.
 */
import { once } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { constantTimeEqual, hex, utf8 } from '#protocol/bytes.ts'
import { randomBytes } from '#protocol/crypto/random.ts'
import type { SottoError } from '#protocol/errors.ts'
import { isSottoError } from '#protocol/errors.ts'
import { BrowserLimits, DialLimits } from '../../limits.ts'
import type { DialTarget } from '../dialer.ts'
import { toPathError } from '../path-error.ts'
import type { Arrival, Route } from '../route.ts'
import type { Machine } from './machine.ts'

export interface GateOptions {
  readonly target: DialTarget
  readonly route: Route
  readonly machine: Machine
  readonly connectMs: number
  /** Ways on which TLS turned out to be wrong (`doubt`): the others go first. */
  readonly doubted: Set<string>
  /** A connection stands, or did not come about. */
  readonly dialed: (error?: SottoError) => void
  /** Something else was asked for. */
  readonly refused: () => void
}

const USER = 'sotto'

export class Gate {
  readonly credentials: { readonly username: string; readonly password: string }
  /** Why the last connection did not come about; undefined where it did. */
  failure: SottoError | undefined
  private readonly options: GateOptions
  private readonly server: Server
  private readonly expected: Uint8Array
  private readonly tunnels = new Set<() => void>()
  /** Asked for, and not yet standing. */
  private opening = 0
  private readonly closing = new AbortController()
  private last: string | undefined

  private constructor(options: GateOptions) {
    this.options = options
    this.credentials = { username: USER, password: hex(randomBytes(16)) }
    const pair = `${USER}:${this.credentials.password}`
    this.expected = utf8(`Basic ${Buffer.from(pair).toString('base64')}`)
    this.server = createServer({ maxHeaderSize: DialLimits.proxyHeadBytes }, (_, response) => {
      options.refused()
      response.writeHead(403, { connection: 'close' }).end()
    })
    this.server.maxConnections = BrowserLimits.gateConnections
    this.server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.connect(request, socket, head).catch(() => socket.destroy())
    })
  }

  /** Listens on 127.0.0.1 until closed. */
  static async open(options: GateOptions): Promise<Gate> {
    const gate = new Gate(options)
    await options.machine.listen(gate.server, 0)
    return gate
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Ends the connections; the browser opens new ones where it needs them. */
  drop(): void {
    for (const end of [...this.tunnels]) end()
  }

  /** TLS was wrong on the latest connection: the next one goes another way, where there is one. */
  doubt(): void {
    if (this.last !== undefined) this.options.doubted.add(this.last)
    this.drop()
  }

  async close(): Promise<void> {
    this.closing.abort()
    this.server.close()
    this.server.closeAllConnections()
    this.drop()
    if (this.server.listening) await once(this.server, 'close')
  }

  private async connect(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => {})
    const { host, port } = this.options.target
    if (request.url?.toLowerCase() !== `${isIPv6(host) ? `[${host}]` : host}:${port}`) {
      this.options.refused()
      return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    }
    // The browser asks without it first, and then for it, once.
    if (!constantTimeEqual(utf8(request.headers['proxy-authorization'] ?? ''), this.expected)) {
      return void socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="gate"\r\n\r\n',
      )
    }
    if (this.tunnels.size + this.opening >= BrowserLimits.tunnels)
      return void socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n')
    this.opening++
    try {
      const arrival = await this.arrive()
      this.last = arrival.by
      this.failure = undefined
      this.options.dialed()
      this.join(socket, arrival.socket, head)
    } catch (cause) {
      this.failure = isSottoError(cause) ? cause : toPathError(cause, this.options.target.name)
      if (!this.closing.signal.aborted) this.options.dialed(this.failure)
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    } finally {
      this.opening--
    }
  }

  private async arrive(): Promise<Arrival> {
    const { target, route, connectMs, doubted } = this.options
    const timing = { deadline: performance.now() + connectMs, prefer: undefined, unwanted: this.closing.signal }
    for await (const arrival of route(target, timing)) {
      if (arrival.left === 0 && doubted.has(arrival.by)) doubted.clear()
      else if (doubted.has(arrival.by)) {
        arrival.socket.destroy()
        continue
      }
      return arrival
    }
    throw new Error('the route has ended without a word')
  }

  private join(near: Duplex, far: Duplex, head: Buffer): void {
    // Who has left meanwhile would never be heard to leave.
    if (near.destroyed) return void far.destroy()
    const end = (): void => {
      this.tunnels.delete(end)
      near.destroy()
      far.destroy()
    }
    this.tunnels.add(end)
    near.on('error', end).on('close', end)
    // What has come from there still reaches the browser: why the connection ended may be in it.
    far.on('error', end).on('close', () => near.end(end))
    near.write('HTTP/1.1 200 Connection established\r\n\r\n')
    far.write(head)
    near.pipe(far).pipe(near)
  }
}
