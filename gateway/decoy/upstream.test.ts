import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { readBody } from '#gateway/body.ts'
import { type Decoy, openDecoy } from './decoy.ts'
import { ask, exchange, type Handle, listen, serve } from './fixture.ts'

interface Proxy {
  readonly port: number
  readonly faults: unknown[]
}

async function proxy(t: ExecutionContext, upstreamPort: number, wrap?: (decoy: Decoy) => Handle): Promise<Proxy> {
  const faults: unknown[] = []
  const url = `http://127.0.0.1:${upstreamPort}`
  const { decoy, close } = await openDecoy({ kind: 'upstream', url }, (fault) => faults.push(fault))
  t.teardown(close)
  return { port: await serve(t, wrap?.(decoy) ?? decoy), faults }
}

/** The visitor may see the end before the gateway has dealt with it. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve))
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

test('status, reason, headers and their order come through, and both ways without what belongs to a connection', async (t) => {
  const seen: string[][] = []
  const upstream = await listen(t, (request, response) => {
    seen.push(request.rawHeaders)
    response.sendDate = false
    response.writeHead(418, 'Short And Stout', [
      ...['X-One', 'a', 'Set-Cookie', 'x=1', 'set-cookie', 'y=2', 'Content-Type', 'text/tea'],
      ...['Connection', 'keep-alive, X-Hop', 'X-Hop', 'secret', 'Proxy-Authenticate', 'Basic', 'Content-Length', '3'],
    ])
    response.end('tea')
  })
  const { port, faults } = await proxy(t, upstream)
  const answer = await ask(port, 'GET /pot?x=%20', 'X-Two: b', 'Te: trailers', 'Keep-Alive: 5', 'Proxy-Connection: x')
  t.is(answer.statusLine, 'HTTP/1.1 418 Short And Stout')
  t.deepEqual(answer.headers, [
    ['X-One', 'a'],
    ['Set-Cookie', 'x=1'],
    ['set-cookie', 'y=2'],
    ['Content-Type', 'text/tea'],
    ['Content-Length', '3'],
    ['Connection', 'close'],
  ])
  t.is(answer.body.toString(), 'tea')
  const got = seen[0]!.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
  t.deepEqual(got.toSorted(), ['connection', 'host', 'x-forwarded-for', 'x-forwarded-proto', 'x-two'])
  t.is(seen[0]![seen[0]!.findIndex((name) => name.toLowerCase() === 'host') + 1], 'site.example')
  t.deepEqual(faults, [])
})

test('methods, targets and bodies of every kind come through', async (t) => {
  const upstream = await serve(t, async (request, response) => {
    const body = await bodyOf(request)
    const hash = createHash('sha256').update(body).digest('hex')
    response.end(`${request.method} ${request.url} ${body.length} ${hash}`)
  })
  const { port } = await proxy(t, upstream)
  const large = randomBytes(500_000)
  const hash = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex')
  for (const [method, body] of [
    ['POST', large],
    ['PUT', Buffer.from('small')],
    ['DELETE', Buffer.alloc(0)],
    ['GET', Buffer.from('odd')],
  ] as const) {
    const head = `${method} /a/../b?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`
    t.is((await exchange(port, head, body)).body.toString(), `${method} /a/../b?q ${body.length} ${hash(body)}`)
  }
  const chunked =
    'POST /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n'
  t.is((await exchange(port, chunked)).body.toString(), `POST /c 7 ${hash(Buffer.from('abcdefg'))}`)
  t.is((await ask(port, 'GET http://site.example/x?y')).body.toString(), `GET /x?y 0 ${hash(Buffer.alloc(0))}`)
  t.is((await ask(port, 'OPTIONS *')).status, 400)
})

/** Reads more than the first octets of a body before the decoy gets the request, as the carrier does with what is too long. */
const readFirst =
  (octets: number) =>
  (decoy: Decoy): Handle =>
  async (request, response) => {
    const { bytes } = await readBody(request, octets)
    await decoy(request, response, bytes)
  }

for (const octets of [1, 4_096, 200_000, 500_000, 600_000]) {
  test(`a body of which ${octets} octets were read before comes through whole`, async (t) => {
    const upstream = await serve(t, async (request, response) => {
      response.end(await bodyOf(request))
    })
    const { port } = await proxy(t, upstream, readFirst(octets))
    const body = randomBytes(500_000)
    const head = `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`
    t.true((await exchange(port, head, body)).body.equals(body))
  })
}

