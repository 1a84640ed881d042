/** Asks the live website as a stranger does: a connection for each question, nothing verified but what is looked at. */
import { request as httpRequest } from 'node:http'
import { connect as connectH2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'

/** Where the website is reached. */
export interface Place {
  /** Name or IP address to connect to. */
  readonly address: string
  readonly port: number
  /** Name that the website answers to. */
  readonly domain: string
}

export interface Question {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array | undefined
}

export interface Reply {
  readonly status: number
  /** Names and values as they came, in turn. */
  readonly headers: readonly string[]
  readonly body: Buffer
}

const LIMITS = {
  /** Octets of an answer that are read. */
  body: 4_194_304,
  /** Milliseconds until an answer counts as missing. */
  answerMs: 15_000,
} as const

/** Rejects where there is no answer. */
export const ask = ({ address, port, domain }: Place, question: Question): Promise<Reply> =>
  exchange(question, (headers) =>
    httpsRequest({
      ...{ host: address, port, servername: domain, rejectUnauthorized: false, agent: false },
      ...{ method: question.method, path: question.target, headers: ['Host', domain, ...headers] },
    }),
  )

/** The same from the application itself, behind the web server. `origin` without a path. */
export function askOrigin(origin: string, domain: string, question: Question): Promise<Reply> {
  const { protocol, hostname, port } = new URL(origin)
  const request = protocol === 'https:' ? httpsRequest : httpRequest
  return exchange(question, (headers) =>
    request({
      ...{ host: hostname, port: port === '' ? undefined : Number(port), agent: false },
      ...{ method: question.method, path: question.target, headers: ['Host', domain, ...headers] },
    }),
  )
}

function exchange(
  { headers, body }: Question,
  open: (headers: string[]) => ReturnType<typeof httpRequest>,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? [] : ['Content-Length', String(body.length)]
    const request = open([...headers.flat(), ...length, 'Connection', 'close'])
    request.setTimeout(LIMITS.answerMs, () => request.destroy(new Error('no answer in time')))
    request.once('error', reject)
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= LIMITS.body) chunks.push(chunk)
        else request.destroy(new Error('the answer is too long'))
      })
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode!, headers: response.rawHeaders, body: Buffer.concat(chunks) }),
      )
    })
    request.end(body)
  })
}

export function headerOf({ headers }: Reply, name: string): string | undefined {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name)
  return at < 0 ? undefined : headers[at + 1]
}

export interface Handshake {
  /** The certificate as it came. */
  readonly certificate: Uint8Array
  readonly validTo: Date
  readonly validFrom: Date
  /** Why nobody vouches for it; undefined where somebody does. */
  readonly doubt: string | undefined
  readonly alpn: string | undefined
}

/** A handshake that offers HTTP/2 and 1.1. Rejects where there is none. */
export async function shakeHands(
  place: Place,
  versions: { min?: SecureVersion; max?: SecureVersion } = {},
): Promise<Handshake> {
  const socket = await open(place, versions)
  const certificate = socket.getPeerX509Certificate()!
  const { authorizationError, alpnProtocol } = socket
  socket.destroy()
  return {
    certificate: new Uint8Array(certificate.raw),
    validFrom: certificate.validFromDate,
    validTo: certificate.validToDate,
    doubt: socket.authorized ? undefined : String(authorizationError),
    alpn: alpnProtocol === false || alpnProtocol === null ? undefined : alpnProtocol,
  }
}

/** Streams that the server lets one HTTP/2 connection have at once; undefined where it does not say, which is no limit. */
export function streamsAllowed({ address, port, domain }: Place): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const session = connectH2(`https://${domain}:${port}`, {
      ...{ host: address, servername: domain, rejectUnauthorized: false },
    })
    session.setTimeout(LIMITS.answerMs, () => session.destroy(new Error('no settings in time')))
    session.once('remoteSettings', ({ maxConcurrentStreams }) => {
      session.destroy()
      resolve(maxConcurrentStreams)
    })
    session.once('error', reject)
  })
}

function open(
  { address, port, domain }: Place,
  { min, max }: { min?: SecureVersion; max?: SecureVersion },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host: address, port, servername: domain, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] },
      ...(min === undefined ? {} : { minVersion: min, ciphers: 'DEFAULT:@SECLEVEL=0' }),
      ...(max === undefined ? {} : { maxVersion: max }),
    })
    socket.setTimeout(LIMITS.answerMs, () => socket.destroy(new Error('no answer in time')))
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
}
