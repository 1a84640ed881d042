/** What can be seen of a body while it comes; that all of it is left to be read; and when it is told. */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { latin1 } from '#protocol/bytes.ts'
import { readBody } from './body.ts'
import { headerOf } from './header-of.ts'
import { onLead, WatchedMessage } from './lead.ts'

interface Seen {
  /** The lead, or 'gone'. */
  readonly lead: string
  /** Whether it was told before the turn was over in which the head came. */
  readonly atOnce: boolean
  /** What was there to be read afterwards. */
  readonly body: string
  readonly watched: boolean
}

async function seen(
  t: ExecutionContext,
  enough: number,
  write: (socket: Socket, begun: Promise<void>) => void,
): Promise<Seen> {
  const begun = Promise.withResolvers<void>()
  return await new Promise((resolve, reject) => {
    const server = createServer({ IncomingMessage: WatchedMessage }, (request, response) => {
      begun.resolve()
      let atOnce = true
      process.nextTick(() => {
        atOnce = false
      })
      const tell = (lead: string): void => {
        const told = { lead, atOnce, watched: request.watch !== undefined }
        readBody(request, 1_000_000)
          .then(
            ({ bytes }) => latin1(bytes),
            () => 'broken off',
          )
          .then((body) => {
            resolve({ ...told, body })
            response.end()
          }, reject)
      }
      onLead(request, enough, (lead) => tell(lead === undefined ? 'gone' : latin1(lead)))
    })
    server.on('clientError', (_error, socket) => socket.destroy())
    server.listen(0, '127.0.0.1', () => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      socket.on('error', () => {})
      write(socket, begun.promise)
      t.teardown(() => {
        socket.destroy()
        server.close()
      })
    })
  })
}

const head = (length: number): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`

test('what comes with its head is seen before anything else happens, and is still there', async (t) => {
  const whole = { lead: 'hello', atOnce: true, body: 'hello', watched: false }
  t.deepEqual(await seen(t, 100, (socket) => socket.write(`${head(5)}hello`)), whole)
  t.deepEqual(await seen(t, 2, (socket) => socket.write(`${head(5)}hello`)), whole)
  t.deepEqual(await seen(t, 100, (socket) => socket.write(head(0))), { ...whole, lead: '', body: '' })
  const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'
  t.deepEqual(await seen(t, 2, (socket) => socket.write(chunked)), { ...whole, lead: 'hel' })
  // Where no length is stated, only the end says that it is the end.
  t.deepEqual(await seen(t, 100, (socket) => socket.write(chunked)), { ...whole, atOnce: false })
})

test('what comes later is waited for, up to as much as is enough', async (t) => {
  const later = (rest: string) => (socket: Socket, begun: Promise<void>) => {
    socket.write(`${head(9)}one`)
    void begun.then(() => socket.write(rest))
  }
  const told = { atOnce: false, body: 'onetwotwo', watched: false }
  t.deepEqual(await seen(t, 100, later('twotwo')), { ...told, lead: 'onetwotwo' })
  t.deepEqual(await seen(t, 3, later('twotwo')), { ...told, lead: 'one', atOnce: true })
  t.deepEqual(await seen(t, 4, later('twotwo')), { ...told, lead: 'onetwotwo' })
})

test('a request that breaks off before there is enough is told as gone, once', async (t) => {
  const leaving = (socket: Socket, begun: Promise<void>): void => {
    socket.write(`${head(9)}one`)
    void begun.then(() => socket.destroy())
  }
  const { lead, body } = await seen(t, 100, leaving)
  t.is(lead, 'gone')
  t.is(body, 'broken off')
})

test('a header field is found as Node finds it', (t) => {
  const request = new WatchedMessage(undefined as never)
  request.rawHeaders = ['X-Token', 'one', 'Cookie', 'a=1', 'COOKIE', 'b=2', 'ETag', 'x', 'etag', 'y', 'x-empty', '']
  request.headers = { 'x-token': 'one', cookie: 'a=1; b=2', etag: 'x', 'x-empty': '' }
  for (const name of ['x-token', 'cookie', 'etag', 'x-empty', 'x-none'])
    t.is(headerOf(request, name), request.headers[name] as string | undefined, name)
})
