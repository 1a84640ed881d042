/** The built-in templates claim an app on Node's own fetch: here that fetch makes the same requests, and they look the same. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { compileBuiltins } from '../builtin.ts'
import { requestOf } from '../test-support.ts'

/** Set by fetch itself, in this order, behind what the app sets. */
const ownOfFetch = new Set(['accept-language', 'sec-fetch-mode', 'user-agent'])

let server: Server
let base: string
let seen: readonly string[] = []
test.before(async () => {
  server = createServer((request, response) => {
    seen = request.rawHeaders
    request.resume()
    request.on('end', () => response.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
test.after.always(() => {
  server.closeAllConnections()
  server.close()
})

for (const template of compileBuiltins('node')) {
  test.serial(`${template.id}: headers, their order and their values are those of fetch`, async (t) => {
    for (const shape of template.shapes) {
      const { method, target, headers, body } = requestOf(shape, shape.up.classes[0]!, 3)
      // What fetch would send without being told is left for it to say, but for what the app means: its own accept.
      const set = headers.filter(([name, value]) => {
        return !ownOfFetch.has(name) && (name !== 'accept' || value !== '*/*') && !/^(pragma|cache-control)$/.test(name)
      })
      const cache = headers.some(([name]) => name === 'pragma') ? 'no-store' : 'default'
      const init = {
        method,
        headers: set as [string, string][],
        cache,
        ...(body && { body: Buffer.from(body) }),
      } as const
      await (await fetch(base + target, init)).arrayBuffer()
      const pairs = seen.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), seen[at + 1]!] as const] : []))
      const added = /^(host|connection|content-length)$/
      t.deepEqual(
        pairs.filter(([name]) => !added.test(name)),
        headers.map(([name, value]) => [name.toLowerCase(), value] as const),
        shape.name,
      )
      const around = pairs.map(([name]) => name).filter((name) => added.test(name))
      t.deepEqual(around, body === undefined ? ['host', 'connection'] : ['host', 'connection', 'content-length'])
    }
  })
}
