/** Which requests a page can make, and what the page has to say for them. Pure. Fetch standard, section 2.2.2. */
import type { ExchangeRequest } from '../../permit.ts'
import { authority } from '../../policy.ts'
import type { DialTarget } from '../dialer.ts'
import type { PageRequest } from './page-script.ts'

/** The browser writes them itself, as that browser does: what a template says of them is what it hopes for. */
const ofBrowser =
  /^(host|connection|content-length|user-agent|accept-encoding|accept-language|origin|sec-fetch-.*|sec-ch-ua.*|priority|dnt)$/
/** Forbidden to pages, and written by browsers on other occasions only. */
const beyondPages =
  /^(accept-charset|access-control-request-.*|cookie2?|date|expect|keep-alive|te|trailer|transfer-encoding|upgrade|via|proxy-.*|sec-.*)$/

/** undefined: no page can send it. */
export function pageRequest(request: ExchangeRequest, target: DialTarget): PageRequest | undefined {
  const fields = request.headers.map(([name, value]) => ({ name, value, lower: name.toLowerCase() }))
  const own = fields.filter(({ lower }) => !ofBrowser.test(lower))
  if (own.some(({ lower }) => beyondPages.test(lower))) return undefined
  // Browsers say where they come from with what is sent, and never with what is asked for at home.
  if (request.method === 'GET' && fields.some(({ lower }) => lower === 'origin')) return undefined
  const referers = own.filter(({ lower }) => lower === 'referer')
  const origin = `https://${authority(target)}`
  if (referers.length > 1 || referers.some(({ value }) => !value.startsWith(`${origin}/`))) return undefined
  // What a page would spell otherwise, and `//elsewhere`, which to a page is another site.
  const url = `${origin}${request.target}`
  if (!URL.canParse(url) || new URL(url).href !== url) return undefined
  return {
    method: request.method,
    url,
    headers: own.filter(({ lower }) => lower !== 'referer').map(({ name, value }) => [name, value]),
    body: request.body === undefined ? null : Buffer.from(request.body).toString('base64'),
    referrer: referers[0]?.value ?? null,
  }
}
