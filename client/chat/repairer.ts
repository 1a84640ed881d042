/** Carries out what repair.ts decides. Every method is for the inside of a transaction. */
import { hex, type Millis } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { contactView } from './contacts.ts'
import type { Emit } from './events.ts'
import type { After } from './journal.ts'
import type { Contact } from './model.ts'
import type { Records } from './records.ts'
import { nextRepair } from './repair.ts'
import type { Sender } from './sender.ts'

export class Repairer {
  private readonly records: Records
  private readonly sender: Sender
  private readonly emit: Emit
  private readonly isHiddenFrom: (contact: Contact) => boolean

  /** @param isHiddenFrom who is not to see that we are there: they are asked when something is said to them */
  constructor(records: Records, sender: Sender, emit: Emit, isHiddenFrom: (contact: Contact) => boolean) {
    this.records = records
    this.sender = sender
    this.emit = emit
    this.isHiddenFrom = isHiddenFrom
  }

  /** Something could not be read, of this contact as far as we know. */
  failed(uid: Uint8Array | undefined, now: Millis, after: After): void {
    const contact = uid && this.records.contact(uid)
    if (contact === undefined || contact.status === 'blocked') return
    if (contact.status === 'accepted' && !this.isHiddenFrom(contact)) this.repair(contact, now, after)
    else this.later(contact)
  }

  /** Nobody is asked now; `repair` will be called again. */
  later(contact: Contact): void {
    this.records.putContact({ ...contact, repair: { ...contact.repair, due: true } })
  }

  /** Asks an accepted contact for what could not be read, as often as is allowed. */
  repair(contact: Contact, now: Millis, after: After): void {
    const { repair, action } = nextRepair(contact.repair, now)
    const noted = { ...contact, repair }
    if (action === 'ask') return this.ask(noted, now, after)
    this.records.putContact(noted)
    if (action === 'wait' || contact.repair.due) return
    const name = contactView(contact).name || 'a contact'
    const text = `Messages of ${name} cannot be read, and asking for them again did not help so far.`
    this.tell(contact, new SottoError('E_CHAT_CONNECTION', text, { kept: 'They are kept at the other end.' }), after)
  }

  private ask(contact: Contact, now: Millis, after: After): void {
    try {
      const { contact: asked, counter } = this.sender.resend(contact, now, after)
      this.records.putContact({ ...asked, repair: { ...asked.repair, pending: counter } })
    } catch (error) {
      if (!isSottoError(error, 'E_CARD_EXPIRED') && !isSottoError(error, 'E_CHAT_VERSION')) throw error
      this.later(contact)
      this.tell(contact, error, after)
    }
  }

  private tell(contact: Contact, error: SottoError, after: After): void {
    after(() => this.emit({ type: 'problem', contact: hex(contact.uid), error }))
  }
}
