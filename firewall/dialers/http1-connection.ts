/** HTTP/1.1 on one connection, with every header field where and how a browser writes it. One request at a time. */
import type { ClientRequest } from 'node:http'
import { Agent, request as httpRequest } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { DialLimits } from '../limits.ts'
import type { ExchangeRequest } from '../permit.ts'
import { authority } from '../policy.ts'
import type { Answer } from './answer.ts'
import type { Protocol } from './browser-client.ts'
import { http1Fields } from './browser-fields.ts'
import type { DialTarget } from './dialer.ts'
import type { HttpClientEvents } from './http-client.ts'
import type { BrowserProfile } from './profile.ts'

export class Http1Connection implements Protocol {
  private readonly profile: BrowserProfile
  private readonly authority: string
  private readonly socket: TLSSocket
  private readonly agent: Agent

  constructor(profile: BrowserProfile, target: DialTarget, socket: TLSSocket, { gone }: HttpClientEvents) {
    this.profile = profile
    this.authority = authority(target)
    this.socket = socket
    this.agent = new OneSocket(socket)
    // Not before the request that was under way has been told of it.
    socket.once('close', () => setImmediate(gone))
    socket.on('error', () => {})
  }

  get capacity(): number {
    return this.socket.destroyed ? 0 : 1
  }

  request(request: ExchangeRequest, answer: Answer): void {
    const { method, target, body } = request
    const fields = http1Fields(this.profile.family, this.authority, request)
    const outgoing = httpRequest({
      ...{ agent: this.agent, method, path: target, headers: fields.flat(), setHost: false },
      maxHeaderSize: DialLimits.responseHeaderBytes,
    })
    answer.start(() => outgoing.destroy())
    relay(outgoing, answer)
    outgoing.end(body)
  }

  destroy(): void {
    this.agent.destroy()
    this.socket.destroy()
  }
}

/** Tells the answer of everything, and once. */
function relay(outgoing: ClientRequest, answer: Answer): void {
  let over = false
  const fail = (error?: unknown): void => {
    if (over) return
    over = true
    answer.error(error ?? new Error('the connection was closed'))
  }
  outgoing.on('error', fail)
  outgoing.on('close', () => fail())
  outgoing.on('response', (response) => {
    const { rawHeaders } = response
    answer.head(
      response.statusCode!,
      rawHeaders.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name, rawHeaders[at + 1]!]] : [])),
    )
    response.on('data', (chunk: Buffer) => answer.data(chunk))
    response.on('error', fail)
    response.on('end', () => {
      if (over || !response.complete) return
      over = true
      // The agent takes the socket back first.
      setImmediate(() => answer.end())
    })
  })
}

/** Gives the one connection to each request in turn. */
class OneSocket extends Agent {
  private readonly socket: TLSSocket

  constructor(socket: TLSSocket) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 })
    this.socket = socket
  }

  override createConnection(): TLSSocket {
    return this.socket
  }
}
