/**
 * The mailbox service as the chat uses it: over the tunnel of the gateway that a queue lives on, subscribed again after
 * every interruption. Spec section 9.
 */
import type {
  ArrivedMessage,
  MailboxPort,
  NewQueue,
  OutgoingMessage,
  QueueRef,
  Shelf,
  ShelfQuestion,
  ShelfStock,
} from '#client/chat/ports.ts'
import type { Clockwork } from '#client/clockwork.ts'
import type { PeerWay } from '#client/peer-way.ts'
import type { CallOptions } from '#client/tunnel/calls.ts'
import type { Tunnel } from '#client/tunnel.ts'
import { fromUtf8, latin1, utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Subscription } from '#protocol/services/rpc.ts'
import { ServiceFailure } from '#protocol/services/service.ts'
import { Priority } from '#protocol/session/stream.ts'

/** Queues in one subscription; the gateway takes no more. */
const QUEUES_PER_SUBSCRIPTION = 256
/** Subscriptions to one gateway before they are joined into as few as possible. */
const SUBSCRIPTIONS = 4

/** Milliseconds until a subscription is tried again that the gateway could not serve now. */
const RETRY_MS = 5_000

/** Milliseconds for a call to a gateway that is not reached yet while another is: messages have other ways. */
const ELSEWHERE_MS = 3_000
/** As well, where it is known to be out of reach. What waits is tried again as soon as that changes. */
const FAILING_MS = 1

/** Milliseconds for a piece of a shelf, 7 kB, on a slow way; messages go first. */
const PUBLISH_MS = 600_000
/** After each piece nothing of a shelf is sent for so many times as long as it took: on a slow way messages have the rest. */
const PUBLISH_REST = 4
/** Milliseconds that such a rest has at the most: what seems to have taken longer was a device that slept, or a clock that was set. */
const PUBLISH_REST_MS = 60_000

/** What a mailbox tells: messages, and queues that are gone. */
interface Listener {
  message(message: ArrivedMessage): Promise<void>
  lost(rid: Uint8Array): void
}

/** What a gateway is called in cards and queues: the same for everybody, whatever their endpoint's id is. */
export function gatewayName(endpoint: { readonly host: string; readonly port: number }): Uint8Array {
  return utf8(`${endpoint.host}:${endpoint.port}`)
}

/** All mailboxes of this person's gateways as one. */
export class Mailboxes implements MailboxPort {
  private readonly byGateway = new Map<string, Mailbox>()
  private readonly names: Uint8Array[] = []
  private peers: ReadonlyMap<string, PeerWay> = new Map()
  private readonly clockwork: Clockwork
  /** What ends each rest under way. */
  private readonly rests = new Set<() => void>()
  private readonly listener: Listener = {
    message: () => Promise.reject(new Error('nobody takes messages yet')),
    lost: () => {},
  }

  constructor(clockwork: Clockwork) {
    this.clockwork = clockwork
  }

  /** The first one added is preferred for new queues. On the person's own node they are for who may come there. */
  add(tunnel: Tunnel): void {
    const name = gatewayName(tunnel.status.endpoint)
    if (tunnel.status.endpoint.kind !== 'node') this.names.push(name)
    this.byGateway.set(latin1(name), new Mailbox(tunnel, this.clockwork, this.listener))
  }

  homes(): readonly Uint8Array[] {
    return this.names
  }

  /** Nodes of contacts, by their names as octets in a string (`latin1`). */
  setPeers(peers: ReadonlyMap<string, PeerWay>): void {
    this.peers = peers
  }

  onMessage(handler: Listener['message']): void {
    this.listener.message = handler
  }

  onLost(handler: Listener['lost']): void {
    this.listener.lost = handler
  }

  async create({ gateway, ttlSeconds, policy, quiet, rid, rauth, sid, sauth, seal }: NewQueue): Promise<void> {
    const plain = { rid, rauth, sid, sauth, seal, ttl: ttlSeconds }
    const wanted = quiet ? [{ ...plain, quiet }, plain] : [plain]
    // A gateway that keeps less than was asked for gives what it has by itself; an older one knows no quiet queues.
    const forms = wanted.flatMap((queue) => [{ ...queue, policy }, queue])
    for (const form of forms) {
      try {
        await this.at(gateway).call('mailbox.create', form, this.patienceToMake(gateway))
        return
      } catch (error) {
        const isOther = error instanceof ServiceFailure && ['policy', 'invalid'].includes(error.reason)
        if (!isOther || form === forms.at(-1)) throw error
      }
    }
  }

