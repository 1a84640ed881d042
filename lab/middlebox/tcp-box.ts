/** A relay of TCP connections that treats them as a network would: slowly, unevenly, or not at all. */
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { TcpRules } from './scenario.ts'

/** Octets waiting in one direction before the sender has to wait. */
const QUEUE = 262_144
/** Octets of a TCP segment: a slow link passes on what it has, not only all of what was written at once. */
const SEGMENT = 1_400

export interface Place {
  readonly host: string
  readonly port: number
}

export class TcpBox {
  rules: TcpRules
  /** Connections that came. */
  connections = 0
  private readonly target: Place
  private readonly links = new Set<Link>()
  private readonly server: Server
  private source: string | undefined

  constructor(target: Place, rules: TcpRules) {
    this.target = target
    this.rules = rules
    this.server = createServer({ noDelay: true }, (client) => this.take(client))
  }

  listen({ host, port }: Place): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(port, host, resolve)
    })
  }

  /** Resets every connection. */
  cut(): void {
    for (const link of [...this.links]) link.reset()
  }

  /** Connections stay, and nothing passes on them any more; new ones work. */
  freeze(): void {
    for (const link of this.links) link.frozen = true
  }

  /** As `freeze`; what comes now reaches the gateway from another address. */
  rebind(source: string): void {
    this.freeze()
    this.source = source
  }

  close(): Promise<void> {
    this.cut()
    return new Promise((resolve) => this.server.close(() => resolve()))
  }

  private take(client: Socket): void {
    this.connections++
    client.on('error', () => {})
    if (this.rules.refuse) return void client.resetAndDestroy()
    const onward = connect({
      ...this.target,
      noDelay: true,
      ...(this.source === undefined ? {} : { localAddress: this.source }),
    })
    const link = new Link(client, onward, () => this.rules)
    this.links.add(link)
    link.onEnd = () => void this.links.delete(link)
  }
}

class Link {
  frozen = false
  onEnd: () => void = () => {}
  private readonly client: Socket
  private readonly onward: Socket
  private readonly rules: () => TcpRules
  private idle: NodeJS.Timeout | undefined
  private down = 0
  private first = true

  constructor(client: Socket, onward: Socket, rules: () => TcpRules) {
    this.client = client
    this.onward = onward
    this.rules = rules
    onward.on('error', () => {})
    this.frozen = rules().silent ?? false
    this.pass(client, onward, (piece) => this.up(piece))
    this.pass(onward, client, (piece) => this.back(piece))
    this.touch()
  }

  reset(): void {
    clearTimeout(this.idle)
    this.client.resetAndDestroy()
    this.onward.resetAndDestroy()
    this.onEnd()
  }

  private up(piece: Uint8Array): boolean {
    const { resetSni } = this.rules()
    const names = this.first && resetSni !== undefined && Buffer.from(piece).includes(resetSni)
    this.first = false
    if (names) this.reset()
    return !names
  }

  private back(piece: Uint8Array): boolean {
    const { freezeAfter = Number.POSITIVE_INFINITY, resetAfter } = this.rules()
    const before = this.down
    this.down += piece.length
    if (resetAfter !== undefined && this.down > resetAfter) {
      this.reset()
      return false
    }
    if (this.down <= freezeAfter) return true
    // What fits still arrives.
    if (before < freezeAfter) this.client.write(piece.subarray(0, freezeAfter - before))
    this.frozen = true
    return false
  }

  private touch(): void {
    clearTimeout(this.idle)
    const { idleCutMs, idleCut } = this.rules()
    if (idleCutMs === undefined) return
    this.idle = setTimeout(() => {
      if (idleCut === 'silent') this.frozen = true
      else if (idleCut === 'close') {
        this.client.end()
        this.onward.end()
      } else this.reset()
    }, idleCutMs)
  }

  /** Where octets take no time, they come together. */
  private segments(piece: Buffer): Buffer[] {
    if (this.rules().bytesPerSecond === undefined) return [piece]
    const count = Math.ceil(piece.length / SEGMENT)
    return Array.from({ length: count }, (_, i) => piece.subarray(i * SEGMENT, (i + 1) * SEGMENT))
  }

  /** In order; each piece leaves when the one before has, the link has had time for it, and the delay is over. */
  private pass(from: Socket, to: Socket, admit: (piece: Uint8Array) => boolean): void {
    let free = 0
    let queued = 0
    const waiting: (() => void)[] = []
    const later = (octets: number, run: () => void): void => {
      const { delayMs = 0, jitterMs = 0, bytesPerSecond, stallShare = 0, stallMs = 0 } = this.rules()
      const now = performance.now()
      const stall = Math.random() < stallShare ? stallMs : 0
      const sent = bytesPerSecond === undefined ? 0 : (octets * 1000) / bytesPerSecond
      free = Math.max(free, now + delayMs + Math.random() * jitterMs + stall) + sent
      waiting.push(run)
      // On a machine that stood still a later timer may be the first to fire: each lets the next in line go.
      if (free <= now && waiting.length === 1) waiting.shift()!()
      else setTimeout(() => waiting.shift()!(), Math.max(0, free - now))
    }
    from.on('data', (piece: Buffer) => {
      this.touch()
      if (this.frozen || !admit(piece)) return
      queued += piece.length
      if (queued > QUEUE) from.pause()
      for (const part of this.segments(piece)) {
        later(part.length, () => {
          queued -= part.length
          if (queued <= QUEUE && from.isPaused()) from.resume()
          if (!this.frozen && to.writable) to.write(part)
        })
      }
    })
    from.on('end', () => later(0, () => void (this.frozen || to.end())))
    from.on('close', () =>
      later(0, () => {
        clearTimeout(this.idle)
        this.onEnd()
        if (!this.frozen) to.destroy()
        else if (from === this.client) this.onward.destroy()
      }),
    )
  }
}
