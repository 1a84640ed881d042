/** Sees what goes through the mailboxes: whether something is under way, and whether a gateway has no room for it. */
import type {
  MailboxPort,
  NewQueue,
  OutgoingMessage,
  QueueRef,
  Shelf,
  ShelfQuestion,
  ShelfStock,
} from '#client/chat/ports.ts'
import { SottoError } from '#protocol/errors.ts'
import { ServiceFailure } from '#protocol/services/service.ts'

const KEPT = 'The message is kept here, and goes out as soon as there is room.'

export class MailboxWatch implements MailboxPort {
  private readonly inner: MailboxPort
  private readonly listeners: ((error: SottoError) => void)[] = []
  private readonly waiting = new Set<() => void>()
  private underWay = 0
  /** True from a refusal on until something is taken. */
  private refused = false
  /** The latest refusal there was. */
  refusal: SottoError | undefined

  constructor(inner: MailboxPort) {
    this.inner = inner
  }

  get idle(): boolean {
    return this.underWay === 0
  }

  /** Told once when messages begin to be refused. */
  onRefusal(listener: (error: SottoError) => void): void {
    this.listeners.push(listener)
  }

  /** Calls `run` when nothing is under way any more; returns how to cancel. */
  whenIdle(run: () => void): () => void {
    this.waiting.add(run)
    return () => void this.waiting.delete(run)
  }

  homes(): readonly Uint8Array[] {
    return this.inner.homes()
  }

  create(queue: NewQueue): Promise<void> {
    return this.watch(this.refusable(this.inner.create(queue)))
  }

  put(message: OutgoingMessage): Promise<'delivered' | 'stored' | 'duplicate'> {
    return this.watch(this.refusable(this.inner.put(message)))
  }

  ack(queue: QueueRef, ids: readonly Uint8Array[]): Promise<void> {
    return this.watch(this.inner.ack(queue, ids))
  }

  remove(queue: QueueRef): Promise<void> {
    return this.watch(this.inner.remove(queue))
  }

  stock(queue: QueueRef): Promise<ShelfStock> {
    return this.watch(this.inner.stock(queue))
  }

  publish(queue: QueueRef, shelf: Shelf): Promise<void> {
    // It goes on at another time where nothing else is to be done: nobody waits for it.
    return this.inner.publish(queue, shelf)
  }

  bundle(question: ShelfQuestion): ReturnType<MailboxPort['bundle']> {
    return this.watch(this.inner.bundle(question))
  }

  setQueues(queues: readonly QueueRef[]): void {
    this.inner.setQueues(queues)
  }

  onLost(handler: (rid: Uint8Array) => void): void {
    this.inner.onLost(handler)
  }

  onMessage(handler: Parameters<MailboxPort['onMessage']>[0]): void {
    this.inner.onMessage(handler)
  }

  private async watch<T>(work: Promise<T>): Promise<T> {
    this.underWay++
    try {
      return await work
    } finally {
      // What the answer sets off begins first.
      queueMicrotask(() => this.landed())
    }
  }

  private landed(): void {
    this.underWay--
    if (this.underWay > 0) return
    for (const run of [...this.waiting]) {
      this.waiting.delete(run)
      run()
    }
  }

  private note(refusal: SottoError): void {
    this.refusal = refusal
    if (this.refused) return
    this.refused = true
    for (const listener of this.listeners) listener(refusal)
  }

  private async refusable<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work
      this.refused = false
      return result
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal !== undefined) this.note(refusal)
      throw error
    }
  }
}

function refusalOf(error: unknown): SottoError | undefined {
  if (!(error instanceof ServiceFailure)) return undefined
  const details = { kept: KEPT, cause: error }
  if (error.reason === 'full')
    return new SottoError(
      'E_MAILBOX_FULL',
      'the mailbox of your contact is full until they fetch their messages',
      details,
    )
  if (error.reason === 'unavailable')
    return new SottoError('E_MAILBOX_FULL', 'the gateway cannot store messages now', details)
  return undefined
}