  async put({
    gateway,
    sid,
    sauth,
    id,
    body,
    noStore,
  }: OutgoingMessage): Promise<'delivered' | 'stored' | 'duplicate'> {
    const args = { sid, sauth, id, body, ...(noStore ? { noStore } : {}) }
    const peer = this.byGateway.has(latin1(gateway)) ? undefined : this.peers.get(latin1(gateway))
    const answer = await (peer?.call('mailbox.put', args) ??
      this.at(gateway).call('mailbox.put', args, this.patienceFor(gateway)))
    const { stored } = (answer ?? {}) as { stored?: unknown }
    if (stored === 'delivered' || stored === 'stored' || stored === 'duplicate') return stored
    if (stored === 'passed' || stored === 'dropped') throw new ServiceFailure('offline')
    throw unknownAnswer()
  }

  async ack(queue: QueueRef, ids: readonly Uint8Array[]): Promise<void> {
    await this.at(queue.gateway).call('mailbox.ack', { ...only(queue), ids })
  }

  async remove(queue: QueueRef): Promise<void> {
    await this.at(queue.gateway).call('mailbox.delete', only(queue))
  }

  async stock(queue: QueueRef): Promise<ShelfStock> {
    return stockOf(await this.at(queue.gateway).call('prekeys.stock', only(queue), this.patienceFor(queue.gateway)))
  }

  async publish(queue: QueueRef, { head, dh, kem, clear }: Shelf): Promise<void> {
    const args = { ...only(queue), head, dh, kem, clear }
    // A card waits for the head alone.
    if (dh.length + kem.length === 0)
      return void (await this.at(queue.gateway).call('prekeys.publish', args, this.patienceFor(queue.gateway)))
    const { clockwork } = this
    const began = clockwork.now()
    await this.at(queue.gateway).call('prekeys.publish', args, { timeoutMs: PUBLISH_MS, priority: Priority.bulk })
    const took = Math.max(0, clockwork.now() - began)
    await this.rest(Math.min(PUBLISH_REST * took, PUBLISH_REST_MS))
  }

  /** Nothing is waited for any longer. */
  close(): void {
    for (const end of this.rests) end()
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.rests.delete(end)
        cancel()
        resolve()
      }
      const cancel = this.clockwork.after(ms, end)
      this.rests.add(end)
    })
  }

  async bundle({ gateway, sid, sauth, request }: ShelfQuestion): ReturnType<MailboxPort['bundle']> {
    const answer = await this.at(gateway).call('prekeys.fetch', { sid, sauth, request }, this.patienceFor(gateway))
    const { head, dh, kem } = (answer ?? {}) as Record<string, unknown>
    if (!(head instanceof Uint8Array && dh instanceof Uint8Array && kem instanceof Uint8Array)) throw unknownAnswer()
    return { head, dh, kem }
  }

  setQueues(queues: readonly QueueRef[]): void {
    const wanted = new Map<string, QueueRef[]>([...this.byGateway.keys()].map((name) => [name, []]))
    for (const queue of queues) wanted.get(latin1(queue.gateway))?.push(queue)
    for (const [name, own] of wanted) this.byGateway.get(name)!.read(own)
  }

  /** How long to wait for a gateway: for ever where there is no other. */
  private patienceFor(gateway: Uint8Array): { timeoutMs?: number } {
    return this.isElsewhere(gateway) ? { timeoutMs: this.at(gateway).patience } : {}
  }

  /** A node that is away holds up no gateway: its queues are made when it is back. */
  private patienceToMake(gateway: Uint8Array): { timeoutMs?: number } {
    const isHome = this.names.some((name) => latin1(name) === latin1(gateway))
    return isHome ? {} : this.patienceFor(gateway)
  }

  /** True where this gateway is out of reach and another is not. */
  private isElsewhere(gateway: Uint8Array): boolean {
    if (this.at(gateway).isReached) return false
    const peers = [...this.peers.values()].some(({ state }) => state.kind === 'ready')
    return peers || [...this.byGateway.values()].some(({ isReached }) => isReached)
  }

  private at(gateway: Uint8Array): Mailbox {
    const mailbox = this.byGateway.get(latin1(gateway))
    if (mailbox !== undefined) return mailbox
    const place = fromUtf8(gateway) ?? 'another gateway'
    throw new SottoError('E_NO_GATEWAY', `your contact receives messages at ${place}, which you have no invite for`, {
      kept: 'Your message is kept and goes out once you have joined there.',
    })
  }
}

const unknownAnswer = (): SottoError =>
  new SottoError('E_INTERNAL', 'the gateway answered something this version does not know')

