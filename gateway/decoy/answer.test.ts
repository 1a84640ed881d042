/** How an answer lies in TLS records. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
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
