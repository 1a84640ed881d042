import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { accelDecoy, accelRefusal } from './decoy/accel.ts'
import { startServer } from './server.ts'

/** Everything that comes back on a connection of its own. */
function exchange(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(text))
    socket.write(request)
  })
}

async function behindFront(t: ExecutionContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-server-'))
  const path = join(folder, 'g.sock')
  const decoy = accelDecoy('@site')
  const server = await startServer({ kind: 'unix', path }, (request, response) => decoy(request, response), {
    refused: accelRefusal('@site'),
  })
  t.teardown(async () => {
    await server.close(0)
    rmSync(folder, { recursive: true, force: true })
  })
  return path
}

const lines = (...more: string[]): string => [...more, 'Host: a', 'Connection: close', '', ''].join('\r\n')

test('behind a web server, what Node’s parser refuses is the website’s, too', async (t) => {
  const path = await behindFront(t)
  for (const request of [
    lines('BREW / HTTP/1.1'),
    lines('GET / HTTP/3.0'),
    'nonsense\r\n\r\n',
    lines('POST / HTTP/1.1', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
    lines('GET / HTTP/1.1', 'a b: c'),
  ]) {
    const answer = await exchange(path, request)
    t.regex(answer, /^HTTP\/1\.1 200 OK\r\n/, request)
    t.is(answer.split('X-Accel-Redirect: @site\r\n').length, 2, request)
  }
})

test('behind a web server, headers that Caddy accepts are accepted, and no more than that', async (t) => {
  const path = await behindFront(t)
  for (const length of [40_000, 1_048_576, 1_200_000]) {
    const answer = await exchange(path, lines('GET / HTTP/1.1', `X-Long: ${'a'.repeat(length)}`))
    t.regex(answer, /X-Accel-Redirect: @site\r\n/, String(length))
    // The last one was not read as a request: the refusal has no date.
    t.is(/^Date: /m.test(answer), length < 1_114_112, String(length))
  }
})
