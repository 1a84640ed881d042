/**
 * The live view of the demo: a page that shows, side by side, what was said and what an observer of the HTTP saw.
 * Loopback only; nothing of it is written anywhere.
 */

import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { SottoError } from '#protocol/errors.ts'
import type { Seen } from './front.ts'

export interface Said {
  readonly at: number
  readonly who: string
  readonly text: string
}

export interface View {
  readonly port: number
  seen(seen: Seen): void
  said(said: Said): void
  close(): void
}

/** Events a page that opens late still gets. */
const BACKLOG = 60
/** Octets of one report by a chat of the demo. */
const REPORT_MAX = 100_000
/** The page says nothing to anybody but this server, and stands in nobody's frame. */
const POLICY = [
  ...["default-src 'none'", "style-src 'unsafe-inline'", "script-src 'unsafe-inline'", "connect-src 'self'"],
  ...["form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"],
].join('; ')

/** @throws SottoError E_PORT_TAKEN */
export async function startView(port: number): Promise<View> {
  const page = readFileSync(join(import.meta.dirname, 'view.html'))
  const pages = new Set<ServerResponse>()
  const backlog: string[] = []
  const publish = (kind: 'seen' | 'said', value: unknown): void => {
    const event = `event: ${kind}\ndata: ${JSON.stringify(value)}\n\n`
    backlog.push(event)
    if (backlog.length > BACKLOG) backlog.shift()
    for (const response of pages) response.write(event)
  }
  const follow = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(backlog.join(''))
    pages.add(response)
    response.once('close', () => pages.delete(response))
  }
  const server = createServer((request, response) => {
    if (!isOwn(request)) response.writeHead(404).end()
    else if (request.method === 'GET' && request.url === '/events') follow(response)
    else if (request.method === 'POST' && request.url === '/said')
      void take(request, response, (said) => publish('said', said))
    else if (request.method === 'GET' && request.url === '/') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY })
      response.end(page)
    } else response.writeHead(404).end()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE' ? new SottoError('E_PORT_TAKEN', `another program listens on port ${port}`) : cause,
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    seen: (seen) => publish('seen', seen),
    said: (said) => publish('said', said),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/**
 * Asked for by a name of this machine, and by no other website's page: one that rebinds its own name to us would read along,
 * and one that posts here would put words into somebody's mouth.
 */
function isOwn({ headers, socket }: IncomingMessage): boolean {
  const own = [`localhost:${socket.localPort}`, `127.0.0.1:${socket.localPort}`]
  const { host = '', origin } = headers
  return own.includes(host) && (origin === undefined || own.includes(origin.replace(/^http:\/\//, '')))
}

async function take(request: IncomingMessage, response: ServerResponse, publish: (said: Said) => void): Promise<void> {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > REPORT_MAX) return void request.destroy()
  }
  try {
    const { at, who, text: words } = JSON.parse(text) as Partial<Said>
    publish({ at: Number(at), who: String(who), text: String(words) })
    response.writeHead(204).end()
  } catch {
    response.writeHead(400).end()
  }
}
