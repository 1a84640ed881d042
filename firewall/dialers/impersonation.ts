/**
 * ClientHellos that look like a browser's, out of OpenSSL by way of tls-impersonate: what the profile says, with what a
 * browser draws for each connection drawn for each connection. The library is loaded here and only when it is asked for:
 * it has no build for every platform.
 */
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import { isMainThread } from 'node:worker_threads'
import type { Random } from '#protocol/bytes.ts'
import type { BrowserProfile } from './profile.ts'
import type { TlsStyle } from './tls-connector.ts'

/** Extensions whose content we draw. */
const ECH = 0xfe0d
/** Node's name of each group that profiles have; a `*` in front of it asks for a key share. */
const groupNames: Readonly<Record<string, string>> = {
  '11ec': 'X25519MLKEM768',
  '001d': 'X25519',
  '0017': 'P-256',
  '0018': 'P-384',
  '0019': 'P-521',
  '0100': 'ffdhe2048',
  '0101': 'ffdhe3072',
}

type Library = typeof import('tls-impersonate')

/** undefined where there is no build for this platform or this Node. */
async function loadLibrary(): Promise<Library | undefined> {
  try {
    const library = await import('tls-impersonate')
    if (!library.isSupported()) return undefined
    if (!isMainThread) keepLoaded()
    return library
  } catch {
    return undefined
  }
}

/** Of dlopen(3) on Linux; Node has no name for it. */
const RTLD_NODELETE = 0x1000

/**
 * What a thread has loaded is unloaded with the thread, while OpenSSL goes on calling it whenever any other thread drops a
 * context: the process would crash. In the main thread nothing is unloaded.
 */
function keepLoaded(): void {
  const inside = createRequire(createRequire(import.meta.url).resolve('tls-impersonate'))
  const folder = dirname(dirname(inside.resolve('./native.js')))
  const file: string = inside('node-gyp-build').path(folder)
  if (process.platform === 'linux') process.dlopen({ exports: {} }, file, constants.dlopen.RTLD_NOW | RTLD_NODELETE)
}

/** undefined where this platform or this Node cannot do it. */
export async function impersonation(profile: BrowserProfile, random: Random): Promise<TlsStyle | undefined> {
  const library = await loadLibrary()
  return library === undefined ? undefined : (authorities) => styleOf(library, profile, random, authorities)
}

function styleOf(
  library: Library,
  { tls }: BrowserProfile,
  random: Random,
  authorities: readonly string[] | undefined,
): ConnectionOptions {
  const draw = new Draw(random)
  const numbers = (list: readonly string[]): number[] => list.filter((each) => each !== 'grease').map(number)
  const { tlsOptions } = library.impersonate(
    {
      cipherSuites: numbers(tls.ciphers),
      supportedGroups: numbers(tls.groups),
      signatureAlgorithms: numbers(tls.signatures),
      alpnProtocols: [...tls.alpn],
      extensions: extensionsOf(tls, draw),
    },
    authorities === undefined ? {} : { ca: [...authorities] },
  )
  setGroups(tlsOptions.secureContext as SecureContext, tls)
  return tlsOptions as ConnectionOptions
}

/** The library names groups without asking for key shares; OpenSSL sends one for each that has a `*`. */
function setGroups(context: SecureContext, tls: BrowserProfile['tls']): void {
  const names = tls.groups.flatMap((group) => {
    const name = groupNames[group]
    return name === undefined ? [] : [tls.shares.includes(group) ? `*${name}` : name]
  })
  ;(context.context as { setECDHCurve(names: string): void }).setECDHCurve(names.join(':'))
}

const number = (hex: string): number => Number.parseInt(hex, 16)

interface ExtensionSpec {
  readonly type: number
  readonly data?: Buffer
}

/** OpenSSL names so many formats of points, whatever is wanted. */
const POINT_FORMATS = 3

/**
 * Octets by which OpenSSL's greeting is shorter than the browser's, since it has no GREASE in its lists: two in each, five for a
 * key share. They are added to the last extension, which says nothing either, so that the greeting has one of the browser's lengths.
 */
function shortfall({ ciphers, groups, signatures, versions, shares, pointFormats }: BrowserProfile['tls']): number {
  const greases = (list: readonly string[]): number => list.filter((each) => each === 'grease').length
  const inLists = [ciphers, groups, signatures, versions].reduce((sum, list) => sum + 2 * greases(list), 0)
  return inLists + 5 * greases(shares) - (POINT_FORMATS - pointFormats.length)
}

/** In the order of the wire, as far as OpenSSL heeds it: its own extensions come behind the others, in its own order. */
function extensionsOf(tls: BrowserProfile['tls'], draw: Draw): ExtensionSpec[] {
  const grease = draw.grease(2)
  const last = tls.extensions.length - 1
  const list = tls.extensions.map(([type, content], at): ExtensionSpec => {
    if (type === 'grease') return { type: grease.pop()!, ...data(content, at === last ? shortfall(tls) : 0) }
    if (number(type) === ECH) return { type: ECH, data: draw.ech(tls.echLengths) }
    return { type: number(type), ...data(content) }
  })
  return tls.order === 'fixed' ? list : draw.permuted(list)
}

const data = (content: string | null, more = 0): { data?: Buffer } =>
  content === null ? {} : { data: Buffer.concat([Buffer.from(content, 'hex'), Buffer.alloc(more)]) }

/** What a browser leaves to chance. */
class Draw {
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  private below(count: number): number {
    // Four octets for at most a few dozens: the bias is below one in a hundred million.
    return Buffer.from(this.random(4)).readUInt32BE() % count
  }

  /** Different values, as two extensions of one type are forbidden. */
  grease(count: number): number[] {
    const out = new Set<number>()
    while (out.size < count) out.add(this.below(16) * 0x1010 + 0x0a0a)
    return [...out]
  }

  /** All but the first and the last, which are GREASE. */
  permuted(list: readonly ExtensionSpec[]): ExtensionSpec[] {
    const inner = list.slice(1, -1)
    for (let at = inner.length - 1; at > 0; at--) {
      const other = this.below(at + 1)
      ;[inner[at], inner[other]] = [inner[other]!, inner[at]!]
    }
    return [list[0]!, ...inner, list.at(-1)!]
  }

  /**
   * Of one of the lengths, as a client without a configuration sends it (RFC 9849 section 6.2): HKDF-SHA256, AES-128-GCM,
   * the public half of some X25519 key (the top bit of its last octet is never set), and octets like ciphertext.
   */
  ech(lengths: readonly number[]): Buffer {
    const out = Buffer.from(this.random(lengths[this.below(lengths.length)]!))
    out.set([0, 0, 1, 0, 1], 0)
    out.writeUInt16BE(32, 6)
    out[39]! &= 0x7f
    out.writeUInt16BE(out.length - 42, 40)
    return out
  }
}
