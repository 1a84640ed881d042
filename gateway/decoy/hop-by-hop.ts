/** Header fields of one connection, and those of the message that a proxy passes on. */
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'

/** Of one connection, not of the message (RFC 9110 section 7.6.1); `expect` was answered by our own server already. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Names of the headers that `connection` declares to be of this connection only. */
function namedByConnection(value: string | undefined): ReadonlySet<string> {
  return new Set((value ?? '').split(',').map((name) => name.trim().toLowerCase()))
}

/** Name, value, name, value; `connection`: the value of that field. */
export function withoutHopByHop(pairs: readonly string[], connection: string | undefined): string[] {
  const named = namedByConnection(connection)
  const kept: string[] = []
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const name = pairs[at]!.toLowerCase()
    if (!hopByHop.has(name) && !named.has(name)) kept.push(pairs[at]!, pairs[at + 1]!)
  }
  return kept
}

export const isSecure = ({ socket }: IncomingMessage): boolean => (socket as Partial<TLSSocket>).encrypted === true

/** The visitor's, with where the visitor came from. */
export function requestHeaders(request: IncomingMessage): string[] {
  const headers = withoutHopByHop(request.rawHeaders, request.headers.connection)
  const { remoteAddress } = request.socket
  // Over a unix socket there is no address: the server in front has said all there is.
  if (remoteAddress !== undefined) headers.push('X-Forwarded-For', remoteAddress)
  if (request.headers['x-forwarded-proto'] === undefined)
    headers.push('X-Forwarded-Proto', isSecure(request) ? 'https' : 'http')
  return headers
}
