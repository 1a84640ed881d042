/** HTTP/2 octet by octet (RFC 9113): frames as one likes them, and what a server's frames say. */
import { connect } from 'node:http2'
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
 * One line a frame, by stream: the order in which streams are answered is chance, the order within one is not. Data of a
 * stream in one piece, since where it is cut depends on how it arrived.
 */
export async function tellFrames(frames: readonly Frame[]): Promise<string> {
  const streams = new Map<number, string[]>()
  for (const each of frames) {
    const lines = streams.get(each.stream) ?? []
    streams.set(each.stream, lines)
    if (each.kind === FrameKind.data && lines.at(-1)?.startsWith('data ')) {
      lines.push(`data ${each.flags} ${lines.pop()!.replace(/^data \d+ /, '')}${text(each.payload)}`)
    } else lines.push(await tellFrame(each))
  }
  const told = [...streams].toSorted(([a], [b]) => a - b)
  return told.map(([stream, lines]) => `stream ${stream}\n${lines.join('\n')}`).join('\n')
}

async function tellFrame({ kind, flags, payload }: Frame): Promise<string> {
  if (kind === FrameKind.data) return `data ${flags} ${text(payload)}`
  const content = kind === FrameKind.headers ? await tellHeaders(payload) : hex(payload)
  return `${nameOfKind(kind)} ${flags} ${content}`
}

async function tellHeaders(block: Uint8Array): Promise<string> {
  const headers = await decodeHeaders(block)
  return headers === undefined ? hex(block) : headers.map(([name, value]) => `\n  ${name}: ${value}`).join('')
}

/**
 * The first block of headers of a connection; also later ones, where the server does not refer back to earlier ones, as
 * nginx does not. Decoded by Node's own client, to which the block is shown as the answer of its first request; undefined
 * where that does not take it.
 */
export function decodeHeaders(block: Uint8Array): Promise<Headers | undefined> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair()
    const session = connect('http://localhost', { createConnection: () => near })
    const done = (headers: Headers | undefined): void => {
      session.destroy()
      far.destroy()
      resolve(headers)
    }
    session.on('error', () => done(undefined))
    const stream = session.request({ ':path': '/' })
    stream.on('error', () => done(undefined))
    stream.on('close', () => done(undefined))
    stream.on('response', (_headers: unknown, _flags: number, raw: readonly string[]) => {
      done(Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!] as const))
    })
    far.write(SETTINGS)
    // An answer to a request that has not been made would be an error.
    const answer = frame(FrameKind.headers, Flag.endHeaders | Flag.endStream, 1, block)
    far.once('data', () => setImmediate(() => far.write(answer)))
  })
}
