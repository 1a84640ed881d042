/** What is known of files in conversations: where they may be laid, what opens them, and how it is told where one lies. */
import { fastEqual, fromHex, hex } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Address } from '../address.ts'
import { keptCard } from '../card.ts'
import type { ContactBook } from '../contact-book.ts'
import type { Engine } from '../engine.ts'
import type { ContactId, MessageId, MessageView } from '../events.ts'
import { type MessageBook, requireRoom, type SendOptions } from '../message-book.ts'
import type { OwnQueue } from '../model.ts'
import type { FileNote } from './note.ts'

/** A file that was told of, and the queue of ours beside which it lies, where it is theirs and the queue is still there. */
export interface FileOf {
  readonly note: FileNote
  readonly mine: boolean
  readonly queue: OwnQueue | undefined
}

export class FileBook {
  private readonly engine: Engine
  private readonly book: ContactBook
  private readonly messages: MessageBook

  constructor(engine: Engine, book: ContactBook, messages: MessageBook) {
    this.engine = engine
    this.book = book
    this.messages = messages
  }

  /**
   * Says where a file lies, whose pieces have been laid there. `stored` runs in the transaction that stores the message.
   * @throws as `Chat.send`
   */
  send(
    id: ContactId,
    note: Omit<FileNote, 'timer'>,
    { noStore = false }: Pick<SendOptions, 'noStore'>,
    stored: (message: MessageId) => void,
  ): MessageView {
    const contact = this.messages.toward(id)
    const timer = contact.timer ? { timer: contact.timer } : {}
    const file: FileNote = { ...note, ...timer }
    return this.messages.tell(contact, { text: note.name, file, ...timer }, (time, now, after) => {
      const sent = this.engine.sender.file(contact, file, { time, noStore }, now, after)
      stored(hex(sent.id))
      return sent
    })
  }

  /** Queues beside which files for a contact may be laid. @throws as `Chat.send`, and E_CARD_EXPIRED where none is known yet */
  placesFor(id: ContactId): readonly Address[] {
    const contact = this.book.find(id)
    requireRoom(this.engine, contact)
    const places = contact.addresses.length > 0 ? contact.addresses : keptCard(contact.card)?.addresses
    if (places === undefined) throw new SottoError('E_CARD_EXPIRED', 'Their fresh card has not arrived yet.')
    return places
  }

  /** Whether a contact may find out what the person has seen, and that they are there. @throws SottoError E_CHAT_CONTACT */
  showsWhatIsSeen(id: ContactId): boolean {
    const contact = this.book.find(id)
    return this.engine.self.readReceipts && contact.readReceipts && !this.engine.isHiddenFrom(contact)
  }

  /** Tells the chat how to find out whether a file that was not fetched yet lies beside a queue of ours. */
  keepQueuesWith(holdsFile: (rid: Uint8Array) => boolean): void {
    this.engine.queues.holdsFile = holdsFile
  }

  /** What opens the file of a message; undefined where the message is not there, or never was a file. */
  of(id: ContactId, messageId: MessageId): FileOf | 'withdrawn' | undefined {
    const [uid, bytes] = [fromHex(id), fromHex(messageId)]
    const message = uid && bytes && this.engine.records.message(uid, bytes)
    if (message?.withdrawn) return 'withdrawn'
    if (message?.file === undefined) return undefined
    const { file: note, mine } = message
    const queue = mine ? undefined : this.engine.queues.bySid(note.sid)
    // One that was made for somebody else is none of theirs.
    const isTheirs = queue !== undefined && (queue.contact.length === 0 || fastEqual(queue.contact, uid!))
    return { note, mine, queue: isTheirs ? queue : undefined }
  }
}
