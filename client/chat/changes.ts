/** What a change makes of a message. The latest of one person counts, by their counter; whatever comes late changes nothing. */
import type { Millis } from '#protocol/bytes.ts'
import { ChatLimits } from './limits.ts'
import type { Reaction, StoredMessage } from './model.ts'
import type { Change } from './says.ts'

/** A change, by whom, and when it was said. */
export interface SaidChange extends Change {
  readonly mine: boolean
  readonly counter: number
  /** The sender's clock. */
  readonly time: Millis
}

/** True where the person may do this to the message, `time` being now by their clock. */
export function mayChange(
  message: StoredMessage,
  { kind, mine, time }: Pick<SaidChange, 'kind' | 'mine' | 'time'>,
): boolean {
  if (message.withdrawn === true) return false
  if (kind === 'reaction') return true
  if (kind === 'edit' && message.file !== undefined) return false
  return message.mine === mine && time - message.time <= ChatLimits.changeMs
}

/** The message as it is now; the same where the change does not count. */
export function changed(message: StoredMessage, change: SaidChange): StoredMessage {
  if (!mayChange(message, change)) return message
  const { kind, counter, text } = change
  if (kind === 'reaction') return reacted(message, change)
  if (counter <= (message.changedBy ?? 0)) return message
  if (kind === 'edit') return { ...message, text, edited: true, changedBy: counter }
  const { edited: _, theirReaction: __, myReaction: ___, file: ____, ...rest } = message
  return { ...rest, text: '', withdrawn: true, changedBy: counter }
}

function reacted(message: StoredMessage, { mine, counter, text: symbol }: SaidChange): StoredMessage {
  const key = mine ? 'myReaction' : 'theirReaction'
  if (counter <= (message[key]?.counter ?? 0)) return message
  const reaction: Reaction = { symbol, counter }
  return { ...message, [key]: reaction }
}
