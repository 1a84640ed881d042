/** Brings one outbox entry to a mailbox of its contact: which one, in which box, and what a refusal means. */
import { latin1, type Millis } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import type { Address, BoxedAddress } from './address.ts'
import { sealForAnybody, sealForContact } from './box.ts'
import { readCard } from './card.ts'
import { MessageType } from './envelope.ts'
import type { After, Journal } from './journal.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { Contact, OutboxEntry } from './model.ts'
import type { PutResult, Slot } from './outbox.ts'
import { ANYBODY, type OwnQueues } from './own-queues.ts'
import type { MailboxPort } from './ports.ts'
import type { Records } from './records.ts'
import type { Sender } from './sender.ts'

export interface CourierParts {
  readonly records: Records
  readonly journal: Journal
  readonly mailbox: MailboxPort
  readonly queues: OwnQueues
  readonly sender: () => Sender
  readonly now: () => Millis
  /** What waits longest for a receipt of this contact. */
  readonly oldest: (contact: Uint8Array) => Readonly<Slot> | undefined
  /** A failure that is not the network's. */
  readonly onFault: (error: unknown, contact: Uint8Array) => void
}

/** The network's doing: to be tried again, and no news to anybody. */
class NotPut extends Error {}

export class Courier {
  private readonly parts: CourierParts
  /** Contacts whose queues for us are gone; their card's address serves until they tell a new one. */
  private readonly stranded = new Set<string>()

  constructor(parts: CourierParts) {
    this.parts = parts
  }

  async put(slot: Readonly<Slot>): Promise<PutResult> {
    try {
      return await this.tryPut(slot)
    } catch (error) {
      if (!(error instanceof NotPut)) this.parts.onFault(error, slot.contact)
      return 'failed'
    }
  }

  /** They told where to reach them. */
  found(contact: Uint8Array): void {
    this.stranded.delete(latin1(contact))
  }

  private async tryPut(slot: Readonly<Slot>): Promise<PutResult> {
    const { records, queues } = this.parts
    const contact = records.contact(slot.contact)
    if (contact === undefined) return 'done'
    const entry = this.currentEntry(slot, contact)
    if (entry === undefined) return 'done'
    if (slot.type === MessageType.hello) {
      // Nobody may hear of a queue that does not exist yet.
      await network(queues.make(ANYBODY))
      await network(queues.make(slot.contact))
    }
    const result = await this.carry(contact, entry, slot)
    if (result === 'duplicate' && this.isUnheard(slot)) {
      const anew = this.parts.journal.commit((after) => this.reseal(entry, after))
      if (anew !== undefined) await this.carry(contact, anew, slot)
    }
    return slot.type === MessageType.receipt ? this.finish(entry) : 'waiting'
  }

  private async carry(contact: Contact, entry: OutboxEntry, slot: Readonly<Slot>): Promise<string> {
    const target = this.targetOf(contact, entry, slot.puts + slot.failures)
    try {
      return await network(this.parts.mailbox.put({ ...target, id: entry.id }))
    } catch (error) {
      if (contact.addresses.length > 0 && reasonOf(error) === 'unknown') this.stranded.add(latin1(contact.uid))
      throw error
    }
  }

  /**
   * Whether the contact may have taken it in long ago, and its receipt was lost: the mailbox would swallow every repeat.
   * One copy under a new id makes the contact say again what it has. Of the oldest entry only, and more and more seldom,
   * so that copies do not fill the mailbox of somebody who is away.
   */
  private isUnheard({ sequence, contact, puts }: Readonly<Slot>): boolean {
    if (puts < ChatLimits.putsUnheard || !Number.isInteger(Math.log2(puts))) return false
    return this.parts.oldest(contact)?.sequence === sequence
  }

  /** undefined where a receipt came meanwhile. */
  private reseal({ sequence }: OutboxEntry, after: After): OutboxEntry | undefined {
    const { records, sender, now } = this.parts
    const entry = records.outboxEntry(sequence)
    const contact = entry && records.contact(entry.contact)
    return contact && sender().reseal(entry, contact, now(), after)
  }

  /** As stored; sealed anew first where the contact has asked for it. */
  private currentEntry(slot: Readonly<Slot>, contact: Contact): OutboxEntry | undefined {
    const entry = this.parts.records.outboxEntry(slot.sequence)
    if (entry === undefined || entry.stamp >= contact.resealBelow) return entry
    return this.parts.journal.commit((after) => this.reseal(entry, after))
  }

  private targetOf(contact: Contact, entry: OutboxEntry, attempt: number): Address & { readonly body: Uint8Array } {
    const boxed = this.stranded.has(latin1(contact.uid)) ? [] : contact.addresses
    if (boxed.length > 0) {
      const { box, ...address } = turn<BoxedAddress>(boxed, attempt)
      return { ...address, body: sealForContact(box, entry.id, entry.inner) }
    }
    if (contact.card.length === 0) throw new NotPut('the contact has told no address yet')
    const card = readCard(contact.card)
    const body = sealForAnybody(card.prekey.key, keyPair(entry.ephemeral), entry.id, entry.inner)
    if (body === undefined)
      throw new SottoError('E_CARD_FORMAT', `The card of ${card.name} has a key that cannot be used.`)
    return { ...turn(card.addresses, attempt), body }
  }

  private finish(entry: OutboxEntry): PutResult {
    this.parts.journal.commit((after) => this.parts.sender().withdraw(entry.sequence, after))
    return 'done'
  }
}

function turn<T>(list: readonly T[], attempt: number): T {
  return list[attempt % list.length]!
}

async function network<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (cause) {
    if (isSottoError(cause, 'E_DISK_FULL') || isSottoError(cause, 'E_STATE_UNREADABLE')) throw cause
    throw new NotPut('the mailbox could not be reached', { cause })
  }
}

function reasonOf(error: unknown): unknown {
  const cause = error instanceof NotPut ? error.cause : undefined
  return cause instanceof Error && 'reason' in cause ? cause.reason : undefined
}
