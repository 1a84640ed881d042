/** The notice room: what it does for visitors, and what they cannot do to it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { io, type Socket } from 'socket.io-client'
import { isSottoError } from '#protocol/errors.ts'
import { openDecoy } from './decoy.ts'
import { parseAnswer } from './fixture.ts'
import { NoticeLimits } from './notices.ts'

function folder(t: ExecutionContext, notices: string): string {
  const path = mkdtempSync(join(tmpdir(), 'sotto-notices-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'index.html'), 'home')
  writeFileSync(join(path, '.notices.yaml'), notices)
  return path
}

/** `before`: reads a request's body, as a carrier may have done, before the room gets it. */
async function room(
  t: ExecutionContext,
  notices: string,
  before = async (_request: IncomingMessage): Promise<Uint8Array | undefined> => undefined,
): Promise<number> {
  const { decoy, upgrade, close } = await openDecoy({ kind: 'folder', folder: folder(t, notices) }, () => undefined)
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> =>
    await decoy(request, response, await before(request))
  const server = createServer({ shouldUpgradeCallback: upgrade!.wanted }, (request, response) => {
    handle(request, response).catch((error: unknown) => t.fail(String(error)))
  })
  server.on('upgrade', upgrade!.handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    await close()
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function visit(t: ExecutionContext, port: number, transport: 'polling' | 'websocket'): Socket {
  const options = { path: '/board/', transports: [transport], reconnection: false, forceNew: true }
  const socket = io(`http://127.0.0.1:${port}`, options)
  t.teardown(() => socket.disconnect())
  return socket
}

const next = (socket: Socket, name: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    socket.once(name, resolve)
    socket.once('connect_error', reject)
  })

const open = 'path: /board/\nnotices: [Closed on Monday.]\ntalk: true\n'

test('visitors get the notices, hear each other over either transport, and what was said before', async (t) => {
  const port = await room(t, open)
  const one = visit(t, port, 'polling')
  t.deepEqual(await next(one, 'notices'), ['Closed on Monday.'])
  t.deepEqual(await one.emitWithAck('say', 'anybody?'), { ok: true })
  const two = visit(t, port, 'websocket')
  t.like(await next(two, 'said'), { text: 'anybody?' })
  const heard = next(one, 'said')
  t.deepEqual(await two.emitWithAck('say', 'yes'), { ok: true })
  t.like(await heard, { text: 'yes' })
})

test('what is no short text is not said, nor anything too often, nor where nobody may talk', async (t) => {
  const port = await room(t, open)
  const one = visit(t, port, 'websocket')
  const long = 'x'.repeat(NoticeLimits.textLength + 1)
  for (const value of [long, ' \n\u0000 ', 7, null]) t.deepEqual(await one.emitWithAck('say', value), { ok: false })
  t.deepEqual(await one.emitWithAck('say', 'x'.repeat(NoticeLimits.textLength)), { ok: true })
  t.deepEqual(await one.emitWithAck('say', 'the sixth in ten seconds'), { ok: false })
  one.emit('say', 'without an acknowledgement')
  one.emit('nothing', { any: 'thing' })
  const silent = visit(t, await room(t, 'path: /board/\n'), 'polling')
  t.deepEqual(await next(silent, 'notices'), [])
  t.deepEqual(await silent.emitWithAck('say', 'hello'), { ok: false })
})

test('texts beyond those kept are forgotten', async (t) => {
  const port = await room(t, open)
  const rounds = NoticeLimits.kept / NoticeLimits.texts + 1
  for (let round = 0; round < rounds; round++) {
    const one = visit(t, port, 'websocket')
    for (let at = 0; at < NoticeLimits.texts; at++) await one.emitWithAck('say', `${round} ${at}`)
    one.disconnect()
  }
  const late = visit(t, port, 'websocket')
  const heard: string[] = []
  late.on('said', ({ text }) => heard.push(text))
  await late.emitWithAck('say', '')
  t.is(heard.length, NoticeLimits.kept)
  t.is(heard[0], '1 0')
})

test('a room that is full refuses as the server refuses, and a message above its size closes the connection', async (t) => {
  const port = await room(t, open)
  const url = `http://127.0.0.1:${port}/board/?EIO=4&transport=polling`
  for (let at = 0; at < NoticeLimits.visitors; at++) t.is((await fetch(url)).status, 200)
  const refused = await fetch(url)
  t.is(refused.status, 403)
  t.deepEqual(await refused.json(), { code: 4, message: 'Forbidden' })
  const other = await room(t, open)
  const one = visit(t, other, 'websocket')
  await next(one, 'notices')
  const closed = next(one, 'disconnect')
  one.emit('say', 'x'.repeat(NoticeLimits.messageBytes))
  await closed
  t.pass()
})

test('answers carry the site’s headers in its order, the handshake of a WebSocket included', async (t) => {
  const port = await room(t, open)
  const ask = (lines: string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('data', (chunk) => {
        socket.destroy()
        resolve(chunk.toString('latin1'))
      })
      socket.on('error', reject)
      socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    })
  const polled = parseAnswer(Buffer.from(await ask(['GET /board/?EIO=4&transport=polling HTTP/1.1', 'Host: a'])))
  t.deepEqual(
    polled.headers.map(([name]) => name),
    ['Server', 'Content-Type', 'Content-Length', 'Connection', 'cache-control'],
  )
  const key = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
  const upgrade = ['Host: a', 'Connection: Upgrade', 'Upgrade: websocket', ...key]
  const shaken = await ask(['GET /board/?EIO=4&transport=websocket HTTP/1.1', ...upgrade])
  t.regex(shaken, /^HTTP\/1.1 101 Switching Protocols\r\nServer: nginx\r\nDate: [^\r]+ GMT\r\nUpgrade: websocket\r\n/)
})

