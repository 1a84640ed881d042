/** A ClientHello as an observer sees it (RFC 8446 section 4.1.2), and the two hashes by which observers name clients. */
import { createHash } from 'node:crypto'

export interface Extension {
  readonly type: number
  readonly data: Uint8Array
}

export interface ClientHello {
  /** Octets of the handshake message. */
  readonly length: number
  /** In the order of the wire, with GREASE (RFC 8701). So are the others. */
  readonly ciphers: readonly number[]
  readonly extensions: readonly Extension[]
  readonly groups: readonly number[]
  readonly signatures: readonly number[]
  readonly pointFormats: readonly number[]
  readonly versions: readonly number[]
  readonly alpn: readonly string[]
  /** Group and octets of each key share. */
  readonly shares: readonly (readonly [number, number])[]
}

export const ExtensionType = {
  serverName: 0x0000,
  groups: 0x000a,
  pointFormats: 0x000b,
  signatures: 0x000d,
  alpn: 0x0010,
  versions: 0x002b,
  keyShare: 0x0033,
} as const

export const isGrease = (value: number): boolean => (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)

/**
 * From the first records of a connection; undefined while octets are missing.
 * @throws RangeError where they are no ClientHello
 */
export function readClientHello(bytes: Uint8Array): ClientHello | undefined {
  const message = handshakeMessage(bytes)
  return message === undefined ? undefined : parseMessage(message)
}

/** A whole handshake message. @throws RangeError where it is no ClientHello, or is cut short */
export function parseMessage(message: Uint8Array): ClientHello {
  if (message[0] !== 1 || message.length < 4) throw new RangeError('no ClientHello')
  const length = 4 + Buffer.from(message.subarray(1, 4)).readUIntBE(0, 3)
  if (message.length < length) throw new RangeError('a ClientHello that is cut short')
  return parse(new Reader(message.subarray(4, length)), length)
}

/** The first handshake message, out of one or several records. */
function handshakeMessage(bytes: Uint8Array): Uint8Array | undefined {
  const pieces: Uint8Array[] = []
  let have = 0
  for (let at = 0; at + 5 <= bytes.length; ) {
    if (bytes[at] !== 22) throw new RangeError('no handshake record')
    const length = bytes[at + 3]! * 256 + bytes[at + 4]!
    const piece = bytes.subarray(at + 5, at + 5 + length)
    pieces.push(piece)
    have += piece.length
    at += 5 + length
    const all = Buffer.concat(pieces)
    if (have < 4) continue
    if (all[0] !== 1) throw new RangeError('no ClientHello')
    const wanted = 4 + all.readUIntBE(1, 3)
    if (have >= wanted) return new Uint8Array(all.subarray(0, wanted))
  }
  return undefined
}

class Reader {
  private readonly bytes: Uint8Array
  private at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new RangeError('cut off')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  number(octets: 1 | 2): number {
    return this.take(octets).reduce((value, octet) => value * 256 + octet, 0)
  }

  /** What stands behind its own length. */
  vector(octets: 1 | 2): Reader {
    return new Reader(this.take(this.number(octets)))
  }

  numbers(octets: 1 | 2): number[] {
    return this.all(() => this.number(octets))
  }

  all<T>(one: () => T): T[] {
    const out: T[] = []
    while (this.left > 0) out.push(one())
    return out
  }
}

function parse(hello: Reader, length: number): ClientHello {
  hello.take(34)
  hello.vector(1)
  const ciphers = hello.vector(2).numbers(2)
  hello.vector(1)
  const list = hello.vector(2)
  const extensions = list.all(() => {
    const type = list.number(2)
    const inner = list.vector(2)
    return { type, data: inner.take(inner.left) }
  })
  const within = (type: number): Reader =>
    new Reader(extensions.find((each) => each.type === type)?.data ?? new Uint8Array(0))
  const listOf = (type: number, size: 1 | 2, each: 1 | 2): number[] => {
    const inside = within(type)
    return inside.left === 0 ? [] : inside.vector(size).numbers(each)
  }
  return {
    ...{ length, ciphers, extensions },
    groups: listOf(ExtensionType.groups, 2, 2),
    signatures: listOf(ExtensionType.signatures, 2, 2),
    pointFormats: listOf(ExtensionType.pointFormats, 1, 1),
    versions: listOf(ExtensionType.versions, 1, 2),
    alpn: namesIn(within(ExtensionType.alpn)),
    shares: sharesIn(within(ExtensionType.keyShare)),
  }
}

function namesIn(inside: Reader): string[] {
  if (inside.left === 0) return []
  const list = inside.vector(2)
  return list.all(() => {
    const name = list.vector(1)
    return Buffer.from(name.take(name.left)).toString('latin1')
  })
}

function sharesIn(inside: Reader): [number, number][] {
  if (inside.left === 0) return []
  const list = inside.vector(2)
  return list.all(() => [list.number(2), list.vector(2).left])
}

const hex4 = (value: number): string => value.toString(16).padStart(4, '0')
const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)
const plain = (values: readonly number[]): number[] => values.filter((value) => !isGrease(value))
const two = (count: number): string => String(Math.min(count, 99)).padStart(2, '0')

/** JA4 of FoxIO's technical_details/JA4.md, for TLS over TCP. GREASE counts nowhere, in signature algorithms neither. */
export function ja4(hello: ClientHello): string {
  const version = Math.max(...plain(hello.versions), 0x0301)
  const types = plain(hello.extensions.map(({ type }) => type))
  const first = hello.alpn[0] ?? ''
  const alpn = first === '' ? '00' : `${first[0]}${first.at(-1)}`
  const domain = types.includes(ExtensionType.serverName) ? 'd' : 'i'
  const ciphers = plain(hello.ciphers)
  const head = `t${version === 0x0304 ? '13' : '12'}${domain}${two(ciphers.length)}${two(types.length)}${alpn}`
  const named: readonly number[] = [ExtensionType.serverName, ExtensionType.alpn]
  const sorted = types.filter((type) => !named.includes(type)).map(hex4)
  const signatures = plain(hello.signatures).map(hex4).join(',')
  const tail = sorted.sort().join(',') + (signatures === '' ? '' : `_${signatures}`)
  return `${head}_${digest(ciphers.map(hex4).sort().join(','))}_${digest(tail)}`
}

/** JA3 with its extensions sorted, which permutation does not change: MD5 of version, ciphers, extensions, groups, formats. */
export function ja3Sorted(hello: ClientHello): string {
  const types = plain(hello.extensions.map(({ type }) => type)).sort((a, b) => a - b)
  const lists = [plain(hello.ciphers), types, plain(hello.groups), hello.pointFormats]
  const text = ['771', ...lists.map((list) => list.join('-'))].join(',')
  return createHash('md5').update(text).digest('hex')
}
