/** The reference: node:https that collects request bodies whole, or answers with bodies of 256 KiB. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { makeCertificate } from './certificate.ts'

const BODY = Buffer.alloc(262_144, 7)
const { certificate, key } = await makeCertificate()
const server = createServer({ cert: certificate, key, keepAliveTimeout: 75_000 }, (request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    response.writeHead(200, ['content-type', 'application/octet-stream'])
    response.end(request.method === 'GET' ? BODY : String(body.length))
  })
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
