/** The reference: undici over TLS, bodies of 256 KiB, as many connections as the tunnel has. Commands by lines of JSON. */
import { createInterface } from 'node:readline'
import { Pool } from 'undici'

const BODY = Buffer.alloc(262_144, 9)
const [port, count, host = 'localhost'] = process.argv.slice(2)
const connections = Number(count)
const pool = new Pool(`https://${host}:${port}`, {
  connections,
  pipelining: 1,
  connect: { rejectUnauthorized: false },
})

async function one(direction: 'up' | 'down'): Promise<void> {
  const { body } = await pool.request({
    path: '/',
    method: direction === 'up' ? 'POST' : 'GET',
    body: direction === 'up' ? BODY : null,
  })
  await body.arrayBuffer()
}

/** Moves `octets` and returns MB/s. */
async function measure(direction: 'up' | 'down', octets: number): Promise<number> {
  let left = Math.ceil(octets / BODY.length)
  const total = left * BODY.length
  const began = performance.now()
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one(direction)
  }
  await Promise.all(Array.from({ length: connections }, worker))
  return total / (performance.now() - began) / 1000
}

for await (const line of createInterface({ input: process.stdin })) {
  const { direction, octets } = JSON.parse(line) as { direction: 'up' | 'down'; octets: number }
  console.log(JSON.stringify({ mbps: await measure(direction, octets) }))
}
await pool.close()
