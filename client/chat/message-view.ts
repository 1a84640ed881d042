/** How a stored message looks to the views. */
import { base64url, hex } from '#protocol/bytes.ts'
import type { MessageStatus, MessageView } from './events.ts'
import type { FileNote } from './files/note.ts'
import type { Contact, StoredMessage } from './model.ts'
import type { Slot } from './outbox.ts'
import { isHere } from './sequence.ts'

/** `slot` is the message's place in the outbox, if it is still there. */
export function messageView(message: StoredMessage, contact: Contact, slot: Readonly<Slot> | undefined): MessageView {
  return {
    id: hex(message.id),
    contact: hex(message.contact),
    from: message.mine ? 'me' : 'them',
    text: message.text,
    time: message.time,
    status: message.mine ? statusOf(message, contact, slot) : theirStatus(message, contact),
    gapBefore: !message.mine && (message.forked || isAfterGap(message, contact)),
    ...more(message),
  }
}

/** What most messages do not have. */
function more(message: StoredMessage): Partial<MessageView> {
  const { answers, timer, edited, withdrawn, myReaction, theirReaction, file } = message
  return {
    ...(answers === undefined ? {} : { answers: hex(answers) }),
    ...(timer === undefined ? {} : { timer }),
    ...(file === undefined ? {} : { file: fileOf(file) }),
    ...(edited ? { edited } : {}),
    ...(withdrawn ? { withdrawn } : {}),
    ...(myReaction?.symbol ? { myReaction: myReaction.symbol } : {}),
    ...(theirReaction?.symbol ? { theirReaction: theirReaction.symbol } : {}),
  }
}

/** Nothing that opens it. */
function fileOf({ name, size, picture }: FileNote): NonNullable<MessageView['file']> {
  if (picture === undefined) return { name, size }
  const { width, height, pixels } = picture
  return { name, size, picture: { width, height, pixels: base64url(pixels) } }
}

function statusOf({ counter }: StoredMessage, contact: Contact, slot: Readonly<Slot> | undefined): MessageStatus {
  if (counter <= contact.theirRead) return 'read'
  if (slot === undefined) return 'delivered'
  return slot.puts > 0 ? 'sent' : 'pending'
}

function theirStatus({ counter }: StoredMessage, { read }: Contact): MessageStatus {
  return counter <= read ? 'read' : 'delivered'
}

function isAfterGap({ counter }: StoredMessage, { received }: Contact): boolean {
  return counter > received.upTo && !isHere(received, counter - 1)
}
