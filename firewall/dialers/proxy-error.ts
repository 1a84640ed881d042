/** What a proxy did, as one of the codes that people can act on. */
import type { ErrorCode } from '#protocol/errors.ts'
import { SottoError } from '#protocol/errors.ts'
import type { ProxyReach } from './dialer.ts'

export type ProxyCode = Extract<ErrorCode, `E_PROXY_${string}`>

const texts: Readonly<Record<ProxyCode, string>> = {
  E_PROXY_UNREACHABLE: 'cannot be reached',
  E_PROXY_AUTH: 'wants a name and password, or other ones',
  E_PROXY_REFUSED: 'does not let this through',
}

/** `detail` in plain words, nothing from the wire; never credentials, and no cause that could hold them. */
export function proxyError(
  code: ProxyCode,
  { host, port }: Pick<ProxyReach, 'host' | 'port'>,
  detail?: string,
  cause?: unknown,
): SottoError {
  const text = `The proxy at ${host}, port ${port}, ${texts[code]}`
  const kept = 'Nothing is sent around the proxy.'
  return new SottoError(code, detail === undefined ? `${text}.` : `${text}: ${detail}.`, { kept, cause })
}
