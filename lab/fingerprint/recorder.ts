/**
 * A website on the loopback that writes down all that a visiting client shows of itself: its ClientHello and the records
 * after it as an observer on the path has them, and the frames and header fields as whoever terminates TLS has them.
 */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttp } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createServer as createHttp2 } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTcp } from 'node:net'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { createServer as createTls } from 'node:tls'
import type { ClientHello } from '#firewall/dialers/client-hello.ts'
import { readClientHello } from '#firewall/dialers/client-hello.ts'
import { makeCertificates } from '#firewall/fixtures/site.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { Frame } from '../prober/http2.ts'
import { PREFACE, readFrames } from '../prober/http2.ts'

export interface SeenRequest {
  readonly method: string
  readonly target: string
  /** In the order of the wire, as sent; those of HTTP/2 with its pseudo-headers. */
  readonly headers: readonly (readonly [string, string])[]
}

export interface SeenConnection {
  readonly hello: ClientHello
  protocol: 'h2' | 'http/1.1' | undefined
  resumed: boolean
  /** Octets of each application record that came in. */
  readonly records: number[]
  /** What came in over HTTP/2. */
  readonly frames: Frame[]
  readonly requests: SeenRequest[]
}

export interface Answer {
  readonly type: string
  readonly body: string
  /** The connection ends with it. */
  readonly closes?: boolean
}

export interface Recorder {
  readonly port: number
  /** PEM of the authority, hash of the certificate, hash of its key as base64. */
  readonly authority: string
  readonly pin: Uint8Array
  readonly keyHash: string
  readonly seen: readonly SeenConnection[]
  /** Resolves once a request for this path has come. */
  asked(path: string): Promise<void>
  close(): Promise<void>
}

export const RECORDED_HOST = 'www.example.org'

/** `answer`: what the site has at a path; 404 for undefined. `alpn`: what the server offers. */
export async function startRecorder(
  answer: (path: string) => Answer | undefined,
  alpn: readonly string[] = ['h2', 'http/1.1'],
): Promise<Recorder> {
  const { authority, certificate, privateKey, pin } = await makeCertificates(RECORDED_HOST)
  const seen: SeenConnection[] = []
  const asked = new Map<string, () => void>()
  const note = (connection: SeenConnection, request: SeenRequest): Answer | undefined => {
    connection.requests.push(request)
    asked.get(request.target)?.()
    return answer(request.target.split('?')[0]!)
  }
  const sockets = new Set<Socket>()
  const tls = createTls({ cert: certificate, key: privateKey, ALPNProtocols: [...alpn] })
  tls.on('tlsClientError', () => {})
  const tcp = createTcp((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    void accept(socket, tls, (connection) => seen.push(connection), note)
  }).listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  return {
    port: (tcp.address() as AddressInfo).port,
    ...{ authority, pin, seen, keyHash: Buffer.from(sha256(new Uint8Array(spki))).toString('base64') },
    asked: (path) => new Promise((resolve) => asked.set(path, resolve)),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      tcp.close()
      await once(tcp, 'close')
    },
  }
}

type Note = (connection: SeenConnection, request: SeenRequest) => Answer | undefined

async function accept(
  socket: Socket,
  tls: ReturnType<typeof createTls>,
  seen: (connection: SeenConnection) => void,
  note: Note,
): Promise<void> {
  let raw: Uint8Array = new Uint8Array(0)
  let connection: SeenConnection | undefined
  const lower = tee(socket, (chunk) => {
    raw = Buffer.concat([raw, chunk])
    if (connection === undefined) {
      const hello = readClientHello(raw)
      if (hello === undefined) return
      connection = { hello, protocol: undefined, resumed: false, records: [], frames: [], requests: [] }
      seen(connection)
    }
    raw = takeRecords(raw, connection.records)
  })
  const secured = once(tls, 'secureConnection')
  tls.emit('connection', lower)
  const [upper] = (await secured.catch(() => [])) as [TLSSocket?]
  if (upper === undefined || connection === undefined) return
  connection.protocol = upper.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'
  connection.resumed = upper.isSessionReused()
  upper.on('error', () => {})
  if (connection.protocol === 'h2') serveH2(upper, connection, note)
  else serveH1(upper, connection, note)
}

/** Whole records are told and taken off. */
function takeRecords(bytes: Uint8Array, lengths: number[]): Uint8Array {
  let at = 0
  while (at + 5 <= bytes.length) {
    const length = bytes[at + 3]! * 256 + bytes[at + 4]!
    if (at + 5 + length > bytes.length) break
    if (bytes[at] === 23) lengths.push(length)
    at += 5 + length
  }
  return bytes.subarray(at)
}

function serveH2(socket: TLSSocket, connection: SeenConnection, note: Note): void {
  let rest: Uint8Array = new Uint8Array(0)
  let begun = false
  const plain = tee(socket, (chunk) => {
    rest = Buffer.concat([rest, chunk])
    if (!begun && rest.length < PREFACE.length) return
    const read = readFrames(begun ? rest : rest.subarray(PREFACE.length))
    begun = true
    rest = read.rest
    connection.frames.push(...read.frames.map((frame) => ({ ...frame, payload: new Uint8Array(frame.payload) })))
  })
  const server = createHttp2((request: Http2ServerRequest, response: Http2ServerResponse) => {
    reply(request, response, note(connection, seenOf(request.method, request.url, request.rawHeaders)))
  })
  server.on('sessionError', () => {})
  server.emit('connection', plain)
}

function serveH1(socket: TLSSocket, connection: SeenConnection, note: Note): void {
  createHttp((request, response) => {
    reply(request, response, note(connection, seenOf(request.method!, request.url!, request.rawHeaders)))
  }).emit('connection', socket)
}

function seenOf(method: string, target: string, raw: readonly string[]): SeenRequest {
  const headers = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]!] as const] : []))
  return { method, target, headers }
}

function reply(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  answer: Answer | undefined,
): void {
  request.resume()
  request.on('end', () => {
    const { type, body } = answer ?? { type: 'text/plain', body: 'not here' }
    response.statusCode = answer === undefined ? 404 : 200
    if (answer?.closes) endAfter(request, response)
    response.setHeader('content-type', type)
    response.setHeader('cache-control', 'no-store')
    ;(response as ServerResponse).end(body)
  })
}

/** Ends the connection of a request once it is answered. */
function endAfter(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void {
  if (!('stream' in request)) return void response.setHeader('connection', 'close')
  const { session } = request.stream
  response.once('finish', () => session?.close())
}

/** The same stream, with an ear on what comes in. */
function tee(socket: Duplex, hear: (chunk: Buffer) => void): Duplex {
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _, done) => void socket.write(chunk, () => done()),
    final: (done) => void socket.end(() => done()),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    hear(chunk)
    if (!stream.push(chunk)) socket.pause()
  })
  socket.on('end', () => stream.push(null))
  socket.on('close', () => stream.destroy())
  socket.on('error', () => {})
  stream.on('error', () => {})
  return stream
}
