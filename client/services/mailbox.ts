/**
 * The mailbox service as the chat uses it: over the tunnel of the gateway that a queue lives on, subscribed again after
 * every interruption. Spec section 9.
 */
import type { Tunnel } from '#client/tunnel.ts'
import { latin1 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Subscription } from '#protocol/services/rpc.ts'
import { ServiceFailure } from '#protocol/services/service.ts'

/** Queues in one subscription; the gateway takes no more. */
const QUEUES_PER_SUBSCRIPTION = 256
/** Ids in one acknowledgement; the gateway takes no more. */
const IDS_PER_ACK = 128

/** A queue as its recipient sees it. */
export interface ReadableQueue {
  readonly rid: Uint8Array
  readonly rauth: Uint8Array
}

export interface NewQueue extends ReadableQueue {
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
  readonly seal: Uint8Array
  readonly policy: 'none' | 'ram' | 'disk'
  /** Seconds. */
  readonly ttl: number
}

export interface Delivery {
  readonly rid: Uint8Array
  readonly id: Uint8Array
  readonly box: Uint8Array
  /** When the gateway took it, milliseconds since the epoch. */
  readonly at: number
}

export type PutResult = 'delivered' | 'stored' | 'duplicate' | 'dropped'

/** One gateway's mailbox. */
export class GatewayMailbox {
  private readonly tunnel: Tunnel
  private readonly deliver: (delivery: Delivery) => void
  private subscription: Subscription | undefined
  private queues: readonly ReadableQueue[] = []

  constructor(tunnel: Tunnel, deliver: (delivery: Delivery) => void) {
    this.tunnel = tunnel
    this.deliver = deliver
  }

  /** Idempotent for an equal queue. @throws ServiceFailure `exists`, `limit` */
  async create(queue: NewQueue): Promise<void> {
    await this.tunnel.call('mailbox.create', queue)
  }

  /** @throws ServiceFailure `full`, `offline`, `unknown-queue`; SottoError E_TUNNEL_* */
  async put(message: {
    sid: Uint8Array
    sauth: Uint8Array
    id: Uint8Array
    body: Uint8Array
    noStore?: boolean
  }): Promise<PutResult> {
    const answer = (await this.tunnel.call('mailbox.put', message)) as { stored?: unknown }
    const { stored } = answer ?? {}
    if (stored === 'delivered' || stored === 'stored' || stored === 'duplicate' || stored === 'dropped') return stored
    throw new SottoError('E_INTERNAL', 'the gateway answered something this version does not know')
  }

  async ack(queue: ReadableQueue, ids: readonly Uint8Array[]): Promise<void> {
    for (let at = 0; at < ids.length; at += IDS_PER_ACK) {
      await this.tunnel.call('mailbox.ack', { ...only(queue), ids: ids.slice(at, at + IDS_PER_ACK) })
    }
  }

  async delete(queue: ReadableQueue): Promise<void> {
    await this.tunnel.call('mailbox.delete', only(queue))
  }

  /** From now on reads these queues and no others. */
  read(queues: readonly ReadableQueue[]): void {
    if (sameQueues(queues, this.queues)) return
    this.queues = queues
    this.subscription?.cancel()
    this.subscription = undefined
    if (queues.length === 0) return
    if (queues.length > QUEUES_PER_SUBSCRIPTION)
      throw new RangeError(`at most ${QUEUES_PER_SUBSCRIPTION} queues a gateway`)
    const args = (): unknown => ({ queues: queues.map(only) })
    this.subscription = this.tunnel.subscribe('mailbox.subscribe', args, (message) => this.onPush(message))
  }

  private onPush(message: unknown): void {
    const { rid, id, box, at } = (message ?? {}) as Partial<Delivery>
    const whole = rid instanceof Uint8Array && id instanceof Uint8Array && box instanceof Uint8Array
    if (whole && typeof at === 'number') this.deliver({ rid, id, box, at })
  }
}

const only = ({ rid, rauth }: ReadableQueue): ReadableQueue => ({ rid, rauth })

function sameQueues(a: readonly ReadableQueue[], b: readonly ReadableQueue[]): boolean {
  return a.length === b.length && a.every((queue, i) => latin1(queue.rid) === latin1(b[i]!.rid))
}

/** A refusal after which trying again later makes sense: the queue is full, or nobody is there to take it now. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ServiceFailure)
    return ['full', 'offline', 'unavailable', 'internal', 'limit'].includes(error.reason)
  return error instanceof SottoError && error.code.startsWith('E_TUNNEL')
}
