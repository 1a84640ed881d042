/** What the person does with contacts. */
import { fastEqual, fromHex, type Millis, utf8 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { forgetUnnamed } from './avatars/avatars.ts'
import { type Card, keptCard, requireFresh, requireWay } from './card.ts'
import { contactView, newContact, withCard } from './contacts.ts'
import type { Engine } from './engine.ts'
import type { ContactId, ContactView } from './events.ts'
import { adopt } from './identities.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Contact } from './model.ts'
import { prekeyIdOf } from './start.ts'

export class ContactBook {
  private readonly engine: Engine

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** undefined where there is none. */
  get(id: ContactId): Contact | undefined {
    const uid = fromHex(id)
    return uid?.length === 32 ? this.engine.records.contact(uid) : undefined
  }

  /** @throws SottoError E_CHAT_CONTACT */
  find(id: ContactId): Contact {
    const contact = this.get(id)
    if (contact === undefined) throw new SottoError('E_CHAT_CONTACT', 'There is no such contact.')
    return contact
  }

  add(card: Card): ContactView {
    const now = this.engine.now()
    requireWay(card)
    requireFresh(card, now)
    if (fastEqual(card.uid, this.engine.self.identity.uid)) throw new SottoError('E_CARD_OWN', 'This is your own card.')
    const known = this.engine.records.contact(card.uid)
    if (known === undefined)
      return this.change((after) => this.store(withCard(newContact(card, 'accepted', now), card, undefined), after))
    const current = keptCard(known.card)
    return this.change((after) => {
      const adopted = adopt(this.engine.records, known, card, (event) => this.engine.hub.emit(event), after)
      if (adopted === undefined) {
        throw new SottoError('E_CARD_CHANGED', `The card of ${card.name} has other keys than those you know.`)
      }
      const renewed = withCard(adopted, card, current)
      forgetUnnamed(this.engine.records, known, renewed)
      return this.renew(this.welcome(renewed, now, after), card, now, after)
    })
  }

  accept(id: ContactId): ContactView {
    const contact = this.find(id)
    if (contact.status === 'accepted') return contactView(contact)
    return this.change((after) => this.welcome(contact, this.engine.now(), after))
  }

  block(id: ContactId): ContactView {
    const contact = this.find(id)
    return this.change((after) => {
      this.withdrawAll(contact, after)
      // The node hears of it when it is next reached; they hear nothing.
      this.engine.queues.dropAtNode(contact.uid, after)
      const { node: _, ...rest } = contact
      return this.store({ ...rest, status: 'blocked' }, after)
    })
  }

  remove(id: ContactId): void {
    const contact = this.find(id)
    this.change((after) => {
      this.withdrawAll(contact, after)
      this.engine.queues.dropAll(contact.uid, after)
      this.engine.expiry.drop(contact.uid, after)
      this.engine.records.deleteContact(contact)
      after(() => this.engine.hub.emit({ type: 'removed', contact: id }))
      return contact
    })
  }

  update(id: ContactId, change: (contact: Contact) => Contact): ContactView {
    const contact = this.find(id)
    return this.change((after) => this.store(change(contact), after))
  }

  /**
   * The gateway of theirs has another name now, by what the person knows: everything for them goes there. Empty: where their
   * card and they themselves say.
   */
  address(id: ContactId, gateway: string): ContactView {
    const { queues, outbox } = this.engine
    const { byHand: _, ...contact } = this.find(id)
    const name = utf8(gateway)
    if (gateway !== '' && !queues.isKnown(name)) {
      throw new SottoError('E_CONTACT_ADDRESS', 'You are no member of a gateway of that name.')
    }
    return this.change((after) => {
      after(() => outbox.hurryContact(contact.uid, ChatLimits.resealed))
      return this.store(gateway === '' ? contact : { ...contact, byHand: name }, after)
    })
  }

  /** Everything below a position has been seen; without one, everything. */
  markRead(contact: Contact, below: number | undefined): ContactView {
    const { records } = this.engine
    const theirs = records
      .messages(contact.uid, Math.max(contact.unread, 1) + ChatLimits.window)
      .filter(({ message }) => !message.mine)
    const seen = theirs.filter(({ position }) => below === undefined || position < below)
    const read = Math.max(contact.read, ...seen.map(({ message }) => message.counter))
    const unread = theirs.filter(({ message }) => message.counter > read).length
    if (read === contact.read && unread === contact.unread) return contactView(contact)
    const tells =
      contact.readReceipts && this.engine.self.readReceipts && contact.status === 'accepted' && read > contact.read
    return this.change((after) => {
      if (tells) after(() => this.engine.owe(contact.uid))
      const fresh = seen.filter(({ message }) => message.timer !== undefined && message.counter > contact.read)
      for (const { message } of fresh) this.engine.count(contact.uid, message.id, this.engine.now(), after)
      return this.store({ ...contact, read, unread, owesReceipt: contact.owesReceipt || tells }, after)
    })
  }

  /** From now on they get receipts; they hear who we are, and are asked for what was turned away. */
  private welcome(contact: Contact, now: Millis, after: After): Contact {
    const { records, repairer, sender, avatars } = this.engine
    const accepted = this.store({ ...contact, status: 'accepted' }, after)
    if (accepted.owesReceipt) after(() => this.engine.owe(accepted.uid))
    if (accepted.sessions.length === 0) return accepted
    const greeted = avatars.give(sender.greet(accepted, now, after), now, after)
    if (greeted.repair.due) repairer.repair(greeted, now, after)
    return records.contact(accepted.uid)!
  }

  /** What they never answered was perhaps sealed to a prekey that is gone: begin again with the one of the new card. */
  private renew(contact: Contact, card: Card, now: Millis, after: After): Contact {
    const { records, sessions, outbox } = this.engine
    const inUse = contact.sessions.at(-1)
    const session = inUse && records.session(inUse.id)
    if (session === undefined || session.start.length === 0) return contact
    if (prekeyIdOf(session.start) >= card.prekey.id || !fastEqual(contact.card, card.bytes)) return contact
    after(() => outbox.hurryContact(contact.uid, ChatLimits.resealed))
    return this.store(sessions.toBegin(contact, 'all', now), after)
  }

  private withdrawAll(contact: Contact, after: After): void {
    for (const { sequence } of this.engine.outbox.of(contact.uid)) this.engine.sender.withdraw(sequence, after)
  }

  private store(contact: Contact, after: After): Contact {
    this.engine.records.putContact(contact)
    after(() => this.engine.hub.emit({ type: 'contact', contact: contactView(contact) }))
    return contact
  }

  private change(work: (after: After) => Contact): ContactView {
    return contactView(this.engine.change(work))
  }
}
