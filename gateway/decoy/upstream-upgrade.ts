/** A visitor's WebSocket with the site's own application: asked for on the visitor's behalf, then octets as they come. */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { fromLatin1 } from '#protocol/bytes.ts'
import { rawPage } from './answer.ts'
import type { Upgrades } from './decoy.ts'
import { requestHeaders, withoutHopByHop } from './hop-by-hop.ts'
import { originForm } from './target.ts'

export interface UpgradeLimits {
  /** WebSockets with the site at once. Attack: sockets kept open for nothing; further ones are told «unavailable». An ordinary application's share. */
  readonly sockets: number
  /** Until the site has answered, milliseconds. An ordinary proxy's patience. */
  readonly answerMs: number
  /** Silence both ways after which a socket is ended, milliseconds. Attack: as above. Servers ping within a minute. */
  readonly idleMs: number
}

export const UpgradeLimits: UpgradeLimits = Object.freeze({ sockets: 256, answerMs: 60_000, idleMs: 300_000 })

export function upstreamUpgrades(
  origin: string,
  onFault: (error: unknown) => void,
  limits: UpgradeLimits = UpgradeLimits,
): Upgrades & { close(): void } {
  const open = new Set<Duplex>()
  return {
    wanted: isAsked,
    handle: (request, socket, head) => {
      socket.on('error', () => {})
      if (open.size >= limits.sockets) return void socket.end(rawPage(503))
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      const asked = ask(origin, request)
      const timer = setTimeout(() => asked.destroy(new Error('the site does not answer')), limits.answerMs)
      socket.once('close', () => asked.destroy())
      asked.once('close', () => clearTimeout(timer))
      asked.once('upgrade', (answer, far, farHead) => {
        clearTimeout(timer)
        socket.write(headOf(answer, ['Upgrade', answer.headers.upgrade ?? 'websocket', 'Connection', 'upgrade']))
        join(socket, head, far, farHead, limits.idleMs)
      })
      asked.once('response', (answer) => {
        clearTimeout(timer)
        socket.write(headOf(answer, ['Connection', 'close']))
        answer.pipe(socket)
      })
      asked.once('error', (error) => {
        if (socket.destroyed) return
        onFault(error)
        socket.end(rawPage(502))
      })
      asked.end()
    },
    close: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

/** As RFC 6455 section 4.1 has it: GET, without a body. Anything else is a request like any other, body and all. */
function isAsked({ method, headers, url }: IncomingMessage): boolean {
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return (
    method === 'GET' && !hasBody && headers.upgrade?.toLowerCase() === 'websocket' && originForm(url!) !== undefined
  )
}

function ask(origin: string, request: IncomingMessage): ClientRequest {
  const { protocol, hostname, port } = new URL(origin)
  const headers = [...requestHeaders(request), 'Upgrade', 'websocket', 'Connection', 'upgrade']
  const make = protocol === 'https:' ? httpsRequest : httpRequest
  const place = { hostname: hostname.replace(/^\[|\]$/g, ''), ...(port === '' ? {} : { port }) }
  // Never of a pool: it becomes the visitor's own.
  return make({ ...place, method: request.method!, path: originForm(request.url!)!, headers, agent: false })
}

function headOf(answer: IncomingMessage, connection: readonly string[]): Uint8Array {
  const fields = [...withoutHopByHop(answer.rawHeaders, answer.headers.connection), ...connection]
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`]
  for (let at = 0; at + 1 < fields.length; at += 2) lines.push(`${fields[at]}: ${fields[at + 1]}`)
  return fromLatin1(`${lines.join('\r\n')}\r\n\r\n`)
}

function join(near: Duplex, head: Buffer, far: Duplex, farHead: Buffer, idleMs: number): void {
  const end = (): void => {
    near.destroy()
    far.destroy()
  }
  let timer = setTimeout(end, idleMs)
  for (const [from, to, first] of [[near, far, head] as const, [far, near, farHead] as const]) {
    if (first.length > 0) to.write(first)
    from.on('data', () => {
      clearTimeout(timer)
      timer = setTimeout(end, idleMs)
    })
    from.pipe(to)
    from.once('error', end)
    from.once('close', () => {
      clearTimeout(timer)
      end()
    })
  }
}
