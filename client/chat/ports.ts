/** What the chat needs from below: mailboxes on gateways, and somebody who calls `tick`. */
import type { Millis } from '#protocol/bytes.ts'

/** A queue as its owner names it. */
export interface QueueRef {
  /** Which gateway it is on; opaque octets from `homes()`. */
  readonly gateway: Uint8Array
  /** 24 octets. */
  readonly rid: Uint8Array
  /** 32 octets. */
  readonly rauth: Uint8Array
}

export interface NewQueue extends QueueRef {
  /** 24 octets, for the sender. */
  readonly sid: Uint8Array
  /** 32 octets. */
  readonly sauth: Uint8Array
  /** 32 octets: key of the box around what arrives. */
  readonly seal: Uint8Array
  readonly policy: 'disk'
  readonly ttlSeconds: number
  /** The gateway tells nobody who writes whether we read. */
  readonly quiet: boolean
}

export interface OutgoingMessage {
  readonly gateway: Uint8Array
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
  /** 16 octets. Putting the same id and body again is safe. */
  readonly id: Uint8Array
  /** 592, 4,096 or 22,016 octets. */
  readonly body: Uint8Array
  /** To be handed over, if they are there, and kept nowhere. The gateway does not say which: `put` rejects with `offline`. */
  readonly noStore?: boolean
}

export interface ArrivedMessage {
  readonly rid: Uint8Array
  readonly id: Uint8Array
  /** nonce 24 || XChaCha20-Poly1305(seal, nonce, body) */
  readonly box: Uint8Array
}

/** Of a queue on our card: what lies on its shelf for those who want to begin. */
export interface Shelf {
  readonly head: Uint8Array
  readonly dh: readonly { readonly id: number; readonly key: Uint8Array }[]
  readonly kem: readonly { readonly id: number; readonly key: Uint8Array }[]
  /** One-time keys that lie there are thrown away first. */
  readonly clear: boolean
}

/** What is left: how many, and the lowest number; above all others where there is none. */
export interface PileLeft {
  readonly count: number
  readonly low: number
}

export interface ShelfStock {
  /** SHA-256 of the head; empty where nothing was published. */
  readonly head: Uint8Array
  readonly dh: PileLeft
  readonly kem: PileLeft
}

/** A question for what is on the shelf of an address. Asking it again brings the same answer. */
export interface ShelfQuestion {
  readonly gateway: Uint8Array
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
  /** 16 octets, random. */
  readonly request: Uint8Array
}

/**
 * Every method rejects where it could not be done; the chat tries again by itself. A refusal by the gateway has its word in
 * `reason`; the chat looks for `unknown` (no such queue), `none` (an empty shelf) and `unknown-method` (no shelves there).
 */
export interface MailboxPort {
  /** Gateways where this person may make queues, the preferred first. The same gateway is always the same octets. */
  homes(): readonly Uint8Array[]
  /** Making the same queue again is safe. */
  create(queue: NewQueue): Promise<void>
  put(message: OutgoingMessage): Promise<'delivered' | 'stored' | 'duplicate'>
  /** At most 128 ids. */
  ack(queue: QueueRef, ids: readonly Uint8Array[]): Promise<void>
  remove(queue: QueueRef): Promise<void>
  stock(queue: QueueRef): Promise<ShelfStock>
  /** Publishing the same again is safe. */
  publish(queue: QueueRef, shelf: Shelf): Promise<void>
  /** One-time keys are empty where there is none. */
  bundle(
    question: ShelfQuestion,
  ): Promise<{ readonly head: Uint8Array; readonly dh: Uint8Array; readonly kem: Uint8Array }>
  /** Replaces the set of queues to read; all of them exist. */
  setQueues(queues: readonly QueueRef[]): void
  /** Told about a queue that its gateway does not have (any more). */
  onLost(handler: (rid: Uint8Array) => void): void
  /**
   * One handler, set before the first message can come. Where it rejects, the message was not taken in and is not
   * acknowledged: it must come again, with the next subscription at the latest.
   */
  onMessage(handler: (message: ArrivedMessage) => Promise<void>): void
}

/** Asks for a call of `tick` at `at` or soon after; a later request replaces an earlier one. */
export type Wake = (at: Millis) => void
