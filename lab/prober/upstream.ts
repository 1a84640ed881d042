/**
 * What stands behind the web server without being a gateway: the site's own application, or the gateway's server with
 * recognition left out. Listens on a unix socket or over TLS and prints {ready}.
 *     upstream.ts SOCKET|PORT site|@LOCATION|ORIGIN [microseconds of delay] [certificate key]
 */
import { fileURLToPath } from 'node:url'
import type { DecoyChoice } from '#gateway/config.ts'
import { openDecoy } from '#gateway/decoy/decoy.ts'
import type { Handler } from '#gateway/server.ts'
import { startServer } from '#gateway/server.ts'

const [place = '', kind = 'site', delay = '0', certificate = '', key = ''] = process.argv.slice(2)
const folder = fileURLToPath(new URL('../../gateway/decoy/sample-site', import.meta.url))
const choice: DecoyChoice =
  kind === 'site'
    ? { kind: 'folder', folder }
    : kind.startsWith('@')
      ? { kind: 'accel', location: kind }
      : { kind: 'upstream', url: kind }
const { decoy, refusal } = await openDecoy(choice, (error) => {
  throw error
})

/** The positive control of a timing test: a server that works longer, and does nothing else differently. */
function work(microseconds: number): void {
  const end = process.hrtime.bigint() + BigInt(microseconds) * 1000n
  while (process.hrtime.bigint() < end);
}

const listen = place.startsWith('/')
  ? ({ kind: 'unix', path: place } as const)
  : ({ kind: 'https', host: '127.0.0.1', port: Number(place), certificate, key } as const)
const handle: Handler = async (request, response) => {
  work(Number(delay))
  await decoy(request, response)
}
const server = await startServer(listen, handle, { refusal })
const stop = (): void => void server.close(0).then(() => process.exit())
process.once('SIGTERM', stop)
// Whoever has started us is gone.
process.stdin.once('end', stop).resume()
console.log(JSON.stringify({ ready: true }))
