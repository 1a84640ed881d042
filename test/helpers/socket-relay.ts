/** A network in front of a gateway that knows WebSockets from other connections, and does to them what a test says. */
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Owner } from './command.ts'

export interface SocketRelay {
  readonly port: number
  /** WebSockets asked for since the start. */
  readonly asked: number
  /** Of the latest one: its request line and headers. */
  readonly request: string
  /**
   * `pass`: as they are. `cut`: at once when asked for. `refuse`: answered 403 by somebody on the way. `swallow`: the
   * handshake comes through, and nothing behind it.
   */
  mode: 'pass' | 'cut' | 'refuse' | 'swallow'
  /** Breaks every WebSocket that is open, without a word. */
  cut(): void
  /** From now on nothing goes through those that are open; they stay. */
  freeze(): void
}

const ASKS = /^upgrade: websocket\r?$/im
const REFUSAL = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

export async function startSocketRelay(owner: Owner, target: number): Promise<SocketRelay> {
  const relay = new Relay(target)
  await new Promise<void>((resolve) => relay.server.listen(0, '127.0.0.1', resolve))
  owner.teardown(() => relay.stop())
  return relay
}

class Relay implements SocketRelay {
  readonly server: Server
  mode: SocketRelay['mode'] = 'pass'
  asked = 0
  request = ''
  private readonly target: number
  private readonly all = new Set<Socket>()
  private readonly upgraded = new Set<readonly [Socket, Socket]>()

  constructor(target: number) {
    this.target = target
    this.server = createServer((socket) => this.accept(socket))
  }

  get port(): number {
    return (this.server.address() as { port: number }).port
  }

  cut(): void {
    for (const [near, far] of this.upgraded) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  freeze(): void {
    for (const pair of this.upgraded) for (const socket of pair) hush(socket)
  }

  stop(): void {
    for (const socket of this.all) socket.destroy()
    this.server.close()
  }

  private accept(near: Socket): void {
    const far = connect(this.target, '127.0.0.1')
    const pair = [near, far] as const
    for (const socket of pair) {
      this.all.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.all.delete(socket)
        this.upgraded.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
    near.once('data', (first: Buffer) => this.begin(pair, first))
  }

  private begin(pair: readonly [Socket, Socket], first: Buffer): void {
    const [near, far] = pair
    const text = first.toString('latin1')
    if (ASKS.test(text)) {
      this.asked++
      this.request = text
      if (this.mode === 'cut') return void near.destroy()
      if (this.mode === 'refuse') return void near.end(REFUSAL)
      this.upgraded.add(pair)
      if (this.mode === 'swallow') far.once('data', (answer: Buffer) => this.swallow(pair, answer))
    }
    far.write(first)
    near.on('data', (chunk: Buffer) => far.write(chunk))
    far.on('data', (chunk: Buffer) => near.write(chunk))
  }

  /** What came with the handshake is swallowed, too. */
  private swallow([near, far]: readonly [Socket, Socket], answer: Buffer): void {
    for (const socket of [near, far]) hush(socket)
    near.write(answer.subarray(0, answer.indexOf('\r\n\r\n') + 4))
  }
}

function hush(socket: Socket): void {
  socket.removeAllListeners('data')
  socket.on('data', () => {})
}
