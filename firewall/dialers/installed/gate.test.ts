/** The browser's only way out, asked by hand. */
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { setImmediate as settled } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { makeCertificates, startSite } from '../../fixtures/site.ts'
import { BrowserLimits } from '../../limits.ts'
import type { Route } from '../route.ts'
import { systemRoute } from '../route.ts'
import { Gate } from './gate.ts'
import { systemMachine } from './machine.ts'

const HOST = 'gateway.test'

async function opened(t: ExecutionContext) {
  const certificates = await makeCertificates(HOST)
  const site = await startSite(certificates, (_, response) => void response.end('fine'))
  t.teardown(() => site.close())
  const place = { host: HOST, port: site.port, addresses: ['127.0.0.1'] }
  return { site, target: { id: 'e1', name: 'Test', ...place, certificate: certificates.pin } }
}

test('the gate: only with the secret, only to its place; all else is refused and counted', async (t) => {
  const { site, target } = await opened(t)
  let refused = 0
  const gate = await Gate.open({
    ...{
      target,
      route: systemRoute({ resolve: async () => [] }),
      machine: systemMachine,
      connectMs: 5_000,
      doubted: new Set(),
    },
    ...{ dialed: () => {}, refused: () => void refused++ },
  })
  t.teardown(() => gate.close())
  const ask = async (head: string): Promise<string> => {
    const socket = connect(gate.port, '127.0.0.1')
    socket.end(head)
    return (await socket.toArray()).map(String).join('').split('\r\n', 1)[0]!
  }
  const place = `${HOST}:${site.port}`
  const { username, password } = gate.credentials
  const pair = (text: string): string => `Proxy-Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`
  const right = pair(`${username}:${password}`)
  t.regex(await ask(`CONNECT ${place} HTTP/1.1\r\nHost: x\r\n\r\n`), / 407 /)
  t.regex(await ask(`CONNECT ${place} HTTP/1.1\r\nHost: x\r\n${pair(`${username}:guess`)}\r\n`), / 407 /)
  t.is(refused, 0)
  t.regex(await ask(`CONNECT elsewhere.test:443 HTTP/1.1\r\nHost: x\r\n${right}\r\n`), / 403 /)
  t.regex(await ask(`CONNECT 127.0.0.1:${site.port} HTTP/1.1\r\nHost: x\r\n${right}\r\n`), / 403 /)
  t.regex(await ask(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n${right}\r\n`), / 403 /)
  t.is(refused, 3)
  t.regex(await ask(`CONNECT ${place} HTTP/1.1\r\nHost: x\r\n${right}\r\n`), / 200 /)
})

test('BrowserLimits.tunnels: those count that are coming about, and who leaves meanwhile leaves nothing behind', async (t) => {
  const { target } = await opened(t)
  let server: Server | undefined
  const machine = {
    ...systemMachine,
    listen: (given: Server, port: number) => {
      server = given
      return systemMachine.listen(given, port)
    },
  }
  const arrivals: PromiseWithResolvers<PassThrough>[] = []
  const slow: Route = async function* () {
    const arrival = Promise.withResolvers<PassThrough>()
    arrivals.push(arrival)
    yield { socket: await arrival.promise, by: 'x', left: 0 }
  }
  const gate = await Gate.open({
    ...{ target, route: slow, machine, connectMs: 60_000, doubted: new Set() },
    ...{ dialed: () => {}, refused: () => {} },
  })
  t.teardown(() => gate.close())
  const { username, password } = gate.credentials
  const pair = Buffer.from(`${username}:${password}`).toString('base64')
  const ask = (): Socket => {
    const socket = connect(gate.port, '127.0.0.1').on('error', () => {})
    const place = `${HOST}:${target.port}`
    socket.write(`CONNECT ${place} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${pair}\r\n\r\n`)
    return socket
  }
  const asked = Array.from({ length: BrowserLimits.tunnels }, ask)
  while (arrivals.length < BrowserLimits.tunnels) await settled()
  const [refusal] = await once(ask(), 'data')
  t.regex(String(refusal), / 503 /)
  for (const socket of asked) socket.resetAndDestroy()
  const far = arrivals.map(() => new PassThrough())
  while ((await promisify(server!.getConnections.bind(server))()) > 0) await settled()
  for (const [index, arrival] of arrivals.entries()) arrival.resolve(far[index]!)
  await Promise.all(far.map((socket) => socket.destroyed || once(socket, 'close')))
  const next = ask()
  while (arrivals.length === BrowserLimits.tunnels) await settled()
  arrivals.at(-1)!.resolve(new PassThrough())
  t.regex(String((await once(next, 'data'))[0]), / 200 /)
  next.destroy()
})
