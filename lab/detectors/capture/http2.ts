/** HTTP/2 on a connection whose records were opened: its beginning and its exchanges. */
import { performServerHandshake } from 'node:http2'
import { duplexPair } from 'node:stream'
import { concat } from '#protocol/bytes.ts'
import { Flag, FrameKind, PREFACE, readFrames } from '../../prober/http2.ts'
import type { Content } from './content.ts'
import { span } from './content.ts'
import type { OpenRecord } from './decrypt.ts'
import type { Conversation, Exchange, Headers, Http2Start } from './exchanges.ts'

/** Frames of one stream in one direction. */
interface Half {
  readonly records: Set<OpenRecord>
  body: number
  ended: boolean
  readonly data: Uint8Array[]
}

export async function readHttp2(up: Content, down: Content): Promise<Conversation> {
  const [asked, answered] = [halves(up, PREFACE.length), halves(down, 0)]
  const requests = await decodeRequests(up.octets)
  const exchanges = [...requests].map(([stream, headers]): Exchange => {
    const [request, response] = [asked.get(stream), answered.get(stream)]
    const of = (name: string): string => headers.find(([each]) => each === name)?.[1] ?? ''
    return {
      ...{ method: of(':method'), target: of(':path'), headers },
      body: concat(...(request?.data ?? [])),
      ...span([...(request?.records ?? [])], response?.ended === true ? [...response.records] : []),
      answer: response?.body ?? 0,
    }
  })
  return { protocol: 'h2', exchanges, start: readStart(up, exchanges[0]) }
}

function halves(content: Content, begin: number): Map<number, Half> {
  const streams = new Map<number, Half>()
  let at = begin
  for (const { kind, flags, stream, payload } of readFrames(content.octets.subarray(begin)).frames) {
    const [from, to] = [at, at + 9 + payload.length]
    at = to
    if (kind !== FrameKind.data && kind !== FrameKind.headers && kind !== FrameKind.continuation) continue
    const half = streams.get(stream) ?? { records: new Set(), body: 0, ended: false, data: [] }
    streams.set(stream, half)
    for (const record of content.holding(from, to)) half.records.add(record)
    if (kind === FrameKind.data) {
      half.body += payload.length
      half.data.push(payload)
    }
    if (kind !== FrameKind.continuation && (flags & Flag.endStream) !== 0) half.ended = true
  }
  return streams
}

/** By Node's own server, to which everything that the client said is said again: names in a table count for a connection. */
function decodeRequests(octets: Uint8Array): Promise<Map<number, Headers>> {
  const [near, far] = duplexPair()
  const session = performServerHandshake(near, { settings: { maxConcurrentStreams: 1000 } })
  const found = new Map<number, Headers>()
  session.on('error', () => {})
  session.on('stream', (stream, _headers, _flags, raw) => {
    stream.on('error', () => {})
    stream.resume()
    const pairs = Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!] as const)
    found.set(stream.id!, pairs)
  })
  far.on('error', () => {})
  far.resume()
  return new Promise((resolve) => {
    session.once('close', () => resolve(found))
    far.end(octets)
  })
}

function readStart(up: Content, first: Exchange | undefined): Http2Start {
  const { frames } = readFrames(up.octets.subarray(PREFACE.length))
  const settings = frames.find(({ kind, flags }) => kind === FrameKind.settings && flags === 0)
  const window = frames.find(({ kind, stream }) => kind === FrameKind.window && stream === 0)
  const headers = frames.find(({ kind }) => kind === FrameKind.headers)
  const view = (bytes: Uint8Array | undefined): Buffer => Buffer.from(bytes ?? [])
  const values = view(settings?.payload)
  const before = frames.slice(0, headers === undefined ? frames.length : frames.indexOf(headers) + 1)
  const end = before.reduce((sum, { payload }) => sum + 9 + payload.length, PREFACE.length)
  const has = headers !== undefined && (headers.flags & Flag.priority) !== 0
  const bytes = view(headers?.payload)
  return {
    settings: Array.from(
      { length: Math.floor(values.length / 6) },
      (_, i) => [values.readUInt16BE(6 * i), values.readUInt32BE(6 * i + 2)] as const,
    ),
    window: window === undefined ? 0 : view(window.payload).readUInt32BE(0),
    pseudo: (first?.headers ?? [])
      .filter(([name]) => name.startsWith(':'))
      .map(([name]) => name[1]!)
      .join(','),
    priority: has ? `${bytes[4]! + 1}${(bytes[0]! & 128) === 0 ? '' : ' exclusive'}` : undefined,
    records: up.holding(0, end).map(({ length }) => length),
  }
}
