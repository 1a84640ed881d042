/**
 * What is on its way: each entry is put into the contact's mailbox again and again until a receipt names it.
 *
 * Entries are stored when they are sealed; the times here are in memory, so after a start everything is due at once. A
 * repeat is the same octets under the same id. A contact with two addresses gets repeats at the one and the other in turn.
 */
import { fastEqual, latin1, type Millis } from '#protocol/bytes.ts'
import { backoff, retryAfter } from './backoff.ts'
import { MessageType } from './envelope.ts'
import { ChatLimits } from './limits.ts'
import type { OutboxEntry } from './model.ts'

export interface Slot {
  readonly sequence: number
  readonly contact: Uint8Array
  /** The contact as a key of maps. */
  readonly key: string
  readonly type: MessageType
  readonly message: Uint8Array
  readonly counter: number
  /** Times it was put. */
  puts: number
  /** Times it could not be put since it last was. */
  failures: number
  due: Millis
  flying: boolean
}

/** What became of an attempt: done with, put and waiting for a receipt, the same and not put again for hours, or not put. */
export type PutResult = 'done' | 'waiting' | 'late' | 'failed'

/** Puts one entry; never rejects. */
export type Put = (slot: Readonly<Slot>) => Promise<PutResult>

export class Outbox {
  /** By sequence, ascending. */
  private readonly slots = new Map<number, Slot>()
  private readonly put: Put
  private readonly latePause: () => Millis
  private readonly onLanded: (slot: Readonly<Slot>) => void
  private readonly now: () => Millis
  private nextSequence: number
  private flying = 0
  private closed = false

  constructor(options: {
    readonly entries: readonly OutboxEntry[]
    readonly put: Put
    /** Those of them that are not due at once. */
    readonly isLate: (entry: OutboxEntry) => boolean
    /** Milliseconds until what is late is put again, drawn each time. */
    readonly latePause: () => Millis
    /** After every attempt, when `nextDue` may have changed. */
    readonly onLanded: (slot: Readonly<Slot>) => void
    readonly now: () => Millis
  }) {
    this.put = options.put
    this.latePause = options.latePause
    this.onLanded = options.onLanded
    this.now = options.now
    const later = (entry: OutboxEntry): Millis => (options.isLate(entry) ? this.now() + this.latePause() : 0)
    for (const entry of options.entries) this.add(entry, later(entry))
    this.nextSequence = (options.entries.at(-1)?.sequence ?? 0) + 1
  }

  /** A number for a new entry, above all others. */
  number(): number {
    return this.nextSequence++
  }

  add({ sequence, contact, type, message, counter, put = false }: OutboxEntry, due: Millis): void {
    const fixed = { sequence, contact, key: latin1(contact), type, message, counter }
    this.slots.set(sequence, { ...fixed, puts: put ? 1 : 0, failures: 0, due, flying: false })
  }

  delete(sequence: number): void {
    this.slots.delete(sequence)
  }

  /** Those of a contact, oldest first. */
  of(contact: Uint8Array): Readonly<Slot>[] {
    const key = latin1(contact)
    return [...this.slots.values()].filter((slot) => slot.key === key)
  }

  /** What waits longest for a receipt of a contact. */
  oldest(contact: Uint8Array): Readonly<Slot> | undefined {
    return this.of(contact).find(({ counter }) => counter > 0)
  }

  find(contact: Uint8Array, message: Uint8Array): Readonly<Slot> | undefined {
    return this.of(contact).find((slot) => fastEqual(slot.message, message))
  }

  /** What waits because it could not be put is tried at once: the network is back. */
  hurry(): void {
    for (const slot of this.slots.values()) if (slot.failures > 0) slot.due = 0
  }

  /** They are there: what could not be put before may be taken now. */
  hurryFailed(contact: Uint8Array): void {
    for (const slot of this.of(contact)) if (slot.failures > 0) this.slots.get(slot.sequence)!.due = 0
  }

  /** At most `count` entries of a contact are due now. */
  hurryContact(contact: Uint8Array, count: number): void {
    for (const slot of this.of(contact).slice(0, count)) this.slots.get(slot.sequence)!.due = 0
  }

  /** What was put, and waits longer than others since they are not to see us: they see us now. */
  hurryPut(contact: Uint8Array): void {
    for (const slot of this.of(contact)) if (slot.puts > 0) this.slots.get(slot.sequence)!.due = 0
  }

  /** What was put to a contact is late from now on. */
  defer(contact: Uint8Array): void {
    for (const slot of this.of(contact)) {
      if (slot.puts > 0 && !slot.flying) this.slots.get(slot.sequence)!.due = this.now() + this.latePause()
    }
  }

  /** When something is due next; undefined where only a landing or a receipt changes anything. */
  nextDue(): Millis | undefined {
    if (this.flying >= ChatLimits.flying) return undefined
    let next: Millis | undefined
    for (const { due } of this.grounded()) if (next === undefined || due < next) next = due
    return next
  }

  close(): void {
    this.closed = true
  }

  /** Starts everything that is due, oldest first, a few at a time. */
  pump(): void {
    const now = this.now()
    for (const slot of this.grounded()) {
      if (this.closed || this.flying >= ChatLimits.flying) return
      if (slot.due <= now) void this.fly(slot)
    }
  }

  /** What is not being put, except what waits: nothing overtakes the message that says who we are. */
  private grounded(): Slot[] {
    const introducing = new Set<string>()
    return [...this.slots.values()].filter((slot) => {
      const waits = introducing.has(slot.key)
      if (slot.type === MessageType.hello && slot.puts === 0) introducing.add(slot.key)
      return !waits && !slot.flying
    })
  }

  private async fly(slot: Slot): Promise<void> {
    slot.flying = true
    slot.due = Number.POSITIVE_INFINITY
    this.flying++
    const result = await this.put(slot)
    this.flying--
    slot.flying = false
    if (this.closed) return
    this.land(slot, result)
    this.pump()
    this.onLanded(slot)
  }

  private land(slot: Slot, result: PutResult): void {
    if (result === 'done') this.slots.delete(slot.sequence)
    if (result === 'failed') slot.failures++
    else {
      slot.puts++
      slot.failures = 0
    }
    // Somebody may have asked for it again while it was under way.
    slot.due = Math.min(slot.due, this.now() + this.pauseAfter(slot, result))
  }

  private pauseAfter({ failures, puts }: Slot, result: PutResult): Millis {
    if (result === 'failed') return retryAfter(failures)
    return result === 'late' ? this.latePause() : backoff(puts)
  }
}
