/** Brings one outbox entry to a mailbox of its contact: which one, in which box, and what a refusal means. */
import { latin1, type Millis, type Random } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { type Address, type BoxedAddress, reachedBy } from './address.ts'
import type { Beginnings } from './beginnings.ts'
import { sealForAnybody, sealForContact } from './box.ts'
import { type Card, keptCard } from './card.ts'
import { MESSAGE_ID_LENGTH, MessageType } from './envelope.ts'
import type { After, Journal } from './journal.ts'
import { keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { Contact, OutboxEntry } from './model.ts'
import type { PutResult, Slot } from './outbox.ts'
import { ANYBODY, type OwnQueues } from './own-queues.ts'
import type { MailboxPort } from './ports.ts'
import type { Records } from './records.ts'
import type { Sender } from './sender.ts'
import type { Sessions } from './sessions.ts'

export interface CourierParts {
  readonly records: Records
  readonly journal: Journal
  readonly mailbox: MailboxPort
  readonly queues: OwnQueues
  readonly beginnings: Beginnings
  readonly sender: () => Sender
  readonly sessions: () => Sessions
  readonly random: Random
  readonly now: () => Millis
  /** What waits longest for a receipt of this contact. */
  readonly oldest: (contact: Uint8Array) => Readonly<Slot> | undefined
  /** Whether it is put again soon, where no receipt comes. */
  readonly afterPut: (slot: Readonly<Slot>) => 'waiting' | 'late'
  /** A failure that is not the network's. */
  readonly onFault: (error: unknown, contact: Uint8Array) => void
}

/** Beginnings of codes that people hear of. */
const news = ['E_NO_GATEWAY', 'E_PREKEYS', 'E_CARD', 'E_CHAT_VERSION'] as const

type PutAnswer = Awaited<ReturnType<MailboxPort['put']>>

/** The network's doing: to be tried again, and no news to anybody. */
class NotPut extends Error {}

export class Courier {
  private readonly parts: CourierParts
  /** Contacts whose queues for us are gone; their card's address serves until they tell a new one. */
  private readonly stranded = new Set<string>()
  /** Contacts about whose gateway the person was told, with what was told. */
  private readonly told = new Set<string>()

  constructor(parts: CourierParts) {
    this.parts = parts
  }

  async put(slot: Readonly<Slot>): Promise<PutResult> {
    try {
      const result = await this.tryPut(slot)
      return result === 'waiting' ? this.parts.afterPut(slot) : result
    } catch (error) {
      const fault = error instanceof NotPut ? this.news(error, slot) : error
      if (fault !== undefined) this.parts.onFault(fault, slot.contact)
      return 'failed'
    }
  }

  /** That a gateway of theirs is closed to us, or hands out no sound keys, is for people to mend; once is enough. */
  private news({ cause }: NotPut, { key }: Readonly<Slot>): unknown {
    const isNews = isSottoError(cause) && news.some((code) => cause.code.startsWith(code))
    const said = isNews ? `${key}${cause.code}` : ''
    if (!isNews || this.told.has(said)) return undefined
    this.told.add(said)
    return cause
  }

  /** They told where to reach them. */
  found(contact: Uint8Array): void {
    this.stranded.delete(latin1(contact))
  }

  /** Hands something to who reads now; whether it was heard, only an answer says. Never rejects. */
  async whisper(to: Uint8Array, inner: Uint8Array, byCard: boolean): Promise<void> {
    const { records, random } = this.parts
    const contact = records.contact(to)
    if (contact === undefined) return
    const entry = { id: random(MESSAGE_ID_LENGTH), noStore: true }
    const boxed = ({ box }: BoxedAddress): Uint8Array => sealForContact(box, entry.id, inner)
    if (!byCard && contact.addresses.length > 0)
      return void (await this.toAny(entry, reachedBy(contact.byHand, contact.addresses), boxed))
    const card = keptCard(contact.card)
    const body = card && sealForAnybody(prekeyOf(contact, card).key, keyPair(random(32)), entry.id, inner)
    if (card !== undefined && body !== undefined)
      await this.toAny(entry, reachedBy(contact.byHand, card.addresses), () => body)
  }

  private async tryPut(slot: Readonly<Slot>): Promise<PutResult> {
    const { records, queues } = this.parts
    const contact = records.contact(slot.contact)
    if (contact === undefined) return 'done'
    const entry = await this.currentEntry(slot, contact)
    if (entry === undefined) return 'done'
    if (slot.type === MessageType.hello) {
      // Nobody may hear of a queue that does not exist yet.
      await network(queues.make(ANYBODY))
      await network(queues.make(slot.contact))
    }
    const result = await this.carry(entry, slot)
    // A gateway may say that it has stored what it only knew already.
    if (result !== 'delivered' && this.isUnheard(slot)) {
      const anew = await this.probe(entry)
      if (anew !== undefined) await this.carry(anew, slot)
    }
    return slot.type === MessageType.receipt ? this.finish(entry) : 'waiting'
  }

  /** To one of the contact's queues for us; where its gateways have none any more, to where anybody may write. */
  private async carry(entry: OutboxEntry, { puts, failures }: Readonly<Slot>): Promise<PutAnswer> {
    const contact = this.parts.records.contact(entry.contact)
    if (contact === undefined) throw new NotPut('the contact is gone')
    const key = latin1(contact.uid)
    const attempt = puts + failures
    const boxed = (address: BoxedAddress): Uint8Array => sealForContact(address.box, entry.id, entry.inner)
    // The straight way first. What was put there comes by their gateways as well before it is put there again: they may read only there.
    const direct = contact.peer?.address
    if (direct !== undefined && puts % (contact.addresses.length + 1) === 0) {
      const result = await this.toAny(entry, [direct], boxed)
      if (typeof result === 'string') return result
    }
    if (contact.addresses.length > 0 && !this.stranded.has(key)) {
      const result = await this.toAny(entry, turned(reachedBy(contact.byHand, contact.addresses), attempt), boxed)
      if (typeof result === 'string') return result
      if (!result.every((failure) => reasonOf(failure) === 'unknown')) throw result[0]!
      this.stranded.add(key)
    }
    const card = keptCard(contact.card)
    if (card === undefined) throw new NotPut('the contact has told no address yet')
    const body = sealForAnybody(prekeyOf(contact, card).key, keyPair(entry.ephemeral), entry.id, entry.inner)
    if (body === undefined) throw new SottoError('E_CARD_FORMAT', `A key in the card of ${card.name} cannot be used.`)
    const result = await this.toAny(entry, turned(reachedBy(contact.byHand, card.addresses), attempt), () => body)
    if (typeof result === 'string') return result
    throw result[0]!
  }

  /** Tries one address after the other; every failure where none took it. */
  private async toAny<A extends Address>(
    { id, noStore = false }: Pick<OutboxEntry, 'id' | 'noStore'>,
    addresses: readonly A[],
    seal: (address: A) => Uint8Array,
  ): Promise<PutAnswer | NotPut[]> {
    const failures: NotPut[] = []
    for (const address of addresses) {
      const { gateway, sid, sauth } = address
      try {
        return await this.parts.mailbox.put({ gateway, sid, sauth, id, body: seal(address), noStore })
      } catch (cause) {
        failures.push(new NotPut('the mailbox could not be reached', { cause }))
      }
    }
    return failures
  }

  /**
   * Whether it may be more than absence that we hear nothing: the receipt was lost and the mailbox swallows every repeat,
   * or the contact lost the session and cannot tell who writes. Of the oldest entry only, and more and more seldom, so
   * that copies do not fill the mailbox of somebody who is away.
   */
  private isUnheard({ sequence, contact, puts }: Readonly<Slot>): boolean {
    if (puts < ChatLimits.putsUnheard || !Number.isInteger(Math.log2(puts))) return false
    return this.parts.oldest(contact)?.sequence === sequence
  }

  /** One copy, in a session that the contact can open whatever it has lost; `Arrivals` does the rest when it answers. */
  private async probe(entry: OutboxEntry): Promise<OutboxEntry | undefined> {
    try {
      await this.parts.beginnings.begin(entry.contact, true)
    } catch (error) {
      // The copies under the old id go on, and the next probe comes.
      if (!isSottoError(error, 'E_CARD_EXPIRED')) return undefined
    }
    return this.parts.journal.commit((after) => this.reseal(entry, after))
  }

  /** undefined where a receipt came meanwhile. */
  private reseal({ sequence }: OutboxEntry, after: After): OutboxEntry | undefined {
    const { records, sender, now } = this.parts
    const entry = records.outboxEntry(sequence)
    const contact = entry && records.contact(entry.contact)
    const sealed = contact && sender().reseal(entry, contact, now(), after)
    // Something has come in between that wants another session first.
    if (sealed?.inner.length === 0) throw new NotPut('there is no session to seal in')
    return sealed
  }

  /** As stored; sealed first where that had to wait for a session, and anew where the contact has asked for it. */
  private async currentEntry({ sequence }: Readonly<Slot>, { uid }: Contact): Promise<OutboxEntry | undefined> {
    const { records, sessions, journal, beginnings } = this.parts
    const stored = records.outboxEntry(sequence)
    if (stored === undefined || !this.isToSeal(stored)) return stored
    const contact = records.contact(uid)
    if (contact !== undefined && sessions().inUse(contact) === undefined) await network(beginnings.begin(uid))
    return journal.commit((after) => {
      const entry = records.outboxEntry(sequence)
      return entry !== undefined && this.isToSeal(entry) ? this.reseal(entry, after) : entry
    })
  }

  private isToSeal({ contact: uid, inner, stamp }: OutboxEntry): boolean {
    const { begin, resealBelow = 0 } = this.parts.records.contact(uid) ?? {}
    return inner.length === 0 || stamp < resealBelow || begin === 'all'
  }

  private finish(entry: OutboxEntry): PutResult {
    this.parts.journal.commit((after) => this.parts.sender().withdraw(entry.sequence, after))
    return 'done'
  }
}

/** The prekey of a card may be gone; that of the shelf is newer. */
function prekeyOf({ shelf }: Contact, { prekey }: Card): { readonly key: Uint8Array } {
  return shelf !== undefined && shelf.id > prekey.id ? shelf : prekey
}

/** The same addresses, another one first with each attempt. */
function turned<T>(list: readonly T[], attempt: number): T[] {
  const first = attempt % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}

async function network<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (cause) {
    if (isSottoError(cause, 'E_DISK_FULL') || isSottoError(cause, 'E_STATE_UNREADABLE')) throw cause
    throw new NotPut('the mailbox could not be reached', { cause })
  }
}

function reasonOf({ cause }: NotPut): unknown {
  return cause instanceof Error && 'reason' in cause ? cause.reason : undefined
}
