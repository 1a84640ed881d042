/** Who is let into a socket.io server by name, and who has joined it since. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Guest } from './decoy.ts'

export class Entering {
  private readonly awaited = new WeakMap<IncomingMessage, (guest: Guest) => void>()
  /** Connections of them that are open: they take no visitor's place. */
  inside = 0

  add(request: IncomingMessage, socket: Duplex, entered: (guest: Guest) => void): void {
    this.awaited.set(request, entered)
    this.inside++
    socket.once('close', () => this.inside--)
  }

  has(request: IncomingMessage): boolean {
    return this.awaited.has(request)
  }

  /** Anybody has joined. A visitor may join again on one connection; once is told. */
  joined(guest: Guest): void {
    const { request } = guest
    const entered = this.awaited.get(request)
    this.awaited.delete(request)
    entered?.(guest)
  }
}
