/** TCP ports of loopback for servers that a benchmark or trial starts. */

import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'

/**
 * Below those that systems give to outgoing connections (Linux from 32768, others from 49152): a connection of somebody else
 * could take one of these before the server that it is meant for listens.
 */
const PORTS = { from: 10_000, to: 32_000 } as const
/** Milliseconds that a server has to come up, on a machine that is busy with other checks. */
const REACHABLE_MS = 60_000

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Resolves once something listens there. Rejects where nothing does for a minute: it has not come up, or has ended. */
export async function reachable(port: number): Promise<void> {
  const end = performance.now() + REACHABLE_MS
  while (!(await answers(port))) {
    if (performance.now() > end) throw new Error(`nothing listens on port ${port} after ${REACHABLE_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
