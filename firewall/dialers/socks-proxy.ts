/** SOCKS5: RFC 1928, with names resolved by the proxy, and name and password, RFC 1929. */
import type { Duplex } from 'node:stream'
import { SocksClient } from 'socks'
import type { SottoError } from '#protocol/errors.ts'
import { pathError } from './path-error.ts'
import type { PassOn } from './proxy.ts'
import { proxyError } from './proxy-error.ts'

/**
 * The same socket, leading to the place behind the proxy. Closed where that fails.
 * @throws SottoError E_PROXY_*; E_PATH_REFUSED where the proxy did not get there
 */
export async function socksThrough(socket: Duplex, passOn: PassOn): Promise<Duplex> {
  const { proxy, host, port, timeoutMs } = passOn
  const { credentials } = proxy
  try {
    await SocksClient.createConnection({
      command: 'connect',
      destination: { host, port },
      existing_socket: socket,
      timeout: timeoutMs,
      proxy: {
        ...{ host: proxy.host, port: proxy.port, type: 5 },
        ...(credentials && { userId: credentials.user, password: credentials.password }),
      },
    })
    return socket
  } catch (cause) {
    socket.destroy()
    // Without the cause: the library's errors hold the password.
    throw failureOf(cause instanceof Error ? cause.message : '', passOn)
  }
}

/** RFC 1928 section 6: the proxy itself tried, and did not get there. */
const beyond = /NetworkUnreachable|HostUnreachable|ConnectionRefused|TTLExpired/
/** What the library says where credentials are wanted, wrong, or offered in vain. */
const login = /authentication failed|no accepted authentication/i

function failureOf(message: string, { proxy, host }: PassOn): SottoError {
  if (login.test(message)) return proxyError('E_PROXY_AUTH', proxy)
  if (beyond.test(message)) return pathError('E_PATH_REFUSED', host, 'the proxy does not get there')
  if (/timed out/i.test(message)) return proxyError('E_PROXY_UNREACHABLE', proxy, 'it does not answer')
  if (/closed/i.test(message)) return proxyError('E_PROXY_UNREACHABLE', proxy, 'it has cut the connection')
  return proxyError('E_PROXY_REFUSED', proxy, /rejected/.test(message) ? undefined : 'it answers as no proxy does')
}
