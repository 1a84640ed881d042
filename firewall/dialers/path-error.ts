/** What went wrong on the way, as one of the codes that people and the carrier can act on. */

import type { ErrorCode } from '#protocol/errors.ts'
import { SottoError } from '#protocol/errors.ts'

/** All but E_PATH_BUSY, which is the carrier's: an answer came, and says «not now». */
export type PathCode = Exclude<Extract<ErrorCode, `E_PATH_${string}`>, 'E_PATH_BUSY'>

const texts: Readonly<Record<PathCode, string>> = {
  E_PATH_DNS: 'has no address that can be found',
  E_PATH_REFUSED: 'takes no connection',
  E_PATH_RESET: 'was cut off',
  E_PATH_HELLO: 'was cut off as soon as TLS had named it',
  E_PATH_TIMEOUT: 'did not answer in time',
  E_PATH_TLS: 'shows a certificate that is not the right one',
  E_PATH_ANSWER: 'answered with what cannot be used',
  E_PATH_CLOSED: 'was left: the exchange was given up',
}

/** `name` is the endpoint's own, as people know it. `detail` in plain words, nothing from the wire. */
export function pathError(code: PathCode, name: string, detail?: string, cause?: unknown): SottoError {
  const text = detail === undefined ? `${name} ${texts[code]}.` : `${name} ${texts[code]}: ${detail}.`
  return new SottoError(code, text, { cause })
}

/** From whatever Node, OpenSSL or undici threw. */
export function toPathError(cause: unknown, name: string): SottoError {
  if (cause instanceof SottoError) return cause
  return pathError(pathCode(cause), name, undefined, cause)
}

const codes: ReadonlyMap<string, PathCode> = new Map<string, PathCode>([
  ...['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME', 'EREFUSED'].map(
    (code) => [code, 'E_PATH_DNS'] as const,
  ),
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES', 'EPERM', 'ENETDOWN'].map(
    (code) => [code, 'E_PATH_REFUSED'] as const,
  ),
  ...['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'].map(
    (code) => [code, 'E_PATH_TIMEOUT'] as const,
  ),
  ...['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_EXCEEDED_MAX_SIZE'].map((code) => [code, 'E_PATH_ANSWER'] as const),
  ...['UND_ERR_ABORTED', 'UND_ERR_DESTROYED', 'UND_ERR_CLOSED'].map((code) => [code, 'E_PATH_CLOSED'] as const),
])

/** OpenSSL's and Node's names for what is wrong with a certificate or a record. */
const tls = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO$)/

/** Node's names for what is no HTTP/1.1 and no HTTP/2. */
const http = /^(HPE_(?!INVALID_EOF_STATE)|ERR_HTTP2_ERROR$)/

function pathCode(cause: unknown): PathCode {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const known = codes.get(code)
  if (known !== undefined) return known
  if (tls.test(code)) return 'E_PATH_TLS'
  if (http.test(code)) return 'E_PATH_ANSWER'
  return cause instanceof Error && cause.name === 'HTTPParserError' ? 'E_PATH_ANSWER' : 'E_PATH_RESET'
}
