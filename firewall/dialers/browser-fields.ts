/** Header fields of one request as a browser writes them: where those of the dialer stand among the template's, in which case. */
import type { ExchangeRequest } from '../permit.ts'
import type { BrowserProfile } from './profile.ts'

type Field = readonly [string, string]

/** Written here, whatever the request says of them. */
const own: ReadonlySet<string> = new Set(['host', 'connection', 'content-length'])

/** In the order of the wire. `priority` is a field of HTTP/2 and of what follows it only. */
export function http1Fields(family: BrowserProfile['family'], authority: string, request: ExchangeRequest): Field[] {
  const rest = request.headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !own.has(lower) && (lower !== 'priority' || family === 'firefox')
  })
  const length = contentLength(request).map((value): Field => ['Content-Length', value])
  if (family === 'chromium') return [['Host', authority], ['Connection', 'keep-alive'], ...length, ...rest]
  const withLength = inserted(rest, length, 'content-type')
  return [['Host', authority], ...before(withLength, ['Connection', 'keep-alive'])]
}

/** Behind the pseudo-headers, in small letters. */
export function http2Fields(family: BrowserProfile['family'], request: ExchangeRequest): Field[] {
  const rest = request.headers.filter(([name]) => !own.has(name.toLowerCase()))
  const small = rest.map(([name, value]): Field => [name.toLowerCase(), value])
  const length = contentLength(request).map((value): Field => ['content-length', value])
  if (family === 'chromium') return [...length, ...small]
  return [...inserted(small, length, 'content-type'), ['te', 'trailers']]
}

/** Of a request that may have a body. */
function contentLength({ method, body }: ExchangeRequest): string[] {
  return method === 'POST' ? [String(body?.length ?? 0)] : []
}

/** Behind the field of that name, or in front where there is none. */
function inserted(fields: readonly Field[], more: readonly Field[], behind: string): Field[] {
  const at = fields.findIndex(([name]) => name.toLowerCase() === behind) + 1
  return [...fields.slice(0, at), ...more, ...fields.slice(at)]
}

/** Fields in front of which Firefox writes `Connection`; also the referer where it is the page that asks, not a script. */
const late: ReadonlySet<string> = new Set(['upgrade-insecure-requests', 'sec-fetch-dest'])

function before(fields: readonly Field[], field: Field): Field[] {
  const ofPage = fields.some(([name, value]) => name.toLowerCase() === 'sec-fetch-mode' && value === 'no-cors')
  const isLate = (name: string): boolean => late.has(name) || (ofPage && name === 'referer')
  const found = fields.findIndex(([name]) => isLate(name.toLowerCase()))
  const at = found < 0 ? fields.length : found
  return [...fields.slice(0, at), field, ...fields.slice(at)]
}
