/** What was asked and answered on a connection whose records were opened: HTTP/1.1 or HTTP/2, as an edge would see it. */
import { performServerHandshake } from 'node:http2'
import { duplexPair } from 'node:stream'
import { concat } from '#protocol/bytes.ts'
import { Flag, FrameKind, PREFACE, readFrames } from '../../prober/http2.ts'
import type { OpenRecord } from './decrypt.ts'
import { RecordType } from './records.ts'

export type Headers = readonly (readonly [string, string])[]

export interface Exchange {
  /** Milliseconds since the epoch: first and last octet up, first and last octet down; NaN where there was no answer. */
  readonly askedAt: number
  readonly saidAt: number
  readonly answeredAt: number
  readonly endedAt: number
  readonly method: string
  readonly target: string
  /** In the order and with the letters of the wire; of HTTP/2 with what begins with a colon. */
  readonly headers: Headers
  readonly body: Uint8Array
  /** Octets of the answer's body. */
  readonly answer: number
  /** Lengths of the records, up and down, that carried this exchange and nothing else of another. */
  readonly up: readonly number[]
  readonly down: readonly number[]
}

export interface Http2Start {
  /** Identifier and value, in order. */
  readonly settings: readonly (readonly [number, number])[]
  /** Increment of the connection's window, 0 where there is none. */
  readonly window: number
  /** Order of the fields that begin with a colon, by their second letter. */
  readonly pseudo: string
  /** Weight and exclusive flag of the first request; undefined where it has none. */
  readonly priority: string | undefined
  /** Lengths of the records that hold what comes before the end of the first request. */
  readonly records: readonly number[]
}

export interface Conversation {
  readonly protocol: 'h1' | 'h2' | 'unknown'
  readonly exchanges: readonly Exchange[]
  readonly start: Http2Start | undefined
}

/** The opened content of one direction, and which record each octet came in. */
class Content {
  readonly octets: Uint8Array
  private readonly ends: { readonly end: number; readonly record: OpenRecord }[] = []

  constructor(records: readonly OpenRecord[]) {
    let end = 0
    for (const record of records) {
      end += record.plain.length
      this.ends.push({ end, record })
    }
    this.octets = concat(...records.map(({ plain }) => plain))
  }

  /** The records that hold these octets. */
  holding(from: number, to: number): OpenRecord[] {
    return this.ends
      .filter(({ end, record }) => end > from && end - record.plain.length < to)
      .map(({ record }) => record)
  }
}

export async function readConversation(records: readonly OpenRecord[]): Promise<Conversation> {
  const of = (up: boolean): Content =>
    new Content(records.filter((record) => record.up === up && record.inner === RecordType.data))
  const [up, down] = [of(true), of(false)]
  const nothing: Conversation = { protocol: 'unknown', exchanges: [], start: undefined }
  if (up.octets.length === 0) return nothing
  if (Buffer.from(up.octets.subarray(0, 4)).toString('latin1') === 'PRI ') return await readHttp2(up, down)
  return { protocol: 'h1', exchanges: readHttp1(up, down), start: undefined }
}

// ---- HTTP/1.1 -----------------------------------------------------------------------------------------------------------

interface Message {
  readonly first: string
  readonly headers: Headers
  readonly body: Uint8Array
  readonly from: number
  readonly to: number
}

function readHttp1(up: Content, down: Content): Exchange[] {
  const [asked, answered] = [readMessages(up.octets), readMessages(down.octets)]
  return asked.map((request, at) => {
    const response = answered[at]
    const [method = '', target = ''] = request.first.split(' ')
    const { headers, body } = request
    return {
      ...{ method, target, headers, body },
      ...span(up.holding(request.from, request.to), response && down.holding(response.from, response.to)),
      answer: response?.body.length ?? 0,
    }
  })
}

function span(
  up: readonly OpenRecord[],
  down: readonly OpenRecord[] = [],
): Omit<Exchange, 'method' | 'target' | 'headers' | 'body' | 'answer'> {
  return {
    askedAt: up[0]?.at ?? Number.NaN,
    saidAt: up.at(-1)?.at ?? Number.NaN,
    answeredAt: down[0]?.at ?? Number.NaN,
    endedAt: down.at(-1)?.at ?? Number.NaN,
    up: up.map(({ length }) => length),
    down: down.map(({ length }) => length),
  }
}

/** Whole messages, one after another; stops where one is not whole. */
function readMessages(octets: Uint8Array): Message[] {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const found: Message[] = []
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\r\n\r\n', from)
    if (end < 0) break
    const [first = '', ...lines] = text.toString('latin1', from, end).split('\r\n')
    const headers = lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
    })
    const of = (name: string): string | undefined => headers.find(([each]) => each.toLowerCase() === name)?.[1]
    const body =
      of('transfer-encoding') === 'chunked'
        ? chunked(text, end + 4)
        : plain(text, end + 4, Number(of('content-length') ?? 0))
    if (body === undefined) break
    found.push({ first, headers, body: body.octets, from, to: body.end })
    from = body.end
  }
  return found
}

function plain(text: Buffer, from: number, length: number): { octets: Uint8Array; end: number } | undefined {
  const end = from + length
  return end > text.length ? undefined : { octets: text.subarray(from, end), end }
}

function chunked(text: Buffer, from: number): { octets: Uint8Array; end: number } | undefined {
  const pieces: Uint8Array[] = []
  for (let at = from; ; ) {
    const line = text.indexOf('\r\n', at)
    if (line < 0) return undefined
    const length = Number.parseInt(text.toString('latin1', at, line), 16)
    const end = line + 2 + length + 2
    if (!(length >= 0) || end > text.length) return undefined
    if (length === 0) return { octets: concat(...pieces), end }
    pieces.push(text.subarray(line + 2, end - 2))
    at = end
  }
}

// ---- HTTP/2 -------------------------------------------------------------------------------------------------------------

/** Frames of one stream in one direction. */
interface Half {
  readonly records: Set<OpenRecord>
  body: number
  ended: boolean
  readonly data: Uint8Array[]
}

async function readHttp2(up: Content, down: Content): Promise<Conversation> {
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
export function decodeRequests(octets: Uint8Array): Promise<Map<number, Headers>> {
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
