/** An HTTP proxy's tunnel: CONNECT, RFC 9110 section 9.3.6, with Basic credentials, RFC 7617. */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SottoError } from '#protocol/errors.ts'
import { DialLimits } from '../limits.ts'
import { pathError } from './path-error.ts'
import type { PassOn } from './proxy.ts'
import { proxyError } from './proxy-error.ts'

/**
 * The same socket, leading to the place behind the proxy. Closed where that fails.
 * @throws SottoError E_PROXY_*; E_PATH_REFUSED where the proxy did not get there
 */
export function connectThrough(socket: Duplex, passOn: PassOn): Promise<Duplex> {
  const { proxy, host, port, timeoutMs } = passOn
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`
  const request = httpRequest({
    method: 'CONNECT',
    path: authority,
    headers: ['Host', authority, 'Proxy-Connection', 'keep-alive', ...authorization(passOn)],
    // And no agent, not even `false`: it would open a connection of its own.
    createConnection: () => socket,
    maxHeaderSize: DialLimits.proxyHeadBytes,
  })
  const fail = (error: SottoError): void => {
    clearTimeout(timer)
    socket.destroy()
    reject(error)
  }
  const timer = setTimeout(() => fail(proxyError('E_PROXY_UNREACHABLE', proxy, 'it does not answer')), timeoutMs)
  request.once('connect', (response, _, head) => {
    const refusal = refusalOf(response, passOn)
    if (refusal !== undefined) return fail(refusal)
    clearTimeout(timer)
    if (head.length > 0) socket.unshift(head)
    resolve(socket)
  })
  // What is no tunnel is no answer to CONNECT.
  request.once('response', () => fail(proxyError('E_PROXY_REFUSED', proxy, 'it answers as no proxy does')))
  request.on('error', (cause) => fail(failureOf(cause, passOn)))
  request.end()
  return promise
}

function authorization({ proxy: { credentials } }: PassOn): string[] {
  if (credentials === undefined) return []
  const pair = Buffer.from(`${credentials.user}:${credentials.password}`, 'utf8').toString('base64')
  return ['Proxy-Authorization', `Basic ${pair}`]
}

/** The proxy itself tried, and did not get there: RFC 9110 sections 15.6.3 to 15.6.5. */
const beyond: ReadonlySet<number> = new Set([502, 503, 504])

function refusalOf(response: IncomingMessage, { proxy, host }: PassOn): SottoError | undefined {
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return undefined
  // 407 it should be; Tinyproxy says 401 to credentials that are wrong.
  if (status === 407 || status === 401)
    return proxyError('E_PROXY_AUTH', proxy, wanted(response, proxy.credentials !== undefined))
  if (beyond.has(status)) return pathError('E_PATH_REFUSED', host, `the proxy says ${status}`)
  return proxyError('E_PROXY_REFUSED', proxy, `it answers ${status}`)
}

/** The parser's errors carry octets of the wire, so they are no cause to pass on. */
function failureOf(cause: Error, { proxy }: PassOn): SottoError {
  const isParser = 'code' in cause && String(cause.code).startsWith('HPE_')
  if (isParser) return proxyError('E_PROXY_REFUSED', proxy, 'it answers as no proxy does')
  return proxyError('E_PROXY_UNREACHABLE', proxy, 'it has cut the connection')
}

/** What it wants instead, where that is a word we know. */
function wanted({ headers }: IncomingMessage, hadCredentials: boolean): string | undefined {
  const challenge = headers['proxy-authenticate'] ?? ''
  const offers = (scheme: string): boolean => new RegExp(`(^|,\\s*)${scheme}\\b`, 'i').test(challenge)
  if (offers('basic')) return hadCredentials ? 'those that it got are wrong' : undefined
  const other = ['Negotiate', 'NTLM', 'Digest', 'Bearer'].find(offers)
  return other && `it wants them as ${other}, which Sotto does not speak`
}
