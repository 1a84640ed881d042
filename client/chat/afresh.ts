/**
 * A state that is a copy and was put back, perhaps an old one: what was done since with the other one, we have forgotten. Its
 * keys of messages may have sealed something else, and its numbers may have been used. So nothing is sealed in its sessions
 * any more, and everything that is counted goes on above what can have been used.
 */
import type { Millis, Random } from '#protocol/bytes.ts'
import { empty, latin1 } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { samePlace } from '../store/place.ts'
import { newSeries } from './contacts.ts'
import type { Journal } from './journal.ts'
import { ChatLimits } from './limits.ts'
import type { Contact } from './model.ts'
import { nextPrekey } from './prekeys.ts'
import type { Records } from './records.ts'

/** Numbers left out: more than can have been used while a copy lay around. Prekeys are weekly; shelves need 12,000 a year if drained. */
const PREKEYS_SKIPPED = 1_024
const ONE_TIME_SKIPPED = 65_536

/**
 * Before anything else is done with the state, which is kept at `place` now: begins afresh where it was elsewhere when it was
 * opened last.
 * @returns what the person is to be told, where it began afresh: E_STATE_COPIED
 * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE
 */
export function openAt(
  place: Uint8Array,
  records: Records,
  journal: Journal,
  now: Millis,
  random: Random,
): SottoError | undefined {
  const { place: before, copied = [] } = records.profile()!
  if (before !== undefined && samePlace(before, place)) return undefined
  const lately = copied.filter((at) => Math.abs(now - at) < ChatLimits.copiedWindowMs)
  const times = before === undefined ? lately : [...lately, now].slice(-ChatLimits.copiedTimes)
  journal.commit(() => {
    if (before !== undefined) beginAfresh(records, now, random)
    records.putProfile({ ...records.profile()!, place, copied: times })
  })
  return before === undefined ? undefined : asCopy(times.length)
}

/** A folder that is another one at each start costs a greeting to each contact each time: the person hears of that. */
function asCopy(times: number): SottoError {
  const what =
    times === 1
      ? 'The state folder is a copy of the one that was used before. What was done with that one since is missing here.'
      : `The state folder was another copy at ${times} starts within a week.`
  return new SottoError('E_STATE_COPIED', `${what} All conversations begin afresh.`, {
    kept: 'What this folder holds; no key is used twice.',
  })
}

function beginAfresh(records: Records, now: Millis, random: Random): void {
  const prekeys = records.prekeys()
  const next = nextPrekey(prekeys.at(-1), now, random)
  records.putPrekeys([...prekeys, { ...next, id: next.id + PREKEYS_SKIPPED }].slice(-ChatLimits.prekeys))
  const profile = records.profile()!
  const oneTimeNext = (profile.oneTimeNext ?? 1) + ONE_TIME_SKIPPED
  records.putProfile({ ...profile, oneTimeNext, card: empty, cardBasis: empty })
  const waiting = new Set(records.outbox().map((entry) => latin1(entry.contact)))
  for (const contact of records.contacts()) {
    records.putContact(afresh(contact, waiting.has(latin1(contact.uid)), now))
  }
}

/**
 * The contact, with whom nothing more is sealed as before. The sessions still open what is under way; what came meanwhile is
 * asked for, and comes again unless it was acknowledged. Where something `waits` that may have come with the number it has, no
 * other series begins, which would be above it: the numbers leave out half of what a contact holds beyond one that is missing.
 */
export function afresh(contact: Contact, waits: boolean, now: Millis): Contact {
  const { sent } = contact
  const series = waits ? { ...sent, next: sent.next + ChatLimits.ahead / 2 } : newSeries(contact, now)
  const repair = { ...contact.repair, pending: 0, due: true }
  return { ...contact, sent: series, repair, begin: 'all', announced: empty }
}
