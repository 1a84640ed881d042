/** What Chromium says went wrong (net/base/net_error_list.h), as our codes. */
import type { SottoError } from '#protocol/errors.ts'
import type { PathCode } from '../path-error.ts'
import { pathError } from '../path-error.ts'

const codes: readonly (readonly [RegExp, PathCode])[] = [
  [/ERR_(CERT_|SSL_|BAD_SSL|QUIC_|ECH_)/, 'E_PATH_TLS'],
  [/ERR_(TIMED_OUT|CONNECTION_TIMED_OUT)/, 'E_PATH_TIMEOUT'],
  [/ERR_(TUNNEL_CONNECTION_FAILED|CONNECTION_REFUSED|ADDRESS_UNREACHABLE)/, 'E_PATH_REFUSED'],
  [/ERR_(INVALID_HTTP_RESPONSE|RESPONSE_HEADERS_|HTTP2_|INVALID_CHUNKED|CONTENT_|INCOMPLETE_HTTP2)/, 'E_PATH_ANSWER'],
]

/** `text` such as `net::ERR_CONNECTION_RESET`. */
export function netError(text: string, name: string): SottoError {
  const code = codes.find(([pattern]) => pattern.test(text))?.[1] ?? 'E_PATH_RESET'
  return pathError(code, name, undefined, new Error(text))
}
