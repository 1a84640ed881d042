/**
 * A website that an application serves whole: files, and answers in JSON where templates live. It reads a request's body
 * before it answers, as applications do; one that does not lets chance decide how much of it a web server in front has sent.
 *     application.ts PORT
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { openDecoy } from '#gateway/decoy/decoy.ts'

const [port = ''] = process.argv.slice(2)
const folder = fileURLToPath(new URL('../../gateway/decoy/sample-site', import.meta.url))
const { decoy } = await openDecoy({ kind: 'folder', folder }, (error) => {
  throw error
})

const places: readonly (readonly [path: RegExp, status: number, error: string])[] = [
  [/^\/api\/features\//, 400, 'unknown context'],
  [/^\/api\/support\//, 401, 'conversation_expired'],
  [/^\/photos\/(?:uploads|originals)$/, 403, 'link_expired'],
  [/^\/(?:api|files|live|rpc|graphql|socket\.io)(?:\/|$|\.)/, 404, 'not_found'],
]

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0
  for await (const chunk of request) length += (chunk as Buffer).length
  const path = request.url!.split('?')[0]!
  const place = places.find(([pattern]) => pattern.test(path))
  if (place === undefined) return await decoy(request, response, new Uint8Array(length))
  const [, status, error] = place
  const text = JSON.stringify({ error, length, method: request.method, query: request.url!.slice(path.length) })
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

// Somebody who leaves before he has said everything gets no answer.
// Connections are kept for longer than Caddy keeps them: one that ends as a request is on its way is a 502.
const server = createServer({ maxHeaderSize: 1_114_112, keepAliveTimeout: 600_000 }, (request, response) =>
  answer(request, response).catch(() => response.destroy()),
)
server.listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify({ ready: true })))
process.once('SIGTERM', () => process.exit())
// Whoever has started us is gone.
process.stdin.once('end', () => process.exit()).resume()
