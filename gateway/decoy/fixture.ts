/** For tests: a server on a real socket, and requests written to it octet by octet. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { ExecutionContext } from 'ava'

export async function listen(t: ExecutionContext, handler: RequestListener): Promise<number> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

export type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** As `listen`; a handler that rejects fails the test. */
export function serve(t: ExecutionContext, handle: Handle): Promise<number> {
  return listen(t, (request, response) => {
    handle(request, response).catch((error: unknown) => t.fail(String(error)))
  })
}

export interface RawAnswer {
  readonly status: number
  readonly statusLine: string
  /** In order and case as they came, without `Date`. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
  header(name: string): string | undefined
}

/** Sends `text` (and more octets) on a connection of its own, reads until the server closes it. */
export async function exchange(port: number, text: string, ...more: Uint8Array[]): Promise<RawAnswer> {
  return parseAnswer(await rawExchange(port, text, ...more))
}

export function rawExchange(port: number, text: string, ...more: Uint8Array[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
    socket.on('error', reject)
    socket.write(text, 'latin1')
    for (const octets of more) socket.write(octets)
  })
}

/** One request of the given head lines; the connection ends with it. */
export function ask(port: number, line: string, ...lines: string[]): Promise<RawAnswer> {
  const head = [`${line} HTTP/1.1`, 'Host: site.example', 'Connection: close', ...lines]
  return exchange(port, `${head.join('\r\n')}\r\n\r\n`)
}

export function parseAnswer(raw: Buffer): RawAnswer {
  const end = raw.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = raw.toString('latin1', 0, end).split('\r\n')
  const headers = lines
    .map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
    .filter(([name]) => name !== 'Date')
  const header = (name: string): string | undefined =>
    headers.find(([one]) => one.toLowerCase() === name.toLowerCase())?.[1]
  return { status: Number(statusLine.split(' ')[1]), statusLine, headers, body: raw.subarray(end + 4), header }
}
