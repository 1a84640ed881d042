/** What a ClientHello says beside what the dialers read of one, and JA3, whose name changes with the order of extensions. */
import { createHash } from 'node:crypto'
import type { ClientHello as Hello } from '#firewall/dialers/client-hello.ts'
import { isGrease, parseMessage } from '#firewall/dialers/client-hello.ts'

export interface ClientHello extends Hello {
  readonly random: Uint8Array
  readonly version: number
  readonly serverName: string | undefined
  /** Octets of the extension with an encrypted or pretended inner hello; undefined where there is none. */
  readonly echLength: number | undefined
  readonly resumes: boolean
}

const Extension = { serverName: 0, preSharedKey: 41, ech: 0xfe0d } as const

/** The handshake message; undefined where it is none of a client's greeting, or is cut short. */
export function parseClientHello(message: Uint8Array): ClientHello | undefined {
  let hello: Hello
  try {
    hello = parseMessage(message)
  } catch {
    return undefined
  }
  const data = (type: number): Uint8Array | undefined => hello.extensions.find((each) => each.type === type)?.data
  const name = data(Extension.serverName)
  return {
    ...hello,
    random: message.subarray(6, 38),
    version: message[4]! * 256 + message[5]!,
    serverName: name === undefined || name.length <= 5 ? undefined : Buffer.from(name.subarray(5)).toString('latin1'),
    echLength: data(Extension.ech)?.length,
    resumes: data(Extension.preSharedKey) !== undefined,
  }
}

/** As its authors define it: MD5 over the lists in decimal, in the order of the wire. */
export function ja3({ version, ciphers, extensions, groups, pointFormats }: ClientHello): string {
  const meant = (values: readonly number[]): number[] => values.filter((value) => !isGrease(value))
  const parts = [[version], meant(ciphers), meant(extensions.map(({ type }) => type)), meant(groups), pointFormats]
  return createHash('md5')
    .update(parts.map((part) => part.join('-')).join(','))
    .digest('hex')
}
