/**
 * Octets of an HTTP/2 client as a browser writes them. Node's own client says the same in other pieces: its preface,
 * SETTINGS and WINDOW_UPDATE in two writes, several frames in one, no priority in HEADERS, and a header block that is coded
 * in another way, and no window behind them. Every write is one TLS record, so an observer would see the difference in lengths. And Node has
 * the DATA of a request some turns of its loop after the HEADERS, where a browser writes them one right after the other: HEADERS
 * wait for it. RFC 9113 sections 3.4, 4.1, 5.3.2 and 6.2.
 */
import type { Duplex } from 'node:stream'
import { Duplex as DuplexStream } from 'node:stream'
import type { BrowserProfile } from './profile.ts'

/** Of a request: which stream it depends on, exclusively, and its weight (RFC 7540 section 5.3, sent by Chromium still). */
export interface Priority {
  readonly dependsOn: number
  readonly exclusive: boolean
  /** As on the wire, one less than what it means. */
  readonly weight: number
}

/** What a request says in its HEADERS. */
export interface Opening {
  /** undefined where it says none. */
  readonly priority: Priority | undefined
  /** The header block, coded once, when it is written: what follows is coded after it. undefined: as Node codes it. */
  readonly block: Buffer | undefined
}

const HEAD = 9
const PREFACE_LENGTH = 24
const DATA = 0
const HEADERS = 1
const RESET = 3
const SETTINGS = 4
const ACK = 1
const WINDOW_UPDATE = 8
const END_STREAM = 0x01
const PRIORITY = 0x20
const END_HEADERS = 0x04

/** Milliseconds that HEADERS wait at most for the DATA behind them: a full window may keep that back. */
const MOST_MS = 50

/**
 * A stream for Node's client to speak on, in front of `socket`.
 * @param openingOf of the request on a stream; one that is not known ends the connection, since the blocks after it would be
 *   read wrongly
 * @param ownWindow whoever calls gives the connection's window back (`windowUpdate`), and Node does not
 */
