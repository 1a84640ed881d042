/** A TCP relay that delays every octet: a path with a round-trip time. Prints {port}. relay.ts PORT TARGET ONE-WAY-MS */

import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

const [port, target, delay] = process.argv.slice(2).map(Number)

/** Passes on in order, each chunk `delay` milliseconds after it came. */
function pass(from: Socket, to: Socket): void {
  from.on('data', (chunk) => setTimeout(() => to.write(chunk), delay))
  from.on('end', () => setTimeout(() => to.end(), delay))
  from.on('error', () => to.destroy())
  from.on('close', () => setTimeout(() => to.destroy(), delay))
}

const server = createServer({ noDelay: true }, (client) => {
  const onward = connect({ port: target!, host: '127.0.0.1', noDelay: true })
  pass(client, onward)
  pass(onward, client)
})
server.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
