/**
 * One end of the pipe between core and broker: frames over a socket, with back-pressure. Bytes in, frames out; what the
 * frames mean is said in messages.ts.
 *
 * Whoever answers calls (the broker) stops reading while its own output is stuck; whoever makes calls (the core) always
 * reads and waits before it writes more. So neither end can be made to hold more than its limits, and both cannot wait
 * for each other.
 */
import type { Duplex } from 'node:stream'
import { empty } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { decodeMessage, encodeMessage } from '#protocol/services/codec.ts'
import { encodeFrame, FrameDecoder } from './frames.ts'

export interface Message {
  readonly type: number
  readonly id: number
  readonly head: unknown
  /** May be a view of a larger buffer. */
  readonly raw: Uint8Array
}

export interface PipeHandlers {
  message(message: Message): void
  /** Everything written so far was taken. */
  drained(): void
  /** Once, as the last thing. E_FIREWALL_GONE, E_FIREWALL_BROKEN (rules broken); undefined after our own `close`. */
  closed(error: SottoError | undefined): void
}

export class Pipe {
  private readonly socket: Duplex
  private readonly handlers: PipeHandlers
  private over = false

  constructor(socket: Duplex, handlers: PipeHandlers) {
    this.socket = socket
    this.handlers = handlers
    const decoder = new FrameDecoder((frame) => this.receive(frame))
    socket.on('data', (chunk: Uint8Array) => {
      if (!this.over && !decoder.push(chunk)) this.fail('the other side sent what is no frame')
    })
    socket.on('drain', () => {
      if (!this.over) handlers.drained()
    })
    socket.on('end', () =>
      this.finish('E_FIREWALL_GONE', decoder.atBoundary ? 'the other side has gone' : 'the other side broke off'),
    )
    socket.on('close', () => this.finish('E_FIREWALL_GONE', 'the other side has gone'))
    socket.on('error', (cause) => this.finish('E_FIREWALL_GONE', 'it broke', cause))
  }

  /** True once the socket asks to wait with more. */
  get full(): boolean {
    return this.socket.writableNeedDrain
  }

  /** Octets written that the other side has not taken. */
  get backlog(): number {
    return this.socket.writableLength
  }

  /**
   * Queues one frame. `raw` is not copied and must not change until it is flushed.
   * @throws RangeError over the limits of a frame
   */
  send(type: number, id: number, head: unknown, raw: Uint8Array = empty): void {
    if (this.over) return
    const front = encodeFrame(type, id, encodeMessage(head), raw.length)
    this.socket.cork()
    this.socket.write(front)
    if (raw.length > 0) this.socket.write(raw)
    this.socket.uncork()
  }

  /** No message arrives until `resume`. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** The other side broke the rules: one error, and the end. */
  fail(what: string): void {
    this.finish('E_FIREWALL_BROKEN', what)
  }

  /** Flushes what was written, then ends. */
  close(): void {
    if (this.over) return
    this.socket.end(() => this.socket.destroy())
    this.end(undefined)
  }

  private receive(frame: { type: number; id: number; head: Uint8Array; raw: Uint8Array }): void {
    if (this.over) return
    const head = decodeMessage(frame.head)
    if (head === undefined) this.fail('the other side sent an unreadable message')
    else this.handlers.message({ type: frame.type, id: frame.id, head, raw: frame.raw })
  }

  private finish(code: 'E_FIREWALL_BROKEN' | 'E_FIREWALL_GONE', what: string, cause?: unknown): void {
    if (this.over) return
    this.socket.destroy()
    this.end(new SottoError(code, `The pipe between the halves of Sotto ended: ${what}.`, { cause }))
  }

  private end(error: SottoError | undefined): void {
    this.over = true
    this.handlers.closed(error)
  }
}
