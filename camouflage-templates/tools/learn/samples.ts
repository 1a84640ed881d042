/** One recorded exchange as a sample beside the template: the same form and lengths, with every value masked. */
import type { Exchange, RecordedMessage } from './har.ts'
import { parseJson } from './json.ts'
import { isCredential } from './personal.ts'

/** Headers whose values are the application's or the browser's, not a person's. */
const plain =
  /^(accept.*|content-(type|length)|cache-control|pragma|vary|user-agent|sec-(ch|fetch)-.*|upgrade-insecure-requests|connection|priority)$/i

/** Letters and digits are replaced, so that lengths and form are those of the recording. */
export function mask(text: string): string {
  return text
    .replaceAll(/[A-Z]/g, 'X')
    .replaceAll(/[a-z]/g, 'x')
    .replaceAll(/[0-9]/g, '1')
    .replaceAll(/[^\x20-\x7e]/g, 'x')
}

/** Request and answer as `.http` files. */
export function samplesOf({ method, url, request, response }: Exchange): { request: string; response: string } {
  const path = url.pathname.replaceAll(/[^/]*\d[^/]*/g, mask)
  const query = url.search.replaceAll(/=([^&]*)/g, (_, value: string) => `=${mask(value)}`)
  return {
    request: httpText(`${method} ${path}${query} HTTP/1.1`, request),
    response: httpText(`HTTP/1.1 ${response.status} OK`, response),
  }
}

function httpText(start: string, message: RecordedMessage): string {
  const lines = message.headers.flatMap(([name, value]) => {
    if (isCredential(name)) return []
    return [`${name}: ${plain.test(name) ? value.replaceAll('Headless', '') : mask(value)}`]
  })
  return [start, ...lines, '', maskedBody(message)].join('\r\n')
}

function maskedBody({ body, length }: RecordedMessage): string {
  const value = body === undefined ? undefined : parseJson(body)
  if (value !== undefined) return JSON.stringify(maskValue(value))
  return length === 0 ? '' : `(${length} octets, not kept)`
}

function maskValue(value: unknown): unknown {
  if (typeof value === 'string') return mask(value)
  if (typeof value === 'number') return Number(String(value).replaceAll(/[0-9]/g, '1'))
  if (Array.isArray(value)) return value.map(maskValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, maskValue(each)]))
}
