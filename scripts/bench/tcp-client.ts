/** The other end of tcp-server.ts. Commands by lines of JSON: {direction, octets}. */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const CHUNK = Buffer.alloc(262_144, 5)
const port = Number(process.argv[2])

function measure(direction: 'up' | 'down', octets: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const head = Buffer.alloc(9)
    head[0] = direction === 'up' ? 0x75 : 0x64
    head.writeBigUInt64BE(BigInt(octets), 1)
    let began = 0
    let got = 0
    const done = (): void => {
      resolve(octets / (performance.now() - began) / 1000)
      socket.destroy()
    }
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length
      if (direction === 'up' || got >= octets) done()
    })
    socket.on('connect', () => {
      began = performance.now()
      socket.write(head)
      let left = direction === 'up' ? octets : 0
      const pump = (): void => {
        while (left > 0) {
          const size = Math.min(left, CHUNK.length)
          left -= size
          if (!socket.write(CHUNK.subarray(0, size))) return void socket.once('drain', pump)
        }
      }
      pump()
    })
  })
}

for await (const line of createInterface({ input: process.stdin })) {
  const { direction, octets } = JSON.parse(line) as { direction: 'up' | 'down'; octets: number }
  console.log(JSON.stringify({ mbps: await measure(direction, octets) }))
}
