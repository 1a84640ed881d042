import type { IncomingMessage } from 'node:http'

/**
 * `name` in small letters; several fields of one name as one value. Looked for in the fields as they came: Node sorts all of
 * them for whoever asks for one, which a stranger's request need not cost.
 */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const { rawHeaders } = request
  let found: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i]!
    if (given.length !== name.length || given.toLowerCase() !== name) continue
    if (found !== undefined) return joined(request, name)
    found = rawHeaders[i + 1]!
  }
  return found
}

/** As Node joins them. */
function joined(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
