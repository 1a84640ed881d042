/** What has to be done now and then: rotating keys and queues, forgetting, telling contacts about it. */
import type { Millis } from '#protocol/bytes.ts'
import type { Avatars } from './avatars/avatars.ts'
import type { Journal } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Contact } from './model.ts'
import type { OwnQueues } from './own-queues.ts'
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
  /** They are not to see that we are there: what is new about us waits until something is said to them. */
  readonly isHiddenFrom: (contact: Contact) => boolean
}

/** Contacts that are attended to in one go: half a millisecond each where there is nothing to say, and who types does not wait. */
const AT_ONCE = 16
const DAYS_SEEN = ChatLimits.seenMs / 86_400_000

export class Maintenance {
  private readonly parts: MaintenanceParts
  /** Those that the round under way has not come to. */
  private left: Uint8Array[] = []

  constructor(parts: MaintenanceParts) {
    this.parts = parts
  }

  /** False where the round has come to everybody. */
  get isUnderWay(): boolean {
    return this.left.length > 0
  }

  /** Begins a round; `goOn` does the rest of it. @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE: the round is over then */
  run(now: Millis): void {
    this.left = []
    const { journal, self, queues, records } = this.parts
    journal.commit((after) => {
      self.rotatePrekeys(now)
      queues.rotate(now, after)
      this.forgetSeen(now)
      this.forgetKept(now)
    })
    this.left = records.contacts().map(({ uid }) => uid)
    this.goOn(now)
  }

  /** The next few of the round. @throws as `run` */
  goOn(now: Millis): void {
    const { records, isHiddenFrom } = this.parts
    const [next, left] = [this.left.slice(0, AT_ONCE), this.left.slice(AT_ONCE)]
    this.left = []
    for (const uid of next) {
      const contact = records.contact(uid)
      if (contact === undefined) continue
      // After a key update everybody hears of it.
      if (contact.begin === 'all' || !isHiddenFrom(contact)) this.attend(contact, now)
    }
    this.left = left
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

  /** Tells an accepted contact what has changed about us, gives what it has asked for, and asks again for what could not be read. */
  attend(contact: Contact, now: Millis): void {
    if (contact.status !== 'accepted') return
    const { journal, repairer, sender, avatars } = this.parts
    const isGreeted = contact.sessions.length > 0 || contact.announced.length > 0 || contact.begin === 'all'
    journal.commit((after) => {
      const greeted = isGreeted ? sender.greet(contact, now, after) : contact
      const told = avatars.give(sender.tellNode(greeted, now, after), now, after)
      if (told.repair.due) repairer.repair(told, now, after)
    })
  }
}
