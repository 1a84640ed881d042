/** A socket.io server for members alone, where the website's own is not in this process but behind or in front of it. */
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server as SocketServer } from 'socket.io'
import type { Guest } from '../decoy/decoy.ts'
import { Entering } from '../decoy/entering.ts'
import { SocketLimits } from './limits.ts'

export class BareRoom {
  private readonly io: SocketServer
  private readonly entering = new Entering()

  constructor() {
    // It never listens: sockets are handed to it.
    this.io = new SocketServer(createServer(), {
      transports: ['websocket'],
      serveClient: false,
      maxHttpBufferSize: SocketLimits.messageBytes,
    })
    this.io.on('connection', (guest) => this.entering.joined(guest))
  }

  enter(request: IncomingMessage, socket: Duplex, head: Buffer, entered: (guest: Guest) => void): void {
    this.entering.add(request, socket, entered)
    // Typed for Node's own request, which this is.
    this.io.engine.handleUpgrade(request as never, socket, head)
  }

  async close(): Promise<void> {
    await this.io.close()
  }
}
