/** HTTP/2 octet by octet (RFC 9113): frames as one likes them, and what a server's frames say. */
import type { ClientHttp2Session } from 'node:http2'
import { connect } from 'node:http2'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { concat, hex, u16, u32 } from '#protocol/bytes.ts'
import { octets, text } from './probe.ts'

export const FrameKind = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const

export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const

export interface Frame {
  readonly kind: number
  readonly flags: number
  readonly stream: number
  readonly payload: Uint8Array
}

export const PREFACE: Uint8Array = octets('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** `length`: what the head claims, where it is not the truth. */
export function frame(
  kind: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
  length: number = payload.length,
): Uint8Array {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.writeUIntBE(length, 0, 3)
  bytes.writeUInt8(kind, 3)
  bytes.writeUInt8(flags, 4)
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, 9)
  return new Uint8Array(bytes)
}

/** One setting: identifier and value. */
export function setting(id: number, value: number): Uint8Array {
  return concat(u16(id), u32(value))
}

export const SETTINGS: Uint8Array = frame(FrameKind.settings, 0, 0)

/** An HPACK integer with seven bits in its first octet. */
function integer(value: number): number[] {
  if (value < 127) return [value]
  const out = [127]
  let rest = value - 127
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128)
  out.push(rest)
  return out
}

/** Headers as literals that are not indexed, without Huffman coding. */
export function headerBlock(headers: readonly (readonly [string, string])[]): Uint8Array {
  return concat(
    ...headers.flatMap(([name, value]) => [
      Uint8Array.of(0, ...integer(name.length)),
      octets(name),
      Uint8Array.from(integer(value.length)),
      octets(value),
    ]),
  )
}

export type Headers = readonly (readonly [string, string])[]

export function requestHeaders(method: string, path: string, more: Headers = []): Headers {
  return [[':method', method], [':scheme', 'https'], [':authority', 'localhost'], [':path', path], ...more]
}

/** Frames of one request; a body in pieces that every server takes. */
export function request(stream: number, headers: Headers, body?: Uint8Array): Uint8Array {
  const flags = Flag.endHeaders | (body === undefined ? Flag.endStream : 0)
  const frames = [frame(FrameKind.headers, flags, stream, headerBlock(headers))]
  for (let at = 0; body !== undefined && (at < body.length || at === 0); at += 16_384) {
    const piece = body.subarray(at, at + 16_384)
    frames.push(frame(FrameKind.data, at + 16_384 >= body.length ? Flag.endStream : 0, stream, piece))
  }
  return concat(...frames)
}

/** Whole frames, and what is left where the last one is not whole. */
export function readFrames(bytes: Uint8Array): { readonly frames: readonly Frame[]; readonly rest: Uint8Array } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const frames: Frame[] = []
  let at = 0
  while (view.length - at >= 9) {
    const length = view.readUIntBE(at, 3)
    if (view.length - at < 9 + length) break
    const payload = bytes.subarray(at + 9, at + 9 + length)
    frames.push({ kind: view[at + 3]!, flags: view[at + 4]!, stream: view.readUInt32BE(at + 5), payload })
    at += 9 + length
  }
  return { frames, rest: bytes.subarray(at) }
}

const nameOfKind = (kind: number): string =>
  Object.entries(FrameKind).find(([, value]) => value === kind)?.[0] ?? String(kind)

/**
 * One line a frame, by stream: the order in which streams are answered is chance, the order within one is not, but for the
 * connection's own (stream 0). Data of a stream in one piece, since where it is cut depends on how it arrived.
 */
export async function tellFrames(frames: readonly Frame[]): Promise<string> {
  const blocks = frames.filter(({ kind }) => kind === FrameKind.headers).map(({ payload }) => payload)
  const headers = await decodeHeaders(blocks)
  const streams = new Map<number, string[]>()
  for (const each of frames) {
    const lines = streams.get(each.stream) ?? []
    streams.set(each.stream, lines)
    if (each.kind === FrameKind.data && lines.at(-1)?.startsWith('data ')) {
      lines.push(`data ${each.flags} ${lines.pop()!.replace(/^data \d+ /, '')}${text(each.payload)}`)
    } else lines.push(tellFrame(each, each.kind === FrameKind.headers ? headers.shift() : undefined))
  }
  streams.set(0, (streams.get(0) ?? []).toSorted())
  const told = [...streams].toSorted(([a], [b]) => a - b)
  return told.map(([stream, lines]) => `stream ${stream}\n${lines.join('\n')}`).join('\n')
}

function tellFrame({ kind, flags, payload }: Frame, headers: Headers | undefined): string {
  if (kind === FrameKind.data) return `data ${flags} ${text(payload)}`
  const content = headers?.map(([name, value]) => `\n  ${name}: ${value}`).join('') ?? hex(payload)
  return `${nameOfKind(kind)} ${flags} ${content}`
}

/** Milliseconds; a block that is not whole keeps the decoder waiting. */
const DECODE_MS = 10_000

/**
 * All blocks of headers of one connection, in their order, since later ones refer to earlier ones. Decoded by Node's own
 * client, to which they are shown as the answers of its requests; undefined from the first one on that it does not take.
 */
export async function decodeHeaders(blocks: readonly Uint8Array[]): Promise<(Headers | undefined)[]> {
  if (blocks.length === 0) return []
  const [near, far] = duplexPair()
  const session = connect('http://localhost', { createConnection: () => near })
  session.on('error', () => {})
  far.on('error', () => {})
  const decoded: (Headers | undefined)[] = []
  try {
    far.write(SETTINGS)
    for (const [i, block] of blocks.entries()) {
      const headers = await decodeOne(session, far, 2 * i + 1, block)
      if (headers === undefined) break
      decoded.push(headers)
    }
  } finally {
    session.destroy()
    far.destroy()
  }
  return [...decoded, ...Array.from({ length: blocks.length - decoded.length }, () => undefined)]
}

function decodeOne(
  session: ClientHttp2Session,
  far: Duplex,
  id: number,
  block: Uint8Array,
): Promise<Headers | undefined> {
  return new Promise((resolve) => {
    const late = setTimeout(() => done(undefined), DECODE_MS)
    const done = (headers: Headers | undefined): void => {
      clearTimeout(late)
      resolve(headers)
    }
    if (session.destroyed) return done(undefined)
    const stream = session.request({ ':path': '/' })
    const take = (_headers: unknown, _flags: number, raw: readonly string[]): void =>
      done(Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!] as const))
    stream.on('error', () => done(undefined))
    stream.on('close', () => done(undefined))
    // The latter for answers of 1xx.
    stream.on('response', take)
    stream.on('headers', take)
    // An answer to a request that has not been made would be an error. Its end is left out: it may promise a body.
    far.once('data', () => setImmediate(() => far.write(frame(FrameKind.headers, Flag.endHeaders, id, block))))
  })
}
