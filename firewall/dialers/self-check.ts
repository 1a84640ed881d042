/** Shakes hands with a recorder of its own, to see what a style really looks like before it is used. */
import { duplexPair } from 'node:stream'
import { connect } from 'node:tls'
import type { ClientHello } from './client-hello.ts'
import { ja4, readClientHello } from './client-hello.ts'
import { differences } from './differences.ts'
import type { BrowserProfile } from './profile.ts'
import type { TlsStyle } from './tls-connector.ts'

/** Milliseconds that it may take. */
const PATIENCE = 5_000

export interface Checked {
  /** Why the style must not be used; undefined where it shows what it claims to be. */
  readonly unfit?: string
  /** Where it differs all the same. */
  readonly leaks: readonly string[]
}

export async function checkStyle(style: TlsStyle, profile: BrowserProfile): Promise<Checked> {
  let hello: ClientHello
  try {
    hello = await recordHello(style)
  } catch {
    return { unfit: 'it could not be tried on this machine', leaks: [] }
  }
  const shown = ja4(hello)
  if (profile.ja4.fresh.includes(shown)) return { leaks: differences(profile, hello) }
  return { unfit: `it would show itself as ${shown}, which ${profile.family} ${profile.version} does not`, leaks: [] }
}

/** The ClientHello that a style sends, to a recorder in this process: no socket is needed for it. */
export async function recordHello(style: TlsStyle): Promise<ClientHello> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientHello>()
  const [near, far] = duplexPair()
  let bytes: Uint8Array = new Uint8Array(0)
  far.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    try {
      const hello = readClientHello(bytes)
      if (hello !== undefined) resolve(hello)
    } catch (error) {
      reject(error)
    }
  })
  // Nobody is trusted, since nobody answers: to read the authorities of the system would hold every start up.
  const client = connect({ ...style([]), socket: near, servername: 'localhost', rejectUnauthorized: true })
  client.on('error', reject)
  const timer = setTimeout(reject, PATIENCE, new Error('late'))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    client.destroy()
    far.destroy()
  }
}
