/** Which requests may go to an endpoint that may be dialed. Pure; judged in the broker, whatever the core checked. */
import { DialLimits } from './limits.ts'
import type { ExchangeOptions, ExchangeRequest } from './permit.ts'
import type { Refusal } from './policy.ts'
import { authority } from './policy.ts'

/** RFC 9112 section 3.2.1, origin form: a path, never another host, and no fragment. Visible ASCII, so nothing can end the line. */
export const target: RegExp = /^\/[\x21\x22\x24-\x7e]*$/
/** RFC 9110 section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** RFC 9110 section 5.5 without obsolete octets; no CR, LF or NUL. */
const fieldValue = /^[\t\x20-\x7e]*$/
const connectionName = /^[\w.-]{1,32}$/

/** Fields that belong to the connection or to the framing: the dialer's. A wrong one would smuggle a second request. */
const dialerFields: ReadonlySet<string> = new Set([
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** undefined: allowed. `signal` is not looked at. */
export function decideRequest(
  endpoint: { readonly host: string; readonly port: number },
  request: ExchangeRequest,
  options: ExchangeOptions,
): Refusal | undefined {
  if (request.method !== 'GET' && request.method !== 'POST') return 'bad-method'
  if (request.target.length > DialLimits.targetBytes || !target.test(request.target)) return 'bad-target'
  if (request.method === 'GET' && request.body !== undefined) return 'bad-method'
  if ((request.body?.length ?? 0) > DialLimits.requestBytes) return 'bad-length'
  if (!(options.timeoutMs >= 1 && options.timeoutMs <= DialLimits.timeoutMs)) return 'bad-timeout'
  if (options.connection !== undefined && !connectionName.test(options.connection)) return 'bad-connection'
  // How many there really are is bounded where they are made.
  const { connections = 1 } = options
  if (!Number.isInteger(connections) || connections < 1) return 'bad-connection'
  return decideHeaders(endpoint, request)
}

export function decideHeaders(
  endpoint: { readonly host: string; readonly port: number },
  request: Pick<ExchangeRequest, 'headers' | 'body'>,
): Refusal | undefined {
  if (request.headers.length > DialLimits.headers) return 'bad-header'
  const names = new Set<string>()
  let octets = 0
  for (const [name, value] of request.headers) {
    octets += name.length + value.length
    if (octets > DialLimits.headerBytes || !token.test(name) || !fieldValue.test(value)) return 'bad-header'
    const lower = name.toLowerCase()
    const refusal = decideField(lower, value, endpoint, request)
    if (refusal !== undefined) return refusal
    if (once.has(lower) && names.has(lower)) return 'bad-header'
    names.add(lower)
  }
  return undefined
}

const once: ReadonlySet<string> = new Set(['host', 'content-length', 'connection'])

function decideField(
  name: string,
  value: string,
  endpoint: { readonly host: string; readonly port: number },
  request: Pick<ExchangeRequest, 'body'>,
): Refusal | undefined {
  if (dialerFields.has(name)) return 'bad-header'
  if (name === 'host') return value.toLowerCase() === authority(endpoint) ? undefined : 'other-host'
  if (name === 'connection') return value.toLowerCase() === 'keep-alive' ? undefined : 'bad-header'
  if (name === 'content-length') return value === String(request.body?.length ?? 0) ? undefined : 'bad-length'
  return undefined
}
