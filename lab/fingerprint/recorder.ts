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
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer as createTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket, TlsOptions } from 'node:tls'
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

/**
 * `answer`: what the site has at a path; 404 for undefined. `alpn`: what the server offers. Three servers behind each other, so that we hear what
 * comes in and what TLS makes of it: Node's TLS over a stream of ours can end the process, as it may write to one that it has shut down
 * (an assertion in its JSStreamSocket, `doWrite`).
 */
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
  const recording = new Recording(note, (connection) => seen.push(connection))
  const port = await recording.listen({ cert: certificate, key: privateKey, ALPNProtocols: [...alpn] })
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  return {
    ...{ port, authority, pin, seen, keyHash: Buffer.from(sha256(new Uint8Array(spki))).toString('base64') },
    asked: (path) => new Promise((resolve) => asked.set(path, resolve)),
    close: () => recording.close(),
  }
}

type Note = (connection: SeenConnection, request: SeenRequest) => Answer | undefined

class Recording {
  private readonly note: Note
  private readonly seen: (connection: SeenConnection) => void
  private readonly sockets = new Set<Socket>()
  private readonly servers: Server[] = []
  /** By the two ports of the connection to the next server. */
  private readonly connections = new Map<string, () => SeenConnection | undefined>()

  constructor(note: Note, seen: (connection: SeenConnection) => void) {
    this.note = note
    this.seen = seen
  }

  /** Returns the port that visitors come to. */
  async listen(secrets: TlsOptions): Promise<number> {
    const h2 = createHttp2((request, response) => this.serve(request, response, request.stream.session?.socket))
    h2.on('sessionError', () => {})
    const h1 = createHttp((request, response) => this.serve(request, response, request.socket))
    const ports = { h2: await this.open(h2), h1: await this.open(h1) }
    const tls = createTls(secrets, (upper) => this.secured(upper, ports))
    tls.on('tlsClientError', () => {})
    const inner = await this.open(tls)
    return await this.open(createTcp((socket) => this.accept(socket, inner)))
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await Promise.all(
      this.servers.map(async (server) => {
        server.close()
        await once(server, 'close')
      }),
    )
  }

  private async open(server: Server): Promise<number> {
    this.servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  /** What a visitor sends, as an observer on the path has it. */
  private accept(socket: Socket, next: number): void {
    let raw: Uint8Array = new Uint8Array(0)
    let connection: SeenConnection | undefined
    socket.on('data', (chunk: Buffer) => {
      raw = Buffer.concat([raw, chunk])
      if (connection === undefined) {
        const hello = readClientHello(raw)
        if (hello === undefined) return
        connection = { hello, protocol: undefined, resumed: false, records: [], frames: [], requests: [] }
        this.seen(connection)
      }
      raw = takeRecords(raw, connection.records)
    })
    this.pass(socket, next, () => connection)
  }

  /** What is in it. */
  private secured(upper: TLSSocket, ports: { readonly h2: number; readonly h1: number }): void {
    const connection = this.connections.get(portsOf(upper))?.()
    if (connection === undefined) return void upper.destroy()
    connection.protocol = upper.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'
    connection.resumed = upper.isSessionReused()
    if (connection.protocol === 'h2') hearFrames(upper, connection.frames)
    this.pass(upper, connection.protocol === 'h2' ? ports.h2 : ports.h1, () => connection)
  }

  /** On to the next server and back, until either ends. */
  private pass(socket: Socket, port: number, connection: () => SeenConnection | undefined): void {
    // What comes before there is where to pass it on waits.
    socket.pause()
    const next = connect(port, '127.0.0.1', () => {
      this.connections.set(`${next.localPort} ${port}`, connection)
      socket.pipe(next).pipe(socket)
    })
    const ends = [socket, next]
    for (const each of ends) {
      this.sockets.add(each)
      each
        .on('error', () => {})
        .on('close', () => {
          this.sockets.delete(each)
          for (const other of ends) other.destroySoon()
        })
    }
  }

  private serve(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    socket: Socket | TLSSocket | undefined,
  ): void {
    const connection = socket === undefined ? undefined : this.connections.get(portsOf(socket))?.()
    if (connection === undefined) return void request.socket.destroy()
    reply(request, response, this.note(connection, seenOf(request.method!, request.url!, request.rawHeaders)))
  }
}

/** At the end that was called. */
const portsOf = ({ remotePort, localPort }: Socket | TLSSocket): string => `${remotePort} ${localPort}`

function hearFrames(socket: Duplex, frames: Frame[]): void {
  let rest: Uint8Array = new Uint8Array(0)
  let begun = false
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    if (!begun && rest.length < PREFACE.length) return
    const read = readFrames(begun ? rest : rest.subarray(PREFACE.length))
    begun = true
    rest = read.rest
    frames.push(...read.frames.map((frame) => ({ ...frame, payload: new Uint8Array(frame.payload) })))
  })
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
