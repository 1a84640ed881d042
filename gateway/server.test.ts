/** What Node would say by itself is said by the website: to what its parser refuses, and to what it has words of its own for. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import type { DecoyChoice } from './config.ts'
import { openDecoy } from './decoy/decoy.ts'
import { startServer } from './server.ts'

const folder = new URL('decoy/sample-site', import.meta.url).pathname

async function serve(t: ExecutionContext, choice: DecoyChoice): Promise<(request: string) => Promise<string>> {
  const place = mkdtempSync(join(tmpdir(), 'sotto-test-server-'))
  const path = join(place, 'socket')
  const { decoy, refusal, close } = await openDecoy(choice, (error) => t.fail(String(error)))
  const server = await startServer({ kind: 'unix', path }, decoy, { refusal })
  t.teardown(async () => {
    await server.close(0)
    await close()
    rmSync(place, { recursive: true })
  })
  return (request) =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      const socket = connect(path)
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      socket.on('error', reject)
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
      socket.write(Buffer.from(request, 'latin1'))
      if (request.endsWith('\n') === false) socket.end()
    })
}

const refused: readonly (readonly [string, string])[] = [
  ['garbage', 'hello there\r\n\r\n'],
  ['a method of no server', 'BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['a header that is none', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Delete: \x7f\r\n\r\n'],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
  ['connect', 'CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['too much', `GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(1_200_000)}\r\n\r\n`],
  ['an expectation', 'GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\nConnection: close\r\n\r\n'],
  ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'],
]

test('behind nginx: whatever our parser refuses, nginx is asked to answer as it does', async (t) => {
  const ask = await serve(t, { kind: 'accel', location: '@decoy' })
  for (const [name, request] of refused) {
    t.regex(await ask(request), /^HTTP\/1\.1 200 OK\r\nX-Accel-Redirect: @decoy\r\nContent-Length: 0\r\n/, name)
  }
})

test('alone: refused in nginx’s words', async (t) => {
  const ask = await serve(t, { kind: 'folder', folder })
  const statuses: Record<string, string> = { connect: '405 Not Allowed', 'an expectation': '200 OK' }
  for (const [name, request] of refused) {
    const answer = await ask(request)
    const status = statuses[name] ?? '400 Bad Request'
    t.true(answer.startsWith(`HTTP/1.1 ${status}\r\nServer: nginx\r\nDate: `), `${name}: ${answer.slice(0, 80)}`)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    t.is(Number(/^Content-Length: (\d+)$/m.exec(head)?.[1]), body.length, name)
    t.true(head.includes('\r\nConnection: close'), name)
  }
  t.regex(await ask(refused[5]![1]), /<title>400 Request Header Or Cookie Too Large<\/title>/)
})

test('a path that cannot be decoded reaches the website, too', async (t) => {
  const paths = ['/api/%ff', '/%c0%ae', '/api/%zz', '*', 'https://localhost/%ff', '//api//', '/%']
  const behind = await serve(t, { kind: 'accel', location: '@decoy' })
  const alone = await serve(t, { kind: 'folder', folder })
  const expected = [
    '404 Not Found',
    '404 Not Found',
    '400 Bad Request',
    '400 Bad Request',
    '404 Not Found',
    '404 Not Found',
    '400 Bad Request',
  ]
  for (const [i, path] of paths.entries()) {
    const request = `OPTIONS ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
    t.regex(await behind(request), /^HTTP\/1\.1 200 OK\r\nX-Accel-Redirect: @decoy\r\n/, path)
    const answer = await alone(request.replace('OPTIONS', 'GET'))
    t.true(answer.startsWith(`HTTP/1.1 ${expected[i]}\r\nServer: nginx\r\n`), `${path}: ${answer.slice(0, 60)}`)
  }
})

test('whoever leaves in the middle of a request is told nothing', async (t) => {
  const ask = await serve(t, { kind: 'folder', folder })
  t.is(await ask('GET / HTTP/1.1\r\nHost: loc'), '')
  t.is(
    await ask('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc').then((answer) =>
      answer.includes('400'),
    ),
    false,
  )
})

test('behind a web server, headers that Caddy accepts are accepted, and no more than that', async (t) => {
  const ask = await serve(t, { kind: 'accel', location: '@decoy' })
  for (const length of [40_000, 1_048_576, 1_200_000]) {
    const request = `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: ${'a'.repeat(length)}\r\n\r\n`
    const answer = await ask(request)
    t.regex(answer, /X-Accel-Redirect: @decoy\r\n/, String(length))
    // The last one was not read as a request: the refusal has no date.
    t.is(/^Date: /m.test(answer), length < 1_114_112, String(length))
  }
})