export function shapedAs(
  socket: Duplex,
  http2: BrowserProfile['http2'],
  openingOf: (stream: number) => Opening | undefined,
  ownWindow: boolean,
): Duplex {
  const shaper = new Shaper(http2, openingOf, ownWindow)
  const queue: Buffer[] = []
  const dones: (() => void)[] = []
  let isWriting = false
  let timer: NodeJS.Timeout | undefined
  /** One after another: what waits in the socket together would go out together. */
  const pump = (): void => {
    const next = queue.shift()
    isWriting = next !== undefined
    if (next !== undefined) socket.write(next, (error) => (error ? stream.destroy(error) : pump()))
    else for (const done of dones.splice(0)) done()
  }
  const give = (pieces: readonly Buffer[]): void => {
    queue.push(...pieces)
    if (!isWriting) pump()
  }
  const release = (): void => {
    timer = undefined
    give(shaper.release())
  }
  const stream = new DuplexStream({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _, done) => {
      let pieces: Buffer[]
      try {
        pieces = shaper.take(chunk)
      } catch (error) {
        return done(error as Error)
      }
      if (shaper.keeps) timer ??= setTimeout(release, MOST_MS)
      dones.push(done)
      give(pieces)
    },
    final: (done) => {
      dones.push(() => void socket.end(() => done()))
      give(shaper.release())
    },
    destroy: (error, done) => {
      clearTimeout(timer)
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
  private readonly openingOf: (stream: number) => Opening | undefined
  private readonly ownWindow: boolean
  private rest: Buffer = Buffer.alloc(0)
  /** Preface and first frames, until the WINDOW_UPDATE that ends them. */
  private opening: Buffer[] | undefined = []
  /** Streams whose HEADERS wait for DATA, and what waits with them. */
  private readonly bodiless = new Set<number>()
  private readonly kept: Buffer[] = []

  constructor(http2: BrowserProfile['http2'], openingOf: (stream: number) => Opening | undefined, ownWindow: boolean) {
    this.http2 = http2
    this.openingOf = openingOf
    this.ownWindow = ownWindow
  }

  /** What can go out now, each piece in a record of its own. @throws Error for HEADERS of a request that is not known */
  take(chunk: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    const out: Buffer[] = []
    for (let frame = this.next(); frame !== undefined; frame = this.next()) {
      if (this.opening === undefined) out.push(...this.withBody(frame))
      else out.push(...this.opened(this.opening, frame))
    }
    return out
  }

  /** HEADERS wait for the DATA of their request. */
  get keeps(): boolean {
    return this.kept.length > 0
  }

  /** What waits, for whoever does not wait any longer. */
  release(): Buffer[] {
    this.bodiless.clear()
    return this.kept.splice(0)
  }

  private opened(opening: Buffer[], frame: Buffer): Buffer[] {
    const isFrame = opening.length > 0
    opening.push(isFrame && frame[3] === SETTINGS && !(frame[4]! & ACK) ? this.settings() : frame)
    if (!isFrame || frame[3] !== WINDOW_UPDATE) return []
    this.opening = undefined
    return [Buffer.concat(opening)]
  }

  /** In the order in which they came; nothing goes before HEADERS that wait. */
  private withBody(frame: Buffer): Buffer[] {
    const [kind, stream] = [frame[3]!, frame.readUInt32BE(5)]
    if (this.ownWindow && kind === WINDOW_UPDATE && stream === 0) return []
    if (kind === HEADERS && !(frame[4]! & END_STREAM)) this.bodiless.add(stream)
    else if (kind === DATA || kind === RESET) this.bodiless.delete(stream)
    this.kept.push(this.written(frame))
    return this.bodiless.size > 0 ? [] : this.release()
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

  private written(frame: Buffer): Buffer {
    if (frame[3] !== HEADERS) return frame
    const stream = frame.readUInt32BE(5)
    const opening = this.openingOf(stream)
    if (opening === undefined || (frame[4]! & (PRIORITY | END_HEADERS)) !== END_HEADERS)
      throw new Error('HEADERS that cannot be written as the browser does')
    const { priority, block = frame.subarray(HEAD) } = opening
    const front = Buffer.alloc(HEAD + (priority === undefined ? 0 : 5))
    front.writeUIntBE(front.length - HEAD + block.length, 0, 3)
    front[3] = HEADERS
    front[4] = frame[4]! | (priority === undefined ? 0 : PRIORITY)
    front.writeUInt32BE(stream, 5)
    if (priority !== undefined) {
      front.writeUInt32BE(((priority.exclusive ? 0x80000000 : 0) | priority.dependsOn) >>> 0, HEAD)
      front[HEAD + 4] = priority.weight
    }
    const { streamWindow } = this.http2
    return Buffer.concat([front, block, ...(streamWindow === 0 ? [] : [windowUpdate(streamWindow, stream)])])
  }

  /** Those of the browser: Node's client was given a larger window where each request adds to it. */
  private settings(): Buffer {
    const { settings } = this.http2
    const out = Buffer.alloc(HEAD + 6 * settings.length)
    out.writeUIntBE(6 * settings.length, 0, 3)
    out[3] = SETTINGS
    for (const [at, [id, value]] of settings.entries()) {
      out.writeUInt16BE(id, HEAD + 6 * at)
      out.writeUInt32BE(value, HEAD + 6 * at + 2)
    }
    return out
  }
}

/** Adds so many octets to the window of a stream, or of the connection. */
export function windowUpdate(increment: number, stream = 0): Buffer {
  const frame = Buffer.alloc(HEAD + 4)
  frame.writeUIntBE(4, 0, 3)
  frame[3] = WINDOW_UPDATE
  frame.writeUInt32BE(stream, 5)
  frame.writeUInt32BE(increment, HEAD)
  return frame
}
