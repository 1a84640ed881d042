/** A request of HTTP/1.1 in characters, asked over HTTP/2 on a connection of its own. */
import type { IncomingHttpHeaders } from 'node:http2'
import { connect } from 'node:http2'

/** What belongs to a connection, or has a name of its own in HTTP/2. */
const left: readonly string[] = ['host', 'connection', 'content-length', 'transfer-encoding']

/** All of the answer but the clock and the port: status, headers in their order, body. */
export function exchangeH2(port: number, request: string): Promise<string> {
  const [head, body] = split(request)
  const [start, ...lines] = head.split('\r\n')
  const [method, path] = start!.split(' ')
  const headers = lines.map((line): [string, string] => {
    const at = line.indexOf(':')
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()]
  })
  const kept = Object.fromEntries(headers.filter(([name]) => !left.includes(name)))
  return new Promise((resolve, reject) => {
    const session = connect(`https://127.0.0.1:${port}`, { servername: 'localhost', rejectUnauthorized: false })
    session.once('error', reject)
    const pseudo = { ':method': method, ':path': path, ':authority': 'localhost' }
    const stream = session.request({ ...pseudo, ...kept }, { endStream: body === '' })
    const chunks: Buffer[] = []
    let seen: IncomingHttpHeaders = {}
    stream.once('response', (found) => {
      seen = found
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject)
    stream.once('close', () => {
      session.destroy()
      const { date: _, ...rest } = seen
      const text = `${JSON.stringify(rest)}\n${Buffer.concat(chunks).toString('latin1')}`
      resolve(text.replaceAll(`:${port}`, ':port'))
    })
    if (body !== '') stream.end(Buffer.from(body, 'latin1'))
  })
}

function split(request: string): [string, string] {
  const at = request.indexOf('\r\n\r\n')
  return [request.slice(0, at), request.slice(at + 4)]
}
