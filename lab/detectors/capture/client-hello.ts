/** What a ClientHello says (RFC 8446 section 4.1.2), and the names that detectors give to it: JA3 and JA4. */
import { createHash } from 'node:crypto'

export interface ClientHello {
  readonly random: Uint8Array
  readonly version: number
  readonly ciphers: readonly number[]
  /** Types in order, with their content. */
  readonly extensions: readonly { readonly type: number; readonly data: Uint8Array }[]
  readonly serverName: string | undefined
  readonly protocols: readonly string[]
  readonly signatures: readonly number[]
  readonly groups: readonly number[]
  readonly pointFormats: readonly number[]
  readonly versions: readonly number[]
  /** Octets of the extension with an encrypted or pretended inner hello; undefined where there is none. */
  readonly echLength: number | undefined
  /** Octets of the handshake message. */
  readonly length: number
  readonly resumes: boolean
}

const Extension = {
  serverName: 0,
  groups: 10,
  pointFormats: 11,
  signatures: 13,
  protocols: 16,
  preSharedKey: 41,
  versions: 43,
  ech: 0xfe0d,
} as const

/** Values without meaning that keep servers from choking on new ones (RFC 8701). */
export const isGrease = (value: number): boolean => (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)

const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! * 256 + bytes[at + 1]!

/** 16-bit values from `from` on. */
function list16(bytes: Uint8Array, from: number, to: number = bytes.length): number[] {
  const found: number[] = []
  for (let at = from; at + 2 <= to; at += 2) found.push(u16(bytes, at))
  return found
}

/** The handshake message; undefined where it is none of a client's greeting, or is cut short. */
export function parseClientHello(message: Uint8Array): ClientHello | undefined {
  if (message[0] !== 1 || message.length < 43) return undefined
  const length = 4 + message[1]! * 65_536 + u16(message, 2)
  if (message.length < length) return undefined
  let at = 4 + 2 + 32
  at += 1 + message[at]!
  const ciphers = list16(message, at + 2, at + 2 + u16(message, at))
  at += 2 + u16(message, at)
  at += 1 + message[at]!
  const extensions: { type: number; data: Uint8Array }[] = []
  for (at += 2; at + 4 <= length; ) {
    const end = at + 4 + u16(message, at + 2)
    if (end > length) return undefined
    extensions.push({ type: u16(message, at), data: message.subarray(at + 4, end) })
    at = end
  }
  const data = (type: number): Uint8Array => extensions.find((each) => each.type === type)?.data ?? new Uint8Array(0)
  const name = data(Extension.serverName)
  return {
    random: message.subarray(6, 38),
    version: u16(message, 4),
    ciphers,
    extensions,
    serverName: name.length > 5 ? Buffer.from(name.subarray(5)).toString('latin1') : undefined,
    protocols: protocolsIn(data(Extension.protocols)),
    signatures: list16(data(Extension.signatures), 2),
    groups: list16(data(Extension.groups), 2),
    pointFormats: [...data(Extension.pointFormats).subarray(1)],
    versions: list16(data(Extension.versions), 1),
    echLength: extensions.find(({ type }) => type === Extension.ech)?.data.length,
    length,
    resumes: extensions.some(({ type }) => type === Extension.preSharedKey),
  }
}

function protocolsIn(data: Uint8Array): string[] {
  const found: string[] = []
  for (let at = 2; at < data.length; at += 1 + data[at]!)
    found.push(Buffer.from(data.subarray(at + 1, at + 1 + data[at]!)).toString('latin1'))
  return found
}

const digest = (hash: string, text: string): string => createHash(hash).update(text).digest('hex')
const hex4 = (value: number): string => value.toString(16).padStart(4, '0')
const meant = (values: readonly number[]): number[] => values.filter((value) => !isGrease(value))

/** As its authors define it: MD5 over the lists in decimal. `sorted`: extensions by number, so that their order says nothing. */
export function ja3({ version, ciphers, extensions, groups, pointFormats }: ClientHello, sorted = false): string {
  const types = meant(extensions.map(({ type }) => type))
  const order = sorted ? types.toSorted((a, b) => a - b) : types
  const parts = [[version], meant(ciphers), order, meant(groups), pointFormats]
  return digest('md5', parts.map((part) => part.join('-')).join(','))
}

/**
 * JA4 (FoxIO, technical_details/JA4.md), over TCP. `greaseInSignatures`: as some counters have it, which leave a value
 * without meaning among the signature algorithms: such a client then has many names.
 */
export function ja4(hello: ClientHello, greaseInSignatures = false): string {
  const { serverName, protocols, signatures } = hello
  const ciphers = meant(hello.ciphers)
  const types = meant(hello.extensions.map(({ type }) => type))
  const best = Math.max(hello.version, ...meant(hello.versions))
  const version = { 772: '13', 771: '12', 770: '11', 769: '10' }[best] ?? '00'
  const protocol = protocols[0] ?? ''
  const ends = protocol === '' ? '00' : `${protocol[0]}${protocol.at(-1)}`
  const two = (count: number): string => String(Math.min(count, 99)).padStart(2, '0')
  const first = `t${version}${serverName === undefined ? 'i' : 'd'}${two(ciphers.length)}${two(types.length)}${ends}`
  const short = (values: readonly string[], rest = ''): string =>
    values.length === 0 ? '0'.repeat(12) : digest('sha256', values.toSorted().join(',') + rest).slice(0, 12)
  const named = types.filter((type) => type !== Extension.serverName && type !== Extension.protocols).map(hex4)
  const signed = (greaseInSignatures ? signatures : meant(signatures)).map(hex4)
  return `${first}_${short(ciphers.map(hex4))}_${short(named, signed.length === 0 ? '' : `_${signed.join(',')}`)}`
}