function stockOf(answer: unknown): ShelfStock {
  const { head, dh, kem } = (answer ?? {}) as Partial<ShelfStock>
  const isPile = (pile: unknown): boolean => {
    const { count, low } = (pile ?? {}) as Partial<ShelfStock['dh']>
    return Number.isSafeInteger(count) && Number.isSafeInteger(low) && count! >= 0
  }
  if (!(head instanceof Uint8Array && isPile(dh) && isPile(kem))) throw unknownAnswer()
  return { head, dh: dh!, kem: kem! }
}

const only = ({ rid, rauth }: QueueRef): { rid: Uint8Array; rauth: Uint8Array } => ({ rid, rauth })
const keyOf = ({ rid }: QueueRef): string => latin1(rid)

/** The mailbox of one gateway. */
class Mailbox {
  private readonly tunnel: Tunnel
  private readonly clockwork: Clockwork
  private readonly listener: Listener
  /** With the queues of each. */
  private readonly subscriptions = new Map<Subscription, readonly QueueRef[]>()
  private queues = new Map<string, QueueRef>()
  /** Messages are taken in one after another, in the order they came. */
  private taking: Promise<void> = Promise.resolve()

  constructor(tunnel: Tunnel, clockwork: Clockwork, listener: Listener) {
    this.tunnel = tunnel
    this.clockwork = clockwork
    this.listener = listener
  }

  get patience(): number {
    return this.tunnel.status.state.kind === 'failing' ? FAILING_MS : ELSEWHERE_MS
  }

  get isReached(): boolean {
    return this.tunnel.status.state.kind === 'ready'
  }

  call(method: string, args: unknown, options: CallOptions = {}): Promise<unknown> {
    return this.tunnel.call(method, args, options)
  }

  /** From now on reads these queues and no others. */
  read(queues: readonly QueueRef[]): void {
    const wanted = new Map(queues.map((queue) => [keyOf(queue), queue]))
    const added = queues.filter((queue) => !this.queues.has(keyOf(queue)))
    const removed = [...this.queues.keys()].some((key) => !wanted.has(key))
    this.queues = wanted
    if (removed || (added.length > 0 && this.subscriptions.size >= SUBSCRIPTIONS)) this.readAll()
    else if (added.length > 0) this.subscribe(added)
  }

  private readAll(): void {
    const before = [...this.subscriptions.keys()]
    this.subscriptions.clear()
    for (const subscription of before) subscription.cancel()
    this.subscribe([...this.queues.values()])
  }

  private subscribe(queues: readonly QueueRef[]): void {
    for (let at = 0; at < queues.length; at += QUEUES_PER_SUBSCRIPTION) {
      this.subscribeTo(queues.slice(at, at + QUEUES_PER_SUBSCRIPTION))
    }
  }

  private subscribeTo(queues: readonly QueueRef[]): void {
    const args = { queues: queues.map(only) }
    const onMessage = (message: unknown): void => this.onPush(message)
    const subscription = this.tunnel.subscribe('mailbox.subscribe', () => args, onMessage)
    this.subscriptions.set(subscription, queues)
    void subscription.ended.then((reason) => this.onEnded(subscription, queues, reason))
  }

  /** A subscription is over: by us, because a newer one took its queues over, or because it was refused. */
  private onEnded(subscription: Subscription, queues: readonly QueueRef[], reason: string | undefined): void {
    const ours = this.subscriptions.delete(subscription)
    if (!ours || reason === undefined || reason === 'ended') return
    if (reason !== 'unknown') this.clockwork.after(RETRY_MS, () => this.subscribe(this.unread(queues)))
    else this.divide(this.unread(queues))
  }

  /** The gateway does not say which of them it does not know: each half is asked for by itself, until one alone is left. */
  private divide(queues: readonly QueueRef[]): void {
    const [first] = queues
    if (queues.length === 1) {
      // It is new again once the gateway has it.
      this.queues.delete(keyOf(first!))
      this.listener.lost(first!.rid)
      return
    }
    const middle = queues.length >>> 1
    for (const half of [queues.slice(0, middle), queues.slice(middle)]) this.subscribe(half)
  }

  /** Of these, what is still to be read and stands in no subscription: a second one would end the first with all its queues. */
  private unread(queues: readonly QueueRef[]): QueueRef[] {
    const read = new Set([...this.subscriptions.values()].flat().map(keyOf))
    return queues.filter((queue) => this.queues.has(keyOf(queue)) && !read.has(keyOf(queue)))
  }

  private onPush(message: unknown): void {
    const { rid, id, box } = (message ?? {}) as Partial<ArrivedMessage>
    if (!(rid instanceof Uint8Array && id instanceof Uint8Array && box instanceof Uint8Array)) return
    // What is not taken in stays unacknowledged, and comes again with the next subscription.
    this.taking = this.taking.then(() => this.listener.message({ rid, id, box })).catch(() => {})
  }
}
