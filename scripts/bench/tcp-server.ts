/** Plain TCP behind the v2ray tunnel: `u` + length takes octets and answers one, `d` + length gives octets. */

import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'

const CHUNK = Buffer.alloc(262_144, 5)

function give(socket: Socket, left: number): void {
  while (left > 0) {
    const size = Math.min(left, CHUNK.length)
    left -= size
    if (!socket.write(CHUNK.subarray(0, size)) && left > 0) {
      socket.once('drain', () => give(socket, left))
      return
    }
  }
}

const server = createServer((socket) => {
  let head = Buffer.alloc(0)
  let left = -1
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    if (left < 0) {
      head = Buffer.concat([head, chunk])
      if (head.length < 9) return
      left = Number(head.readBigUInt64BE(1))
      if (head[0] === 0x64) return give(socket, left)
      left -= head.length - 9
    } else left -= chunk.length
    if (left === 0) socket.write('k')
  })
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
