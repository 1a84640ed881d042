/** The reference for latency: `ws` over TLS, passing every message on to the other client. Prints {port}. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { makeCertificate } from './certificate.ts'

const { certificate, key } = await makeCertificate()
const server = createServer({ cert: certificate, key })
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', (socket) => {
  socket.on('message', (data) => {
    for (const other of sockets.clients) if (other !== socket) other.send(data)
  })
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