test('an answer is passed on while it comes', async (t) => {
  let finish: () => void = () => undefined
  const upstream = await listen(t, (_, response) => {
    response.write('first ')
    finish = () => response.end('last')
  })
  const { port } = await proxy(t, upstream)
  const socket = connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let text = ''
  while (!text.includes('first ')) text += String((await once(socket, 'data'))[0])
  finish()
  for await (const chunk of socket) text += String(chunk)
  t.regex(text, /6\r\nfirst \r\n4\r\nlast\r\n0\r\n\r\n$/)
})

test('a large answer to a slow reader is not collected in memory', async (t) => {
  const block = Buffer.alloc(64 * 1024)
  let written = 0
  const upstream = await listen(t, (_, response) => {
    const more = (): void => {
      while (written < 2_000 && response.write(block)) written++
    }
    response.on('drain', more)
    more()
  })
  const { port } = await proxy(t, upstream)
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'readable')
  socket.pause()
  // The sender stops when the buffers on the way are full: wait until it writes nothing more.
  for (let before = -1; before !== written; ) {
    before = written
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  t.true(written < 1_000, `${written} blocks of 2,000 were taken in`)
})

test('a visitor who leaves ends the request to the site', async (t) => {
  let left: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    left = resolve
  })
  let asked: () => void = () => undefined
  const started = new Promise<void>((resolve) => {
    asked = resolve
  })
  const upstream = await listen(t, (request) => {
    request.on('close', () => left())
    asked()
  })
  const { port, faults } = await proxy(t, upstream)
  const socket = connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await started
  socket.destroy()
  await ended
  t.deepEqual(faults, [])
})

test('a visitor who leaves in the middle of an answer is no fault', async (t) => {
  let left: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    left = resolve
  })
  const upstream = await listen(t, (_, response) => {
    response.on('close', () => left())
    response.write('first')
  })
  let finished = 0
  const { port, faults } = await proxy(t, upstream, (decoy) => async (request, response) => {
    await decoy(request, response)
    finished++
  })
  const socket = connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  await ended
  await until(() => finished === 1)
  t.deepEqual(faults, [])
})

test('a site that is down is a 502 page, and the operator hears of it', async (t) => {
  const free = createServer()
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve))
  const { port: closed } = free.address() as { port: number }
  await new Promise((resolve) => free.close(resolve))
  const { port, faults } = await proxy(t, closed)
  const answer = await ask(port, 'GET /')
  t.is(answer.statusLine, 'HTTP/1.1 502 Bad Gateway')
  t.is(answer.header('content-type'), 'text/html')
  t.is(answer.body.length, 150)
  t.is(
    (await exchange(port, 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc')).status,
    502,
  )
  t.is(faults.length, 2)
})

/** A site that answers with these octets and hangs up. */
async function rawUpstream(t: ExecutionContext, text: string): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(text))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

test('a site that answers nonsense or nothing is a 502 page', async (t) => {
  for (const text of ['', 'nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n']) {
    const { port } = await proxy(t, await rawUpstream(t, text))
    t.is((await ask(port, 'GET /')).status, 502, JSON.stringify(text))
  }
})

test('an answer that breaks off breaks off for the visitor too', async (t) => {
  const upstream = await rawUpstream(t, 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this')
  const { port, faults } = await proxy(t, upstream)
  const answer = await ask(port, 'GET /').catch(() => undefined)
  t.true(answer === undefined || (answer.status === 200 && answer.body.length < 100))
  await until(() => faults.length === 1)
})

test('behind a web server, the answer names its location and nothing else, whatever was asked', async (t) => {
  const { decoy } = await openDecoy({ kind: 'accel', location: '@decoy' }, () => undefined)
  const port = await serve(t, decoy)
  for (const line of ['GET /', 'HEAD /x', 'DELETE /none', 'OPTIONS *']) {
    const answer = await ask(port, line)
    t.is(answer.status, 200)
    t.is(answer.header('x-accel-redirect'), '@decoy')
    t.is(answer.body.length, 0)
  }
  const body = Buffer.alloc(300_000)
  const head = `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`
  t.is((await exchange(port, head, body)).header('x-accel-redirect'), '@decoy')
})
