/** What is said to contacts, and what becomes of it: texts, changes, reactions, timers, and the history of a conversation. */
import { fromHex, hex, type Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { encodeText } from './bodies.ts'
import { changed, mayChange } from './changes.ts'
import type { ContactBook } from './contact-book.ts'
import { contactView } from './contacts.ts'
import type { Engine } from './engine.ts'
import type { ContactId, ContactView, MessageId, MessageView } from './events.ts'
import type { After } from './journal.ts'
import { ChatLimits } from './limits.ts'
import { messageView } from './message-view.ts'
import type { Contact, StoredMessage } from './model.ts'
import { type Change, isSymbol, isTimer, type Said } from './says.ts'
import type { Sent } from './sender.ts'
import { insertMessage } from './timeline.ts'

export interface SendOptions {
  /** The message that it answers. */
  readonly answers?: MessageId
  /** No gateway may store it: it waits here until the contact is there. */
  readonly noStore?: boolean
}

export interface HistoryOptions {
  /** Only messages before this one. */
  readonly before?: MessageId
  readonly limit: number
}

/** Behind `Chat`, whose methods of the same names say what each does, and what it throws. */
export class MessageBook {
  private readonly engine: Engine
  private readonly book: ContactBook

  constructor(engine: Engine, book: ContactBook) {
    this.engine = engine
    this.book = book
  }

  send(id: ContactId, text: string, { answers, noStore = false }: SendOptions = {}): MessageView {
    requireText(text)
    const contact = this.toward(id)
    const said: Said = {
      text,
      ...(answers === undefined ? {} : { answers: this.messageOf(contact, answers).id }),
      ...(contact.timer ? { timer: contact.timer } : {}),
    }
    const { sender } = this.engine
    return this.tell(contact, said, (time, now, after) => sender.say(contact, said, { time, noStore }, now, after))
  }

  /** Stores what is said, and sends it. `send` seals it at a time that is not before what was said last. */
  tell(
    contact: Contact,
    what: Said & Pick<StoredMessage, 'file'>,
    send: (time: Millis, now: Millis, after: After) => Sent,
  ): MessageView {
    const { records } = this.engine
    const [message, next] = this.engine.change((after) => {
      const now = this.engine.now()
      const newest = records.messages(contact.uid, 1)[0]?.message.time ?? 0
      const time = Math.max(now, newest)
      const sent = send(time, now, after)
      const { id, counter } = sent
      const stored = { id, contact: contact.uid, mine: true, time, counter, forked: false, ...what }
      return [insertMessage(records, stored, false), sent.contact] as const
    })
    return messageView(message, next, this.engine.outbox.find(contact.uid, message.id))
  }

  edit(id: ContactId, message: MessageId, text: string): MessageView {
    requireText(text)
    return this.alter(id, message, 'edit', text)
  }

  withdraw(id: ContactId, message: MessageId): MessageView {
    return this.alter(id, message, 'withdraw', '')
  }

  react(id: ContactId, message: MessageId, symbol: string): MessageView {
    if (!isSymbol(symbol)) throw new SottoError('E_CHAT_TEXT', 'A reaction is one symbol.')
    return this.alter(id, message, 'reaction', symbol)
  }

  setTimer(id: ContactId, seconds: number): ContactView {
    if (!isTimer(seconds)) throw new RangeError('not a time for messages to disappear after')
    const contact = this.toward(id)
    this.engine.change((after) => {
      const now = this.engine.now()
      const { contact: told } = this.engine.sender.timer(contact, seconds, now, after)
      this.engine.records.putContact({ ...told, timer: seconds, timerSet: now })
    })
    return contactView(this.book.find(id))
  }

  private alter(id: ContactId, messageId: MessageId, kind: Change['kind'], text: string): MessageView {
    const contact = this.toward(id)
    const message = this.messageOf(contact, messageId)
    const time = this.engine.now()
    if (!mayChange(message, { kind, mine: true, time })) throw cannotChange(message, kind)
    return this.engine.change((after) => {
      const change = { kind, target: message.id, text }
      const { contact: next, counter } = this.engine.sender.change(contact, change, time, after)
      const altered = changed(message, { ...change, mine: true, counter, time })
      this.engine.replace(next, message, altered, after)
      return messageView(altered, next, this.engine.outbox.find(contact.uid, message.id))
    })
  }

  /** @throws SottoError E_CHAT_MESSAGE */
  private messageOf(contact: Contact, id: MessageId): StoredMessage {
    const bytes = fromHex(id)
    const message = bytes && this.engine.records.message(contact.uid, bytes)
    if (message === undefined) throw new SottoError('E_CHAT_MESSAGE', 'There is no such message in this conversation.')
    return message
  }

  history(id: ContactId, { before, limit }: HistoryOptions): MessageView[] {
    const contact = this.book.find(id)
    const below = before === undefined ? undefined : this.positionOf(contact, before)
    const slots = new Map(this.engine.outbox.of(contact.uid).map((slot) => [hex(slot.message), slot]))
    const page = this.engine.records.messages(contact.uid, limit, below).reverse()
    return page.map(({ message }) => messageView(message, contact, slots.get(hex(message.id))))
  }

  markRead(id: ContactId, upTo?: MessageId): ContactView {
    const contact = this.book.find(id)
    const below = upTo === undefined ? undefined : this.positionOf(contact, upTo) + 1
    return this.book.markRead(contact, below)
  }

  private positionOf(contact: Contact, id: MessageId): number {
    const bytes = fromHex(id)
    const position = bytes && this.engine.records.positionOf(contact.uid, bytes)
    if (position === undefined) throw new RangeError('no such message')
    return position
  }

  /** Somebody to whom something is said now: they see then that we are there. */
  toward(id: ContactId): Contact {
    const contact = this.book.find(id)
    requireRoom(this.engine, contact)
    if (!this.engine.isHiddenFrom(contact)) return contact
    this.engine.shown(contact)
    const shown = this.book.find(id)
    return this.engine.change((after) => this.engine.avatars.look(shown, true, this.engine.now(), after))
  }
}

/** @throws SottoError E_CHAT_BLOCKED, E_CHAT_OUTBOX_FULL where nothing may be said to them now */
export function requireRoom({ outbox }: Engine, contact: Contact): void {
  if (contact.status !== 'accepted') {
    throw new SottoError('E_CHAT_BLOCKED', 'Nothing is sent to somebody who is not accepted.')
  }
  const oldest = outbox.oldest(contact.uid)
  if (oldest !== undefined && contact.sent.next - oldest.counter >= ChatLimits.window) {
    throw new SottoError('E_CHAT_OUTBOX_FULL', 'Too many messages are on their way to this contact.')
  }
}

function cannotChange({ mine, withdrawn, file }: StoredMessage, kind: Change['kind']): SottoError {
  if (kind === 'edit' && file !== undefined) return new SottoError('E_CHAT_CHANGE', 'A file cannot be edited.')
  if (withdrawn) return new SottoError('E_CHAT_CHANGE', 'The message was withdrawn.')
  const hours = ChatLimits.changeMs / 3_600_000
  const what = mine ? `It is too late: messages can be changed for ${hours} hours.` : 'This is not your message.'
  return new SottoError('E_CHAT_CHANGE', what)
}

function requireText(text: string): void {
  const { length } = encodeText(text)
  if (length >= 1 && length <= ChatLimits.textBytes) return
  const what =
    length === 0 ? 'The text is empty.' : `The text has ${length} octets; ${ChatLimits.textBytes} is the most.`
  throw new SottoError('E_CHAT_TEXT', what)
}
