/** Bodies that come with their head, after it, in parts, and not at all. */
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { latin1 } from '#protocol/bytes.ts'
import type { BodyPart } from './body.ts'
import { readBody } from './body.ts'

type Read = (request: IncomingMessage) => Promise<BodyPart>

/** What `read` makes of one request; `write` sends it. Rejects where `read` does. */
async function reading(
  t: ExecutionContext,
  read: Read,
  write: (socket: Socket, begun: Promise<void>) => void,
): Promise<string> {
  let begin: () => void = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  return await new Promise((resolve, reject) => {
    const server = createServer((request, response) => {
      begin()
      read(request).then(({ bytes, whole }) => {
        resolve(`${latin1(bytes)}${whole ? '' : ' ...'}`)
        response.end()
      }, reject)
    })
    server.on('clientError', (_error, socket) => socket.destroy())
    server.listen(0, '127.0.0.1', () => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      socket.on('error', () => {})
      write(socket, begun)
      t.teardown(() => {
        socket.destroy()
        server.close()
      })
    })
  })
}

const head = (length: number): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`
const all: Read = (request) => readBody(request, 100)

test('with the head, or after it: the whole body', async (t) => {
  t.is(await reading(t, all, (socket) => socket.write(`${head(5)}hello`)), 'hello')
  t.is(await reading(t, all, (socket) => socket.write(head(0))), '')
  const later = await reading(t, all, (socket, begun) => {
    socket.write(`${head(5)}he`)
    void begun.then(() => socket.write('llo'))
  })
  t.is(later, 'hello')
  const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'
  t.is(await reading(t, all, (socket) => socket.write(chunked)), 'hello')
})

test('more than the limit is not read', async (t) => {
  const told = await reading(t, all, (socket) => socket.write(head(1_000_000) + 'x'.repeat(500)))
  t.true(told.endsWith(' ...') && told.length < 1_000)
})

test('a request that breaks off, before or after, is a rejection', async (t) => {
  const malformed = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
  await t.throwsAsync(reading(t, all, (socket) => socket.write(malformed)))
  const leaving = (socket: Socket, begun: Promise<void>): void => {
    socket.write(head(5))
    void begun.then(() => socket.destroy())
  }
  await t.throwsAsync(reading(t, all, leaving))
})
