/** Measures how long two kinds of requests take, turn by turn, over connections that stay open. */
import type { TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import { concat, u32 } from '#protocol/bytes.ts'
import { Flag, FrameKind, frame, PREFACE, setting } from './http2.ts'
import { isWhole } from './whole.ts'

/** Times of one kind beside the other: element i of both belongs to the same moment. Microseconds. */
export interface Times {
  readonly a: Float64Array
  readonly b: Float64Array
}

/** One request to make next, of either kind. */
export interface Side {
  readonly port: number
  readonly next: () => Uint8Array
}

const now = (): number => Number(process.hrtime.bigint()) / 1000

/** Milliseconds after which an answer counts as one that never comes. */
const ANSWER_MS = 30_000

/** The connections that measurements go over: one a port and protocol, open from the first to the last. */
export class Lines {
  private readonly plain = new Map<number, Connection>()
  private readonly multiplexed = new Map<number, Http2Connection>()

  /** One after the other, in a random order within each pair, over HTTP/1.1. */
  async takeTurns(a: Side, b: Side, pairs: number, random: () => number): Promise<Times> {
    const times = { a: new Float64Array(pairs), b: new Float64Array(pairs) }
    for (let i = 0; i < pairs; i++) {
      const first = random() < 0.5
      if (first) times.a[i] = await this.one(a)
      times.b[i] = await this.one(b)
      if (!first) times.a[i] = await this.one(a)
    }
    return times
  }

  private async one({ port, next }: Side): Promise<number> {
    const known = this.plain.get(port) ?? (await Connection.open(port))
    this.plain.set(port, known)
    return await known.time(next())
  }

  /**
   * Both at once on one HTTP/2 connection, in one write, each of them first in half of the races: the network between adds
   * the same to both, so that nothing but the order of the answers counts.
   */
  async race(port: number, a: Runner, b: Runner, races: number, random: () => number): Promise<Race> {
    const connection = this.multiplexed.get(port) ?? (await Http2Connection.open(port))
    this.multiplexed.set(port, connection)
    const by = new Float64Array(races)
    let later = 0
    for (let i = 0; i < races; i++) {
      const first = random() < 0.5
      const [one, two] = await connection.both(first ? a : b, first ? b : a)
      const [endA, endB] = first ? [one, two] : [two, one]
      if (endA.order > endB.order) later++
      by[i] = endA.at - endB.at
    }
    return { later, races, by }
  }

  close(): void {
    for (const connection of [...this.plain.values(), ...this.multiplexed.values()]) connection.close()
  }
}

/** Settles as `begin` settles it, and rejects where that does not come. */
function answered<T>(begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer in ${ANSWER_MS / 1000} s`)), ANSWER_MS)
    const settle =
      <V>(then: (value: V) => void) =>
      (value: V): void => {
        clearTimeout(late)
        then(value)
      }
    begin(settle(resolve), settle(reject))
  })
}

/** An HTTP/1.1 connection on which one request is under way at a time. Answers have to say where they end. */
class Connection {
  private readonly socket: TLSSocket
  private received: Uint8Array = new Uint8Array(0)
  private done: ((at: number) => void) | undefined
  private failed: ((error: Error) => void) | undefined

  private constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.take(chunk))
    socket.on('close', () => this.failed?.(new Error('the server has closed the connection')))
    socket.on('error', (error) => this.failed?.(error))
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false }
      const socket = connect({ ...options, ALPNProtocols: ['http/1.1'] }, () => resolve(new Connection(socket)))
      socket.setNoDelay(true)
      socket.once('error', reject)
    })
  }

  /** Microseconds from writing to the last octet of the answer. */
  time(request: Uint8Array): Promise<number> {
    return answered((resolve, reject) => {
      const began = now()
      this.failed = reject
      this.done = (at) => resolve(at - began)
      this.socket.write(request)
    })
  }

  close(): void {
    this.failed = undefined
    this.socket.destroy()
  }

  private take(chunk: Buffer): void {
    const at = now()
    this.received = this.received.length === 0 ? chunk : concat(this.received, chunk)
    if (!isWhole(this.received)) return
    this.received = new Uint8Array(0)
    this.done?.(at)
  }
}

/** The outcome of two requests that left in one TLS record. */
export interface Race {
  /** Races in which `a` was answered after `b`. */
  readonly later: number
  readonly races: number
  /** By how much, microseconds; b earlier counts as positive. */
  readonly by: Float64Array
}

/** The two requests of a race: frames of a stream, by its number. */
export type Runner = (stream: number) => Uint8Array

interface End {
  /** Of all ends on the connection. */
  readonly order: number
  readonly at: number
}

/** Streams and windows as large as HTTP/2 lets them be: nothing is to wait for leave. */
const opening = concat(
  PREFACE,
  frame(FrameKind.settings, 0, 0, setting(4, 0x7fffffff)),
  frame(FrameKind.window, 0, 0, u32(0x7fffffff - 65_535)),
)

class Http2Connection {
  private readonly socket: TLSSocket
  private received: Uint8Array = new Uint8Array(0)
  private readonly ends = new Map<number, End>()
  private ended = 0
  private stream = 1
  private wake: (() => void) | undefined
  private failed: ((error: Error) => void) | undefined

  private constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.take(chunk))
    socket.on('close', () => this.failed?.(new Error('the server has closed the connection')))
    socket.on('error', (error) => this.failed?.(error))
    socket.write(opening)
  }

  static open(port: number): Promise<Http2Connection> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false }
      const socket = connect({ ...options, ALPNProtocols: ['h2'] }, () => resolve(new Http2Connection(socket)))
      socket.setNoDelay(true)
      socket.once('error', reject)
    })
  }

  async both(first: Runner, second: Runner): Promise<[End, End]> {
    const [one, two] = [this.stream, this.stream + 2]
    this.stream += 4
    await answered<void>((resolve, reject) => {
      this.wake = resolve
      this.failed = reject
      this.socket.write(concat(first(one), second(two)))
    })
    const ends: [End, End] = [this.ends.get(one)!, this.ends.get(two)!]
    this.ends.clear()
    return ends
  }

  close(): void {
    this.failed = undefined
    this.socket.destroy()
  }

  private take(chunk: Buffer): void {
    const at = now()
    this.received = this.received.length === 0 ? new Uint8Array(chunk) : concat(this.received, chunk)
    const view = Buffer.from(this.received.buffer, this.received.byteOffset, this.received.length)
    let from = 0
    while (view.length - from >= 9 && view.length - from >= 9 + view.readUIntBE(from, 3)) {
      const [kind, flags, stream] = [view[from + 3]!, view[from + 4]!, view.readUInt32BE(from + 5)]
      from += 9 + view.readUIntBE(from, 3)
      if (kind === FrameKind.settings && (flags & Flag.ack) === 0) {
        this.socket.write(frame(FrameKind.settings, Flag.ack, 0))
      } else if (kind === FrameKind.reset || kind === FrameKind.goaway) {
        this.failed?.(new Error('the server has ended a stream'))
      } else if (kind <= FrameKind.headers && (flags & Flag.endStream) !== 0) {
        this.ends.set(stream, { order: this.ended++, at })
      }
    }
    this.received = this.received.subarray(from)
    if (this.ends.size === 2) this.wake?.()
  }
}
