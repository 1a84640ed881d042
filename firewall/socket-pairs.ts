/**
 * Pairs of connected sockets within this machine, which Node has no call for: a listener in a folder that nobody else may
 * enter takes the connections that are made here, one at a time.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whoever takes its place would be given Node's own methods. */
const { apply } = Reflect

type Callable = (...args: unknown[]) => unknown

export class SocketPairs {
  private readonly connect: Callable
  private readonly listen: Callable
  private place: Promise<{ readonly server: Server; readonly path: string }> | undefined
  private last: Promise<unknown> = Promise.resolve()

  /** Node's own methods, from before they were closed. */
  constructor(connect: Callable, listen: Callable) {
    this.connect = connect
    this.listen = listen
  }

  /** Rejects with the system's error. */
  make(): Promise<readonly [Socket, Socket]> {
    const next = this.last.then(() => this.makeOne())
    this.last = next.catch(() => {})
    return next
  }

  private async makeOne(): Promise<readonly [Socket, Socket]> {
    this.place ??= this.open()
    const { server, path } = await this.place
    const { promise, resolve, reject } = Promise.withResolvers<readonly [Socket, Socket]>()
    // Halves close by themselves, as on TCP.
    const far = new Socket({ allowHalfOpen: true }).pause()
    server.once('connection', (near: Socket) => resolve([near, far]))
    far.once('error', reject)
    apply(this.connect, far, [{ path }])
    return promise.finally(() => far.off('error', reject))
  }

  private async open(): Promise<{ readonly server: Server; readonly path: string }> {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-gate-'))
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'pair')
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).unref()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    apply(this.listen, server, [{ path }, resolve])
    await promise
    return { server, path }
  }
}
