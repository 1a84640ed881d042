/** Which WebSockets may be asked for. Pure; judged in the broker, whatever the core checked. */
import { DialLimits } from './limits.ts'
import type { SocketOptions, SocketRequest } from './message-socket.ts'
import type { Refusal } from './policy.ts'
import { decideHeaders, target } from './request.ts'

/** The handshake's, which the dialer writes: RFC 6455 section 4.1. */
const handshake = /^(connection|host|content-length|upgrade|origin|sec-websocket-.*)$/i

/** undefined: allowed. `signal` is not looked at. */
export function decideSocket(
  endpoint: { readonly host: string; readonly port: number },
  request: SocketRequest,
  options: SocketOptions,
): Refusal | undefined {
  if (request.target.length > DialLimits.targetBytes || !target.test(request.target)) return 'bad-target'
  if (!(options.timeoutMs >= 1 && options.timeoutMs <= DialLimits.timeoutMs)) return 'bad-timeout'
  if (request.headers.some(([name]) => handshake.test(name))) return 'bad-header'
  return decideHeaders(endpoint, { headers: request.headers, body: undefined })
}
