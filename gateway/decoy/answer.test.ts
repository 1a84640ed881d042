/** How an answer lies in TLS records. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer as createHttp } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as secure } from 'node:tls'
import test from 'ava'
import { seeded } from '../../camouflage-templates/test-support.ts'
import { createSelfSigned } from '../tls-files.ts'
import { writeHead, writeWhole } from './answer.ts'

const APPLICATION_DATA = 23

/** Lengths of the records with application data among what a server sent. */
function recordLengths(bytes: Buffer): number[] {
  const lengths: number[] = []
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    if (bytes[at] === APPLICATION_DATA) lengths.push(bytes.readUInt16BE(at + 3))
  }
  return lengths
}

/** Asks through somebody in between, who sees what is on the wire. */
async function get(port: number, path: string): Promise<{ body: Buffer; records: number[] }> {
  const seen: Buffer[] = []
  const between = createNetServer((inner) => {
    const outer = connect(port, '127.0.0.1')
    outer.on('data', (chunk: Buffer) => seen.push(chunk))
    inner.pipe(outer).pipe(inner)
    // Whoever has all it wants leaves without a farewell.
    for (const side of [inner, outer]) side.on('error', () => side.destroy())
  })
  await once(between.listen(0, '127.0.0.1'), 'listening')
  const socket = secure({
    port: (between.address() as AddressInfo).port,
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
  })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  await once(socket, 'end')
  socket.destroy()
  between.close()
  const answer = Buffer.concat(chunks)
  return { body: answer.subarray(answer.indexOf('\r\n\r\n') + 4), records: recordLengths(Buffer.concat(seen)) }
}

test('a body lies in the same TLS records whether it is written at once or not', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-answer-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  await createSelfSigned('localhost', { certificate, key }, new Date())
  const type = 'application/octet-stream'
  const long = 'x'.repeat(20_000)
  const server = createServer({ cert: await readFile(certificate), key: await readFile(key) }, (request, response) => {
    const [, way, length, more] = request.url!.split('/')
    const body = seeded(Number(length))(Number(length))
    const answer = { status: 200, type, length: body.length, more: more === undefined ? [] : ['X-More', long] }
    if (way === 'ours') return writeWhole(request, response, answer, body)
    writeHead(request, response, answer)
    response.end(body)
  })
  t.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (const what of ['0', '100', '16384', '65536', '65537', '262144', '262144/more', '1500000']) {
    const [once, twice] = [await get(port, `/once/${what}`), await get(port, `/ours/${what}`)]
    t.true(twice.body.equals(seeded(Number.parseInt(what, 10))(Number.parseInt(what, 10))), what)
    t.deepEqual(twice.records, once.records, what)
    t.true(once.records.length >= twice.body.length / 16_384, what)
  }
})

test('an answer of no stated length comes in chunks where it has a body, named before the connection’s fate', async (t) => {
  const server = createHttp((request, response) => {
    writeHead(request, response, { status: Number(request.url!.slice(1)), type: 'text/plain' })
    response.write('one')
    response.end('two')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const ask = async (line: string): Promise<string> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(`${line}\r\nHost: a\r\nConnection: close\r\n\r\n`)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    return answer.replace(/Date: .*\r\n/, '')
  }
  const head = (status: string, ...lines: string[]): string =>
    [`HTTP/1.1 ${status}`, 'Server: nginx', 'Content-Type: text/plain', ...lines, 'Connection: close', '', ''].join(
      '\r\n',
    )
  const pieces = 'Transfer-Encoding: chunked'
  t.is(await ask('GET /200 HTTP/1.1'), `${head('200 OK', pieces)}6\r\nonetwo\r\n0\r\n\r\n`)
  t.is(await ask('GET /200 HTTP/1.0'), `${head('200 OK')}onetwo`)
  t.is(await ask('HEAD /200 HTTP/1.1'), head('200 OK'))
  t.is(await ask('GET /304 HTTP/1.1'), head('304 Not Modified'))
  t.is(await ask('GET /204 HTTP/1.1'), head('204 No Content'))
})
