/**
 * A network's edge between members and a gateway: terminates TLS, passes HTTP on, and keeps what it was told to block. It
 * stands for a content network, or for a censor with a box at every server.
 */
import { Agent } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { passOn } from '../scripts/pass-on.ts'

export interface EdgeInput {
  readonly certificate: string
  readonly key: string
  /** Port of the gateway on loopback. */
  readonly upstream: number
}

/** What becomes of a blocked request: no answer ever, or the connection is cut. */
export type Blocking = 'silent' | 'cut'

export interface Edge {
  readonly port: number
  /** Requests whose path begins like this do not get through from now on. */
  block(prefix: string, how: Blocking): void
  /** Requests that were blocked. */
  readonly blocked: number
  /** Requests passed on. */
  readonly passed: number
  close(): void
}

export async function startEdge({ certificate, key, upstream }: EdgeInput): Promise<Edge> {
  const rules: { readonly prefix: string; readonly how: Blocking }[] = []
  const counts = { blocked: 0, passed: 0 }
  const agent = new Agent({ keepAlive: true })
  const server = createServer({ cert: certificate, key, keepAliveTimeout: 75_000 }, (request, response) => {
    const rule = rules.find(({ prefix }) => request.url?.startsWith(prefix))
    if (rule === undefined) {
      counts.passed++
      return passOn({ agent, host: '127.0.0.1', port: upstream }, request, response)
    }
    counts.blocked++
    request.resume()
    if (rule.how === 'cut') request.socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    block: (prefix, how) => void rules.push({ prefix, how }),
    get blocked() {
      return counts.blocked
    },
    get passed() {
      return counts.passed
    },
    close: () => {
      server.closeAllConnections()
      server.close()
      agent.destroy()
    },
  }
}
