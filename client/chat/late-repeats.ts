/** When something is put again to contacts who are not to see that we are there: each repeat shows it, and so would one at every start. */
import { latin1, type Millis, type Random } from '#protocol/bytes.ts'
import { PresenceLimits } from '#protocol/presence/limits.ts'
import { backoff } from './backoff.ts'
import type { Journal } from './journal.ts'
import type { Contact, OutboxEntry } from './model.ts'
import type { Slot } from './outbox.ts'
import { between } from './presence/draw.ts'
import type { Records } from './records.ts'

export interface LateRepeatsParts {
  readonly records: Records
  readonly journal: Journal
  readonly random: Random
  readonly now: () => Millis
  readonly isHiddenFrom: (contact: Contact) => boolean
}

export class LateRepeats {
  private readonly parts: LateRepeatsParts
  /** When something was last said to them, which they have seen. */
  private readonly spoken = new Map<string, Millis>()

  constructor(parts: LateRepeatsParts) {
    this.parts = parts
  }

  /** Of what waits after a start: whether it is not due at once. */
  isLate({ contact: uid, put = false }: OutboxEntry): boolean {
    const contact = this.parts.records.contact(uid)
    return put && contact !== undefined && this.parts.isHiddenFrom(contact)
  }

  /** Milliseconds until what is late is put again, drawn each time. */
  pause(): Millis {
    return between(PresenceLimits.lateReceiptMs, this.parts.random)
  }

  /** Who has just seen that we are there gets some repeats, and then none for hours. @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE */
  afterPut(slot: Readonly<Slot>): 'waiting' | 'late' {
    const { records, isHiddenFrom, now } = this.parts
    const contact = records.contact(slot.contact)
    if (contact === undefined || !isHiddenFrom(contact)) return 'waiting'
    if (!records.outboxEntry(slot.sequence)?.put) this.note([slot])
    const seenUntil = (this.spoken.get(slot.key) ?? Number.NEGATIVE_INFINITY) + PresenceLimits.lifeMs
    return now() + backoff(slot.puts + 1) <= seenUntil ? 'waiting' : 'late'
  }

  /** Something is said to them now. */
  said({ uid }: Contact): void {
    this.spoken.set(latin1(uid), this.parts.now())
  }

  /** They are not to see us from now on; `put`: of what was put to them, what they have not said has come. @throws as `afterPut` */
  hide(contacts: readonly Contact[], put: readonly Readonly<Slot>[]): void {
    if (put.length > 0) this.note(put)
    for (const { uid } of contacts) this.spoken.delete(latin1(uid))
  }

  /** Known after a start: it is not due then at once, which would show when we have started. */
  private note(slots: readonly Readonly<Slot>[]): void {
    const { records, journal } = this.parts
    journal.commit(() => {
      for (const { sequence } of slots) {
        const entry = records.outboxEntry(sequence)
        if (entry !== undefined && !entry.put) records.putOutboxEntry({ ...entry, put: true })
      }
    })
  }
}
