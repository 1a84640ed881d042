/** Presence as the program sees it: who is there, who may see that we are, and what the person wishes about it. */
import { hex } from '#protocol/bytes.ts'
import type { Answer } from '#protocol/presence/decision.ts'
import type { ContactBook } from '../contact-book.ts'
import type { Engine } from '../engine.ts'
import type { ContactId, ContactView, PresenceView } from '../events.ts'
import type { Contact, Profile } from '../model.ts'
import type { ProbeOptions } from './presence.ts'
import { isAnswered, type Showing, showingOf } from './visibility.ts'

export class ChatPresence {
  private readonly engine: Engine
  private readonly book: ContactBook

  constructor(engine: Engine, book: ContactBook) {
    this.engine = engine
    this.book = book
  }

  /** Whether friends are asked, and told, who is there; what is set for one of them counts for that one. */
  get showing(): Showing {
    return showingOf(this.engine.records.profile()!)
  }

  /** @throws SottoError E_DISK_FULL */
  setShowing(showing: Showing): void {
    this.changeVisibility(() => this.changeProfile({ showing }))
  }

  /** Whether one friend may see that we are there; undefined: as the others may. @throws SottoError E_CHAT_CONTACT */
  setSees(id: ContactId, sees: boolean | undefined): ContactView {
    const { sees: _, ...contact } = this.book.find(id)
    const next = sees === undefined ? contact : { ...contact, sees }
    return this.changeVisibility(() => this.book.update(id, () => next))
  }

  /** Seconds between two rounds of asking who is there, while a chat is open; 0: none. */
  get askEvery(): number {
    return this.engine.records.profile()!.askEvery ?? 0
  }

  /** @throws SottoError E_DISK_FULL */
  setAskEvery(askEvery: number): void {
    this.changeProfile({ askEvery })
  }

  /** What is known now of somebody's being there; undefined where it is nothing, or they are no contact any more. */
  of(id: ContactId): PresenceView | undefined {
    const contact = this.book.get(id)
    return contact && this.engine.presence.of(contact.uid)
  }

  /** What somebody else has found out, such as a tracker; of who is no contact any more, nothing is noted. */
  note(id: ContactId, presence: PresenceView): void {
    const contact = this.book.get(id)
    if (contact !== undefined) this.engine.presence.note(contact.uid, presence)
  }

  /** Whether they may see that we are there. */
  isSeenBy(id: ContactId): boolean {
    const contact = this.book.get(id)
    return contact !== undefined && !this.engine.isHiddenFrom(contact)
  }

  /** Asks a friend whether they are there. Spec in presence/presence.ts. @throws SottoError E_CHAT_CONTACT */
  probe(id: ContactId, options: ProbeOptions = {}): Promise<Answer> {
    return this.engine.presence.probe(this.book.find(id).uid, options)
  }

  /** Friends to ask in one round. */
  round(): ContactId[] {
    return this.engine.presence.round().map(hex)
  }

  private changeProfile(change: Partial<Profile>): void {
    const { records } = this.engine
    this.engine.change(() => records.putProfile({ ...records.profile()!, ...change }))
  }

  /** Who sees us no longer is told that we are gone; who sees us from now on gets what has waited. */
  private changeVisibility<T>(change: () => T): T {
    const { engine } = this
    const { records } = engine
    const answered = (): Contact[] => records.contacts().filter((each) => isAnswered(each, records.profile()!))
    const before = answered()
    const result = change()
    const now = answered()
    const without = (some: readonly Contact[], others: readonly Contact[]): Contact[] => {
      const named = new Set(others.map(({ uid }) => hex(uid)))
      return some.filter(({ uid }) => !named.has(hex(uid)))
    }
    engine.hidden(without(before, now))
    for (const each of without(now, before)) engine.shown(each)
    return result
  }
}
