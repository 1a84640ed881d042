/** What the broker sees of one exchange, as the meter wants it. */

import type { ExchangeFacts } from './meter.ts'
import type { ExchangeRequest, ExchangeResponse } from './permit.ts'

/** Octets of line ends and separators for each header field, and of what stands before them. */
const FIELD = 4
const LINE = 16

function headerOctets(headers: readonly (readonly [string, string])[]): number {
  let octets = LINE
  for (const [name, value] of headers) octets += name.length + value.length + FIELD
  return octets
}

export function octetsOf(request: ExchangeRequest): number {
  return request.target.length + headerOctets(request.headers) + (request.body?.length ?? 0)
}

export function factsOf(host: string, request: ExchangeRequest, response: ExchangeResponse): ExchangeFacts {
  const { status, headers, body, bodyMs = 0 } = response
  const header = headerOctets(headers)
  let location: string | undefined
  let date: string | undefined
  let isStored = false
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (lower === 'location') location ??= value
    else if (lower === 'date') date ??= value
    // What a cache kept has the time of another hour.
    else if (lower === 'age') isStored = true
  }
  const time = date === undefined || isStored ? Number.NaN : Date.parse(date)
  return {
    up: octetsOf(request),
    down: header + body.length,
    header,
    leadsAway: status >= 300 && status < 400 && isElsewhere(location, host),
    bodyMs,
    date: Number.isNaN(time) ? undefined : time,
  }
}

/** True for another site; `www.` and other parts of the same one do not count. */
function isElsewhere(location: string | undefined, host: string): boolean {
  if (location === undefined || !URL.canParse(location, `https://${host}`)) return false
  const { hostname } = new URL(location, `https://${host}`)
  return hostname !== host && !hostname.endsWith(`.${host}`) && !host.endsWith(`.${hostname}`)
}
