/** What has to be done now and then: rotating keys and queues, forgetting, telling contacts about it. */
import type { Millis } from '#protocol/bytes.ts'
import type { Avatars } from './avatars/avatars.ts'
import type { After, Journal } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Contact } from './model.ts'
import type { OwnQueues } from './own-queues.ts'
import { isAnswered } from './presence/visibility.ts'
import type { Proofs } from './proofs.ts'
import { forget } from './ratchet.ts'
import { dayOf, type Records } from './records.ts'
import type { Repairer } from './repairer.ts'
import type { Self } from './self.ts'
import type { Sender } from './sender.ts'

export interface MaintenanceParts {
  readonly records: Records
  readonly journal: Journal
  readonly self: Self
  readonly queues: OwnQueues
  readonly sender: Sender
  readonly repairer: Repairer
  readonly avatars: Avatars
  readonly proofs: Proofs
  /** They are not to see that we are there: what is new about us waits until something is said to them. */
  readonly isHiddenFrom: (contact: Contact) => boolean
}

const DAYS_SEEN = ChatLimits.seenMs / 86_400_000

export class Maintenance {
  private readonly parts: MaintenanceParts

  constructor(parts: MaintenanceParts) {
    this.parts = parts
  }

  /** @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE */
  run(now: Millis): void {
    const { journal, self, queues, records } = this.parts
    journal.commit((after) => {
      self.rotatePrekeys(now)
      queues.rotate(now, after)
      this.forgetSeen(now)
      this.forgetKept(now)
    })
    for (const contact of records.contacts()) {
      // After a key update everybody hears of it.
      const isNew = contact.status === 'request' && isAnswered(contact, records.profile()!)
      if (contact.begin === 'all' || isNew || !this.parts.isHiddenFrom(contact)) this.attend(contact, now)
    }
  }

  private forgetSeen(now: Millis): void {
    const { records } = this.parts
    const profile = records.profile()!
    const first = dayOf(now) - DAYS_SEEN
    if (profile.seenSince >= first) return
    for (let day = profile.seenSince; day < first; day++) records.forgetSeen(day)
    records.putProfile({ ...profile, seenSince: first })
  }

  private forgetKept(now: Millis): void {
    const { records } = this.parts
    for (const session of records.sessionsWithKept()) {
      const { receiving } = forget(session.ratchet.receiving, now)
      records.putSession({ ...session, ratchet: { ...session.ratchet, receiving } }, session)
    }
  }

  /**
   * Tells an accepted contact what has changed about us, gives what it has asked for, and asks again for what could not be read. Somebody
   * new is answered what has waited for that.
   */
  attend(contact: Contact, now: Millis): void {
    if (contact.status === 'request') this.parts.journal.commit((after) => this.answer(contact, now, after))
    if (contact.status !== 'accepted') return
    const { journal, repairer, sender, avatars } = this.parts
    const isGreeted = contact.sessions.length > 0 || contact.announced.length > 0 || contact.begin === 'all'
    journal.commit((after) => {
      const greeted = isGreeted ? sender.greet(contact, now, after) : contact
      const given = avatars.give(sender.tellNode(greeted, now, after), now, after)
      const told = this.answer(given, now, after)
      if (told.repair.due) repairer.repair(told, now, after)
    })
  }

  private answer(contact: Contact, now: Millis, after: After): Contact {
    const answered = this.parts.proofs.give(contact, now, after)
    if (answered !== contact) this.parts.records.putContact(answered)
    return answered
  }
}
