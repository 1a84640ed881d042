/** Requests exactly as given, and answers exactly as they came, over a connection of their own. */
import { request as httpRequest } from 'node:http'
import type { HttpRequest } from '#engine/template.ts'

export interface RawAnswer {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
  header(name: string): string | undefined
}

export function ask(port: number, { method, target, headers, body }: HttpRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const raw = ['host', `localhost:${port}`, ...headers.flat()]
    if (body !== undefined) raw.push('content-length', String(body.length))
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path: target,
      headers: raw,
      setHost: false,
      agent: false,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { rawHeaders } = response
        resolve({
          status: response.statusCode!,
          headers: Array.from(
            { length: rawHeaders.length / 2 },
            (_, i) => [rawHeaders[2 * i]!, rawHeaders[2 * i + 1]!] as const,
          ),
          body: new Uint8Array(Buffer.concat(chunks)),
          header: (name) => {
            const value = response.headers[name]
            return Array.isArray(value) ? value.join(', ') : value
          },
        })
      })
    })
    request.end(body)
  })
}

/** What a prober compares: everything but the clock. */
export function comparable({ status, headers, body }: RawAnswer): unknown {
  return {
    status,
    headers: headers.filter(([name]) => name.toLowerCase() !== 'date'),
    body: Buffer.from(body).toString('base64'),
  }
}
