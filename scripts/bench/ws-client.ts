/** A client of ws-server.ts: answers what comes, or measures round trips. Commands by lines of JSON. */
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'

const socket = new WebSocket(`wss://localhost:${process.argv[2]}`, {
  rejectUnauthorized: false,
  perMessageDeflate: false,
})
await new Promise((resolve) => socket.once('open', resolve))
console.log(JSON.stringify({ ready: true }))

async function ping(octets: number, times: number): Promise<number[]> {
  const ms: number[] = []
  for (let i = 0; i < times; i++) {
    const began = performance.now()
    const back = new Promise((resolve) => socket.once('message', resolve))
    socket.send(new Uint8Array(octets))
    await back
    ms.push(performance.now() - began)
  }
  return ms
}

for await (const line of createInterface({ input: process.stdin })) {
  const { run, octets, times } = JSON.parse(line) as { run: 'answer' | 'ping'; octets: number; times: number }
  if (run === 'ping') console.log(JSON.stringify({ ms: await ping(octets, times) }))
  else {
    socket.on('message', () => socket.send(new Uint8Array(octets)))
    console.log(JSON.stringify({ ok: true }))
  }
}
socket.close()
