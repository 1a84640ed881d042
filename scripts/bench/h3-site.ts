/** The reference for the decoy: the same site and the same h3 application, with no recognition in front. Prints {port}. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { openDecoy } from '#gateway/decoy/decoy.ts'
import { application } from '#gateway/server.ts'

const folder = new URL('../../gateway/decoy/sample-site', import.meta.url).pathname
const { decoy } = await openDecoy({ kind: 'folder', folder }, (error) => {
  throw error
})
const server = createServer(
  { keepAliveTimeout: 75_000 },
  application((request, response) => decoy(request, response)),
)
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage()
  console.log(JSON.stringify({ us: user + system }))
}