test('a body of which a part was read before reaches the room whole', async (t) => {
  const before = (request: IncomingMessage): Promise<Uint8Array | undefined> =>
    request.method === 'POST'
      ? new Promise((resolve) => {
          request.once('data', (chunk: Buffer) => {
            request.pause()
            resolve(chunk)
          })
        })
      : Promise.resolve(undefined)
  const port = await room(t, open, before)
  const one = visit(t, port, 'polling')
  await next(one, 'notices')
  t.deepEqual(await one.emitWithAck('say', 'over a body read before'), { ok: true })
})

test('a request that was found to have no body is answered, held or at once, and its connection stays', async (t) => {
  const port = await room(t, open, async ({ method }) => (method === 'GET' ? new Uint8Array(0) : undefined))
  const one = visit(t, port, 'polling')
  await next(one, 'notices')
  t.deepEqual(await one.emitWithAck('say', 'while a poll is held'), { ok: true })
  const answers = await new Promise<string>((resolve, reject) => {
    const asked = 'GET /board/?EIO=4&transport=polling&sid=unknown HTTP/1.1\r\nHost: a\r\n\r\n'
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(asked))
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text
      const whole = received.split('\r\n0\r\n\r\n').length - 1
      if (whole === 1 && received.endsWith('\r\n0\r\n\r\n')) socket.write(asked)
      if (whole < 2) return
      resolve(received)
      socket.destroy()
    })
    socket.on('error', reject).on('close', () => reject(new Error(`closed after ${JSON.stringify(received)}`)))
  })
  t.is(answers.match(/^HTTP\/1\.1 400 /gm)?.length, 2)
})

test('a room that cannot be used is a mistake of the configuration, with its line', async (t) => {
  const bad: [string, RegExp][] = [
    ['path: board', /\.notices\.yaml:1: path/],
    ['path: /a/\ntalk: perhaps', /:2: talk/],
    [`path: /a/\nnotices: ["${'x'.repeat(281)}"]`, /:2: notices\.0/],
    ['path: /a/\ncolour: red', /:2: colour/],
    ['- [', /:\d: expected valid YAML/],
  ]
  for (const [text, message] of bad) {
    const error = await t.throwsAsync(openDecoy({ kind: 'folder', folder: folder(t, text) }, () => undefined))
    t.true(isSottoError(error, 'E_CONFIG'), String(error))
    t.regex(error.message, message)
  }
})
