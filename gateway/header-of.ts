import type { IncomingMessage } from 'node:http'

/** `name` in small letters; several fields of one name as one value. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
