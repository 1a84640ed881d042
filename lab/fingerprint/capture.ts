/** A profile of a browser out of what it showed on a visit. */
import type { ClientHello } from '#firewall/dialers/client-hello.ts'
import { ExtensionType, isGrease, ja4 } from '#firewall/dialers/client-hello.ts'
import type { BrowserProfile } from '#firewall/dialers/profile.ts'
import { FrameKind } from '../prober/http2.ts'
import type { SeenConnection } from './recorder.ts'

const ECH = 0xfe0d
/** Extensions whose content OpenSSL writes itself, from the lists of the profile. */
const written: ReadonlySet<number> = new Set([
  ...[ExtensionType.serverName, ExtensionType.groups, ExtensionType.pointFormats, ExtensionType.signatures],
  ...[ExtensionType.alpn, ExtensionType.versions, ExtensionType.keyShare, 0x0005, 0x0017, 0x0023, 0x002d, 0xff01, ECH],
])
const PSK = 0x0029

const hex = (value: number): string => (isGrease(value) ? 'grease' : value.toString(16).padStart(4, '0'))

export interface CaptureInput {
  readonly family: BrowserProfile['family']
  /** Whole version of the browser. */
  readonly build: string
  /** Day, `2026-11-28`. */
  readonly captured: string
  /** Of a visit over HTTP/2. */
  readonly seen: readonly SeenConnection[]
}

/** @throws TypeError where the visit did not show everything */
export function capture({ family, build, captured, seen }: CaptureInput): BrowserProfile {
  const isResumed = ({ hello }: SeenConnection): boolean => hello.extensions.some(({ type }) => type === PSK)
  const fresh = seen.filter((each) => !isResumed(each)).map(({ hello }) => hello)
  const resumed = seen.filter(isResumed).map(({ hello }) => hello)
  const [hello] = fresh
  const main = seen.find(
    ({ protocol, frames }) => protocol === 'h2' && frames.some(({ kind }) => kind === FrameKind.headers),
  )
  if (hello === undefined || main === undefined || resumed.length === 0)
    throw new TypeError('the visit shows too little')
  return {
    ...{ family, version: build.split('.')[0]!, build, os: process.platform, captured },
    ja4: { fresh: distinct(fresh.map(ja4)), resumed: distinct(resumed.map(ja4)) },
    tls: tlsOf(hello, fresh),
    http2: http2Of(main),
  }
}

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)].sort()

function tlsOf(hello: ClientHello, fresh: readonly ClientHello[]): BrowserProfile['tls'] {
  const orders = distinct(fresh.map(({ extensions }) => extensions.map(({ type }) => hex(type)).join()))
  const isDrawn = orders.length > 1
  const list = hello.extensions.map(({ type, data }): [string, string | null] => [
    hex(type),
    written.has(type) ? null : Buffer.from(data).toString('hex'),
  ])
  // Where the order is drawn, any will do: one that stays the same from capture to capture.
  const inner = isDrawn ? list.slice(1, -1).sort(([a], [b]) => (a < b ? -1 : 1)) : list.slice(1, -1)
  const echLengths = distinct(
    fresh.flatMap(({ extensions }) => extensions.filter(({ type }) => type === ECH).map(({ data }) => data.length)),
  )
  return {
    ciphers: hello.ciphers.map(hex),
    groups: hello.groups.map(hex),
    shares: hello.shares.map(([group]) => hex(group)),
    signatures: hello.signatures.map(hex),
    pointFormats: [...hello.pointFormats],
    versions: hello.versions.map(hex),
    alpn: [...hello.alpn],
    order: isDrawn ? 'drawn' : 'fixed',
    extensions: [list[0]!, ...inner, list.at(-1)!],
    echLengths: echLengths.toSorted((a, b) => a - b),
  }
}

function http2Of({ frames, requests }: SeenConnection): BrowserProfile['http2'] {
  const of = (kind: number) => frames.find((frame) => frame.kind === kind)
  const settings = Buffer.from(of(FrameKind.settings)!.payload)
  const first = of(FrameKind.headers)!
  const streamWindow = frames.find(({ kind, stream }) => kind === FrameKind.window && stream === first.stream)
  return {
    settings: Array.from({ length: settings.length / 6 }, (_, i) => [
      settings.readUInt16BE(6 * i),
      settings.readUInt32BE(6 * i + 2),
    ]),
    window: Buffer.from(of(FrameKind.window)!.payload).readUInt32BE(),
    pseudo: requests[0]!.headers.map(([name]) => name).filter((name) => name.startsWith(':')),
    firstStream: first.stream,
    priority: (first.flags & 0x20) !== 0,
    streamWindow: streamWindow === undefined ? 0 : Buffer.from(streamWindow.payload).readUInt32BE(),
  }
}
