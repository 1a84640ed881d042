/**
 * Octets of an HTTP/2 client as a browser writes them. Node's own client says the same in other pieces: its preface,
 * SETTINGS and WINDOW_UPDATE in two writes, several frames in one, no priority in HEADERS and no window behind them. Every
 * write is one TLS record, so an observer would see the difference in lengths. RFC 9113 sections 3.4, 4.1, 6.2, 6.5, 6.9.
 */
import type { Duplex } from 'node:stream'
import { Duplex as DuplexStream } from 'node:stream'
import type { BrowserProfile } from './profile.ts'

/** Of a request: which stream it depends on, and its weight (RFC 7540 section 5.3, which browsers send still). */
export interface Priority {
  readonly dependsOn: number
  readonly exclusive: boolean
  /** As on the wire, one less than what it means. */
  readonly weight: number
}

const HEAD = 9
const PREFACE_LENGTH = 24
const HEADERS = 1
const SETTINGS = 4
const WINDOW_UPDATE = 8
const PRIORITY = 0x20
const ACK = 1

/**
 * A stream for Node's client to speak on, in front of `socket`.
 * @param priorityOf of the request on a stream; undefined where it says none
 */
export function shapedAs(
  socket: Duplex,
  http2: BrowserProfile['http2'],
  priorityOf: (stream: number) => Priority | undefined,
): Duplex {
  const shaper = new Shaper(http2, priorityOf)
  const write = (records: readonly Buffer[], done: (error?: Error | null) => void): void => {
    const [next, ...others] = records
    if (next === undefined) return done()
    // One after another: what waits together would go out together.
    socket.write(next, (error) => (error ? done(error) : write(others, done)))
  }
  const stream = new DuplexStream({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _, done) => write(shaper.take(chunk), done),
    final: (done) => void socket.end(() => done()),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk) => {
    if (!stream.push(chunk)) socket.pause()
  })
  socket.once('end', () => stream.push(null))
  socket.once('error', (error) => stream.destroy(error))
  socket.once('close', () => stream.destroy())
  return stream
}

/** Cuts what it is given into frames; keeps what is not whole. */
export class Shaper {
  private readonly http2: BrowserProfile['http2']
  private readonly priorityOf: (stream: number) => Priority | undefined
  private rest: Buffer = Buffer.alloc(0)
  /** Preface and first frames, until the WINDOW_UPDATE that ends them. */
  private opening: Buffer[] | undefined = []

  constructor(http2: BrowserProfile['http2'], priorityOf: (stream: number) => Priority | undefined) {
    this.http2 = http2
    this.priorityOf = priorityOf
  }

  /** What can go out now, each piece in a record of its own. */
  take(chunk: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    const out: Buffer[] = []
    for (let frame = this.next(); frame !== undefined; frame = this.next()) {
      if (this.opening === undefined) out.push(frame[3] === HEADERS ? this.request(frame) : frame)
      else {
        const isFrame = this.opening.length > 0
        this.opening.push(isFrame && frame[3] === SETTINGS && !(frame[4]! & ACK) ? this.settings() : frame)
        if (!isFrame || frame[3] !== WINDOW_UPDATE) continue
        out.push(Buffer.concat(this.opening))
        this.opening = undefined
      }
    }
    return out
  }

  private next(): Buffer | undefined {
    const isPreface = this.opening?.length === 0
    if (this.rest.length < (isPreface ? PREFACE_LENGTH : HEAD)) return undefined
    const length = isPreface ? PREFACE_LENGTH : HEAD + this.rest.readUIntBE(0, 3)
    if (this.rest.length < length) return undefined
    const frame = this.rest.subarray(0, length)
    this.rest = this.rest.subarray(length)
    return frame
  }

  /** Those of the browser: Node's client was given a larger window where each request adds to it. */
  private settings(): Buffer {
    const { settings } = this.http2
    const out = frameOf(SETTINGS, 0, 0, 6 * settings.length)
    for (const [at, [id, value]] of settings.entries()) {
      out.writeUInt16BE(id, HEAD + 6 * at)
      out.writeUInt32BE(value, HEAD + 6 * at + 2)
    }
    return out
  }

  /** HEADERS with what the browser says in and behind them. */
  private request(frame: Buffer): Buffer {
    const stream = frame.readUInt32BE(5)
    const priority = this.priorityOf(stream)
    const headers = priority === undefined || frame[4]! & PRIORITY ? frame : prioritised(frame, stream, priority)
    if (this.http2.streamWindow === 0) return headers
    const window = frameOf(WINDOW_UPDATE, 0, stream, 4)
    window.writeUInt32BE(this.http2.streamWindow, HEAD)
    return Buffer.concat([headers, window])
  }
}

function prioritised(frame: Buffer, stream: number, { dependsOn, exclusive, weight }: Priority): Buffer {
  const out = frameOf(HEADERS, frame[4]! | PRIORITY, stream, frame.length - HEAD + 5)
  out.writeUInt32BE(((exclusive ? 0x80000000 : 0) | dependsOn) >>> 0, HEAD)
  out[HEAD + 4] = weight
  frame.copy(out, HEAD + 5, HEAD)
  return out
}

/** Without its payload. */
function frameOf(type: number, flags: number, stream: number, length: number): Buffer {
  const out = Buffer.alloc(HEAD + length)
  out.writeUIntBE(length, 0, 3)
  out[3] = type
  out[4] = flags
  out.writeUInt32BE(stream, 5)
  return out
}
