/**
 * Where a message stands in the history, and the time it is shown with.
 *
 * A contact's clock is not trusted: its time is held between that of the contact's message before and five minutes after
 * arrival. Among one sender's messages the counter decides; between the two people the time does. Positions leave gaps, so
 * that a late message finds a place without moving others; they say nothing but the order.
 */
import type { Millis } from '#protocol/bytes.ts'
import { ChatLimits } from './limits.ts'
import type { StoredMessage } from './model.ts'
import type { PlacedMessage, Records } from './records.ts'

const GAP = 2 ** 20
/** Messages read at once while a place is looked for: the newest alone is nearly always enough. */
const FIRST_PAGE = 1
const PAGE = 64

/** Time of a message that comes in order: not before its parent, not far in the future. */
export function clampTime(time: Millis, parent: Millis, now: Millis): Millis {
  return Math.max(parent, Math.min(time, now + ChatLimits.clockAheadMs))
}

/** Between which messages a new one goes; both undefined in an empty history. */
export interface Slot {
  readonly after: PlacedMessage | undefined
  readonly before: PlacedMessage | undefined
}

/**
 * Looks for the place of a message, from the newest on. `late` says that a message of the same sender with a higher counter
 * may be there, so that the search goes on until one with a lower counter is met.
 */
export function findSlot(
  newestFirst: Iterable<PlacedMessage>,
  message: Pick<StoredMessage, 'mine' | 'time' | 'counter'>,
  late: boolean,
): Slot {
  let slot: Slot = { after: undefined, before: undefined }
  let time = message.time
  let open = true
  for (const placed of newestFirst) {
    const other = placed.message
    const sameSender = other.mine === message.mine
    if (sameSender && other.counter < message.counter) return open ? { ...slot, after: placed } : slot
    if (sameSender) {
      slot = { after: undefined, before: placed }
      time = Math.min(time, other.time)
      open = true
    } else if (open && other.time <= time) {
      slot = { ...slot, after: placed }
      if (!late) return slot
      open = false
    } else if (open) {
      slot = { after: undefined, before: placed }
    }
  }
  return slot
}

function* newestFirst(records: Records, contact: Uint8Array): Generator<PlacedMessage> {
  let below: number | undefined
  for (let read = 0, size = FIRST_PAGE; read < ChatLimits.reorderWalk; read += size, size = PAGE) {
    const page = records.messages(contact, size, below)
    yield* page
    if (page.length < size) return
    below = page.at(-1)!.position
  }
}

/** Stores a message at its place; returns it as stored. Inside a transaction. */
export function insertMessage(records: Records, message: StoredMessage, late: boolean): StoredMessage {
  const slot = closed(records, message.contact, findSlot(newestFirst(records, message.contact), message, late))
  const time = within(message.time, slot)
  const stored = { ...message, time }
  records.putMessage(stored, positionIn(records, message.contact, slot))
  return stored
}

/** Where the search ended at its limit, the next older message bounds the place. */
function closed(records: Records, contact: Uint8Array, slot: Slot): Slot {
  if (slot.after !== undefined || slot.before === undefined) return slot
  return { ...slot, after: records.messages(contact, 1, slot.before.position)[0] }
}

function within(time: Millis, { after, before }: Slot): Millis {
  const notLater = before === undefined ? time : Math.min(time, before.message.time)
  return after === undefined ? notLater : Math.max(notLater, after.message.time)
}

function positionIn(records: Records, contact: Uint8Array, { after, before }: Slot): number {
  if (before === undefined) return (after?.position ?? 0) + GAP
  if (after === undefined) return before.position - GAP
  const middle = Math.floor((after.position + before.position) / 2)
  if (middle > after.position) return middle
  records.makeRoom(contact, after.position, GAP)
  return after.position + GAP / 2
}
