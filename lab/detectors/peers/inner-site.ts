/** The site that is reached through a peer: TLS with a chain as long as those of real sites, pages of a few kilobytes. */
import { createServer } from 'node:https'
import { createInterface } from 'node:readline'
import { generate } from 'selfsigned'

const [port = ''] = process.argv.slice(2)
const altNames = Array.from(
  { length: 40 },
  (_, i) => ({ type: 2, value: `host-${i}.some-large-network.example` }) as const,
)
const common = { keyType: 'rsa', keySize: 2048, algorithm: 'sha256' } as const
const authority = await generate([{ name: 'commonName', value: 'Authority' }], {
  ...common,
  extensions: [{ name: 'basicConstraints', cA: true }],
})
const made = await generate([{ name: 'commonName', value: 'inner.example' }], {
  ...common,
  extensions: [{ name: 'subjectAltName', altNames }],
  ca: { key: authority.private, cert: authority.cert },
})
const server = createServer(
  { cert: `${made.cert.trim()}\n${authority.cert.trim()}\n`, key: made.private },
  (request, response) => {
    request.resume()
    response.end(Buffer.alloc(500 + Math.floor(Math.random() * 20_000)))
  },
)
await new Promise<void>((resolve) => server.listen(Number(port), '0.0.0.0', resolve))
console.log(JSON.stringify({ ready: true }))
for await (const _ of createInterface({ input: process.stdin }));
process.exit()
