/** Stands between members and gateway of a trial and counts octets, TLS included, as a network would bill them. */
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

export interface Relay {
  readonly port: number
  /** Octets both ways so far. */
  octets(): number
  close(): void
}

/** `target`: port of the gateway, which may not listen yet. */
export async function startRelay(target: () => number): Promise<Relay> {
  let counted = 0
  const sockets = new Set<Socket>()
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from)
    // As both ends have it: a relay that waits for more would be what is measured.
    from.setNoDelay(true)
    from.on('data', (chunk: Buffer) => {
      counted += chunk.length
    })
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((socket) => {
    const onward = connect(target(), '127.0.0.1')
    pass(socket, onward)
    pass(onward, socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    octets: () => counted,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
