/** A stranger's WebSocket with the site's own application, through the gateway. */
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { WebSocket, WebSocketServer } from 'ws'
import { startServer } from '../server.ts'
import { pageRefusal } from './refusal.ts'
import { UpgradeLimits, upstreamUpgrades } from './upstream-upgrade.ts'

interface Rig {
  readonly url: string
  readonly faults: unknown[]
  /** Requests that the application saw. */
  readonly seen: Record<string, string | string[] | undefined>[]
}

async function rig(t: ExecutionContext, limits: Partial<UpgradeLimits> = {}): Promise<Rig> {
  const seen: Rig['seen'] = []
  const application = createServer()
  const sockets = new WebSocketServer({ noServer: true })
  application.on('upgrade', (request, socket, head) => {
    seen.push(request.headers)
    if (request.url === '/silent') return
    if (request.url === '/no')
      return void socket.end('HTTP/1.1 403 Forbidden\r\nX-App: one\r\nContent-Length: 2\r\n\r\nno')
    sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.send('welcome')
      opened.on('message', (data, isBinary) => opened.send(data, { binary: isBinary }))
    })
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  const { port } = application.address() as AddressInfo
  const faults: unknown[] = []
  const upgrades = upstreamUpgrades(`http://127.0.0.1:${port}`, (error) => faults.push(error), {
    ...UpgradeLimits,
    ...limits,
  })
  const server = await startServer(
    { kind: 'http', host: '127.0.0.1', port: 0 },
    async (_, response) => void response.end('a page'),
    { refusal: pageRefusal, upgrades },
  )
  t.teardown(async () => {
    upgrades.close()
    await server.close(0)
    for (const socket of sockets.clients) socket.terminate()
    application.closeAllConnections()
    application.close()
  })
  return { url: `ws://127.0.0.1:${server.port}`, faults, seen }
}

const event = (socket: WebSocket, name: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    socket.once(name, (data: unknown) => resolve(data))
    socket.once('error', reject)
  })

const statusOf = (socket: WebSocket): Promise<number | undefined> =>
  new Promise((resolve) => {
    socket.on('error', () => {})
    socket.once('unexpected-response', (_request, response) => {
      response.resume()
      resolve(response.statusCode)
    })
  })

test('what asks for a WebSocket in no way that there is, is a request like any other', async (t) => {
  const { url, seen } = await rig(t)
  const place = url.replace('ws:', 'http:')
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
  const headers = { ...upgrade, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' }
  for (const [method, body] of [
    ['POST', 'a=1'],
    ['POST', ''],
    ['GET', 'with a body'],
  ] as const) {
    const answer = await new Promise<string>((resolve, reject) => {
      const length = { 'content-length': String(body.length) }
      const request = httpRequest(place, { method, headers: { ...headers, ...length }, agent: false }, (response) => {
        response.setEncoding('utf8').on('data', resolve)
      })
      request.once('error', reject).end(body)
    })
    t.is(answer, 'a page', `${method} ${body}`)
  }
  t.deepEqual(seen, [])
})

test('messages go both ways, and the application sees the visitor’s own request', async (t) => {
  const { url, seen } = await rig(t)
  const socket = new WebSocket(`${url}/chat?x=1`, { headers: { cookie: 'a=b' } })
  t.is(String(await event(socket, 'message')), 'welcome')
  const large = new Uint8Array(200_000).fill(7)
  socket.send(large)
  t.deepEqual(new Uint8Array((await event(socket, 'message')) as Buffer), large)
  t.like(seen[0], { cookie: 'a=b', upgrade: 'websocket', connection: 'upgrade', 'x-forwarded-for': '127.0.0.1' })
  socket.close()
  await event(socket, 'close')
})

test('what the application refuses is refused in its words; what asks for no WebSocket is a request', async (t) => {
  const { url, faults } = await rig(t)
  t.is(await statusOf(new WebSocket(`${url}/no`)), 403)
  const answer = await fetch(url.replace('ws:', 'http:'), { headers: { connection: 'close' } })
  t.is(await answer.text(), 'a page')
  t.deepEqual(faults, [])
})

test('UpgradeLimits.sockets: one more is told «unavailable»', async (t) => {
  const { url } = await rig(t, { sockets: 1 })
  const first = new WebSocket(url)
  await event(first, 'message')
  t.is(await statusOf(new WebSocket(url)), 503)
  first.close()
  await event(first, 'close')
})

test('UpgradeLimits.answerMs: an application that does not answer', async (t) => {
  const { url, faults } = await rig(t, { answerMs: 50 })
  t.is(await statusOf(new WebSocket(`${url}/silent`)), 502)
  t.is(faults.length, 1)
})

test('UpgradeLimits.idleMs: a socket on which nothing is said', async (t) => {
  const { url } = await rig(t, { idleMs: 50 })
  const socket = new WebSocket(url)
  await event(socket, 'message')
  await event(socket, 'close')
  t.pass()
})
