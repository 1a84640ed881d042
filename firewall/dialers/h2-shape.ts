/**
 * Octets of an HTTP/2 client as a browser writes them. Node's own client says the same in other pieces: its preface,
 * SETTINGS and WINDOW_UPDATE in two writes, several frames in one, and no priority in HEADERS. Every write is one TLS
 * record, so an observer would see the difference in lengths. RFC 9113 sections 3.4, 4.1, 5.3.2 and 6.2.
 */
import type { Duplex } from 'node:stream'
import { Duplex as DuplexStream } from 'node:stream'

/** Of a request: which stream it depends on, exclusively, and its weight (RFC 7540 section 5.3, sent by Chromium still). */
export interface Priority {
  readonly stream: number
  readonly dependsOn: number
  /** As on the wire, one less than what it means. */
  readonly weight: number
}

const HEAD = 9
const PREFACE_LENGTH = 24
const HEADERS = 1
const WINDOW_UPDATE = 8
const PRIORITY = 0x20

/**
 * A stream for Node's client to speak on, in front of `socket`.
 * @param priorityOf of the request on a stream; undefined where it says none
 */
export function shapedAs(socket: Duplex, priorityOf: (stream: number) => Priority | undefined): Duplex {
  const shaper = new Shaper(priorityOf)
  const write = (frames: readonly Buffer[], done: (error?: Error | null) => void): void => {
    const [next, ...others] = frames
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
  private readonly priorityOf: (stream: number) => Priority | undefined
  private rest: Buffer = Buffer.alloc(0)
  /** Preface and first frames, until the WINDOW_UPDATE that ends them. */
  private opening: Buffer[] | undefined = []

  constructor(priorityOf: (stream: number) => Priority | undefined) {
    this.priorityOf = priorityOf
  }

  /** What can go out now, each piece in a record of its own. */
  take(chunk: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    const out: Buffer[] = []
    for (let frame = this.next(); frame !== undefined; frame = this.next()) {
      if (this.opening === undefined) out.push(this.prioritised(frame))
      else {
        this.opening.push(frame)
        if (frame.length <= HEAD || frame[3] !== WINDOW_UPDATE) continue
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

  private prioritised(frame: Buffer): Buffer {
    if (frame[3] !== HEADERS || frame[4]! & PRIORITY) return frame
    const priority = this.priorityOf(frame.readUInt32BE(5))
    if (priority === undefined) return frame
    const out = Buffer.alloc(frame.length + 5)
    frame.copy(out, 0, 0, HEAD)
    out.writeUIntBE(frame.length - HEAD + 5, 0, 3)
    out[4] = frame[4]! | PRIORITY
    out.writeUInt32BE((0x80000000 | priority.dependsOn) >>> 0, HEAD)
    out[HEAD + 4] = priority.weight
    frame.copy(out, HEAD + 5, HEAD)
    return out
  }
}
