/** One bidirectional, reliable, ordered byte stream of a session, as its user sees it. Spec section 7. */
import { ReceiveBuffer } from './receive-buffer.ts'
import { SendBuffer } from './send-buffer.ts'

/** Lower goes first. A chat message must not wait behind a file. */
export const Priority = { control: 0, urgent: 1, normal: 2, bulk: 3 } as const
export type Priority = (typeof Priority)[keyof typeof Priority]

/** What a stream needs of its session. */
export interface StreamOwner {
  /** Something may have become sendable. */
  wake(): void
  announceWindow(stream: Stream): void
  consumed(octets: number): void
  cutOff(stream: Stream, code: number): void
  settled(stream: Stream): void
}

export class Stream {
  /** Set by the session once the stream begins. */
  id: number
  /** Of what this side sends. Who answers a stream that the peer opened may say that it is a file. */
  priority: Priority
  readonly sending: SendBuffer
  readonly receiving: ReceiveBuffer = new ReceiveBuffer()
  /** Called with octets in order; the session's owner gives credit back by `consume`. */
  onData: ((bytes: Uint8Array) => void) | undefined
  /** The peer has sent its last octet. */
  onEnd: (() => void) | undefined
  /** The stream was cut by either side or with the session: `code` of `CloseCode`. */
  onReset: ((code: number) => void) | undefined
  /** Octets held for sending have been acknowledged. */
  onDrain: (() => void) | undefined
  private readonly owner: StreamOwner
  private closed = false
  private endDelivered = false

  constructor(id: number, priority: Priority, sendLimit: number, owner: StreamOwner) {
    this.id = id
    this.priority = priority
    this.sending = new SendBuffer(sendLimit)
    this.owner = owner
  }

  get isClosed(): boolean {
    return this.closed
  }

  /** Octets written and not yet acknowledged: a writer that respects it keeps memory bounded. */
  get held(): number {
    return this.sending.held
  }

  /** Keeps a reference to `bytes`: do not change them afterwards. Without effect once the stream is closed or ended. */
  write(bytes: Uint8Array): void {
    if (this.closed || this.sending.isEnded) return
    this.sending.write(bytes)
    this.owner.wake()
  }

  /** No more octets will follow. */
  end(): void {
    if (this.closed || this.sending.isEnded) return
    this.sending.end()
    this.owner.wake()
  }

  /** Gives up both directions. */
  reset(code: number): void {
    if (this.closed) return
    this.owner.cutOff(this, code)
    this.cut(code)
  }

  /**
   * Octets handed out by `onData` have been dealt with; the peer may send as many more. What was not when the stream
   * closed counts as dealt with from then on.
   */
  consume(octets: number): void {
    if (this.closed) return
    this.owner.consumed(octets)
    if (this.receiving.consume(octets) !== undefined) this.owner.announceWindow(this)
  }

  /** For the session: octets from the wire. False where the peer broke a rule. */
  accept(offset: number, data: Uint8Array, end: boolean): boolean {
    const ordered = this.receiving.accept(offset, data, end)
    if (ordered === undefined) return false
    for (const bytes of ordered) this.deliver(bytes)
    if (this.receiving.isDone && !this.endDelivered) {
      this.endDelivered = true
      this.onEnd?.()
    }
    this.settle()
    return true
  }

  private deliver(bytes: Uint8Array): void {
    if (this.closed || this.onData === undefined) this.consume(bytes.length)
    else this.onData(bytes)
  }

  /** For the session: both directions are finished and acknowledged. */
  settle(): void {
    if (this.closed || !this.endDelivered || !this.sending.isDone) return
    this.closed = true
    this.owner.settled(this)
  }

  /** For the session: the stream is over without having finished. */
  cut(code: number): void {
    if (this.closed) return
    this.closed = true
    this.owner.settled(this)
    this.onReset?.(code)
  }
}
