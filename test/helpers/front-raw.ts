/** One request over a TLS connection of its own, octet by octet as given, and everything that comes back. */
import { connect } from 'node:tls'

/**
 * What a prober compares: all of the answer but the clock, the port, and the boundary of a multipart answer (nginx counts them,
 * Caddy draws them; which site or gateway asked makes no difference).
 */
export async function exchangeRaw(port: number, request: string | Uint8Array): Promise<string> {
  for (let tries = 1; ; tries++) {
    const { answer, isCut } = await exchange(port, request)
    if (!isCut || tries === CUT_TRIES) return withoutPlace(port, withoutClock(answer))
  }
}

/** A server that refuses a body cuts the connection while it is still coming; the cut may overtake what it had answered. */
const CUT_TRIES = 10

function exchange(port: number, request: string | Uint8Array): Promise<{ answer: string; isCut: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false })
    const chunks: Buffer[] = []
    let isCut = false
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      isCut = error.code === 'EPIPE' || error.code === 'ECONNRESET'
      if (chunks.length === 0 && !isCut) reject(error)
    })
    socket.on('close', () => resolve({ answer: Buffer.concat(chunks).toString('latin1'), isCut }))
    socket.write(request)
  })
}

/** A server may name its own port, as in `Alt-Svc` and redirects. */
const withoutPlace = (port: number, answer: string): string => answer.replaceAll(`:${port}`, ':port')

function withoutClock(answer: string): string {
  const boundary = /^Content-Type: multipart\/byteranges; boundary=([0-9a-f]{20,})\r$/m.exec(answer)?.[1]
  const text = answer.replace(/^Date: [^\r]*\r$/gm, 'Date:\r')
  return boundary === undefined ? text : text.replaceAll(boundary, 'boundary')
}
