/**
 * Calls over the pipe, from the core's side: numbers them, keeps within `PipeLimits.outstanding` and the socket's
 * back-pressure, and hands each call its answer.
 */
import type { Duplex } from 'node:stream'
import { SottoError } from '#protocol/errors.ts'
import { PipeLimits } from './limits.ts'
import type { CallName, Calls } from './messages.ts'
import { eventSchema, FrameType, failureSchema, resultSchemas, shaped } from './messages.ts'
import type { FirewallEvent } from './permit.ts'
import type { Message } from './pipe.ts'
import { Pipe } from './pipe.ts'

export interface Answer<K extends CallName> {
  readonly result: Calls[K]['result']
  readonly raw: Uint8Array
}

/** A stream socket, or anything like it. */
export type PipeSocket = Duplex & { ref?(): unknown; unref?(): unknown }

interface Job {
  readonly name: CallName
  readonly args: unknown
  readonly raw: Uint8Array | undefined
  /** 0 until it was sent. */
  id: number
  /** False where the message is no answer to this call. */
  accept(message: Message): boolean
  reject(error: SottoError): void
}

export class Line {
  readonly listeners: ((event: FirewallEvent) => void)[] = []
  private readonly socket: PipeSocket
  private readonly pipe: Pipe
  private readonly onLost: (error: SottoError) => void
  /** Sent, and not yet answered by the broker; given-up calls too. */
  private readonly pending = new Map<number, Job>()
  private queue: Job[] = []
  private lost: SottoError | undefined
  private lastId = 0

  /** `onLost`: the pipe ended and it was not us who closed it. */
  constructor(socket: PipeSocket, onLost: (error: SottoError) => void) {
    this.socket = socket
    this.onLost = onLost
    this.pipe = new Pipe(socket, {
      message: (message) => this.receive(message),
      drained: () => this.pump(),
      closed: (error) => this.closed(error),
    })
    this.keepAlive()
  }

  /** @throws SottoError what the broker says; E_PATH_CLOSED where `signal` aborts; E_FIREWALL_GONE */
  async call<K extends CallName>(
    name: K,
    args: Calls[K]['args'],
    raw?: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Answer<K>> {
    if (this.lost !== undefined) throw this.lost
    if (signal?.aborted) throw givenUp(signal)
    const { promise, resolve, reject } = Promise.withResolvers<Answer<K>>()
    const job: Job = { name, args, raw, id: 0, accept: (message) => accept(name, message, resolve, reject), reject }
    const abandon = (): void => this.abandon(job, givenUp(signal))
    signal?.addEventListener('abort', abandon, { once: true })
    this.queue.push(job)
    this.pump()
    return promise.finally(() => signal?.removeEventListener('abort', abandon))
  }

  close(): void {
    this.pipe.close()
  }

  private pump(): void {
    while (this.queue.length > 0 && this.pending.size < PipeLimits.outstanding && !this.pipe.full) {
      this.send(this.queue.shift()!)
    }
    this.keepAlive()
  }

  private send(job: Job): void {
    do this.lastId = (this.lastId + 1) >>> 0
    while (this.lastId === 0 || this.pending.has(this.lastId))
    job.id = this.lastId
    this.pending.set(job.id, job)
    try {
      this.pipe.send(FrameType[job.name], job.id, job.args, job.raw)
    } catch (cause) {
      this.pending.delete(job.id)
      job.reject(new SottoError('E_FIREWALL_REFUSED', 'The call is larger than the firewall takes.', { cause }))
    }
  }

  private receive(message: Message): void {
    if (message.type === FrameType.event) return this.event(message.head)
    const job = this.pending.get(message.id)
    if (job === undefined || !job.accept(message)) {
      this.pipe.fail('the broker answered what was not asked')
      return
    }
    this.pending.delete(message.id)
    this.pump()
  }

  private event(head: unknown): void {
    const event = shaped(eventSchema, head)
    if (event === undefined) this.pipe.fail('the broker sent an unreadable event')
    else for (const listener of this.listeners) listener(event.value)
  }

  /** The caller need not wait for the broker; the number stays taken until the broker has answered. */
  private abandon(job: Job, error: SottoError): void {
    if (job.id === 0) this.queue = this.queue.filter((other) => other !== job)
    else if (this.pending.has(job.id)) this.pipe.send(FrameType.cancel, job.id, null)
    job.reject(error)
    this.keepAlive()
  }

  private closed(error: SottoError | undefined): void {
    this.lost = error ?? new SottoError('E_FIREWALL_GONE', 'The firewall was closed.')
    for (const job of [...this.pending.values(), ...this.queue]) job.reject(this.lost)
    this.pending.clear()
    this.queue = []
    if (error !== undefined) this.onLost(error)
  }

  /** Only a call under way keeps the process alive. */
  private keepAlive(): void {
    if (this.pending.size + this.queue.length > 0) this.socket.ref?.()
    else this.socket.unref?.()
  }
}

function givenUp(signal: AbortSignal | undefined): SottoError {
  return new SottoError('E_PATH_CLOSED', 'The exchange was given up.', { cause: signal?.reason })
}

function accept<K extends CallName>(
  name: K,
  message: Message,
  resolve: (answer: Answer<K>) => void,
  reject: (error: SottoError) => void,
): boolean {
  if (message.type === FrameType.result) {
    const result = shaped<Calls[K]['result']>(resultSchemas[name], message.head)
    if (result !== undefined) resolve({ result: result.value, raw: message.raw })
    return result !== undefined
  }
  const failure = message.type === FrameType.failure ? shaped(failureSchema, message.head) : undefined
  if (failure === undefined) return false
  const { code, what, next, kept } = failure.value
  reject(new SottoError(code, what, { next, ...(kept === undefined ? {} : { kept }) }))
  return true
}
