/**
 * A network's edge between members and a gateway: terminates TLS, passes HTTP on, and keeps what it was told to block. It
 * stands for a content network, or for a censor with a box at every server.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, request as httpRequest } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

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
      return pass(agent, upstream, request, response)
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

function pass(agent: Agent, port: number, request: IncomingMessage, response: ServerResponse): void {
  const { method, url: path, headers } = request
  const onward = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent }, (answer) => {
    response.writeHead(answer.statusCode!, withoutHopByHop(answer.rawHeaders))
    answer.pipe(response)
    answer.once('error', () => response.destroy())
  })
  onward.once('error', () => {
    if (!response.headersSent) response.writeHead(502, ['content-type', 'text/plain']).end('Bad Gateway')
    else response.destroy()
  })
  response.once('close', () => onward.destroy())
  request.pipe(onward)
}

function withoutHopByHop(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(raw[i]!)) kept.push(raw[i]!, raw[i + 1]!)
  }
  return kept
}
