/**
 * What to do when something of a contact cannot be read: ask for it again in a new session, a few times an hour; then tell
 * the person, and ask again when the hour is over. Nothing is given up.
 */
import type { Millis } from '#protocol/bytes.ts'
import { ChatLimits } from './limits.ts'
import type { Repair } from './model.ts'

/** ask: start a session and ask now. tell: too often already. wait: the contact was asked and has not answered yet. */
export type RepairAction = 'ask' | 'tell' | 'wait'

/** After a failure, and for a repair that is due. */
export function nextRepair(repair: Repair, now: Millis): { readonly repair: Repair; readonly action: RepairAction } {
  const last = repair.attempts.at(-1)
  const isAsked = repair.pending > 0 && last !== undefined && last > now - ChatLimits.resendMaxMs && last <= now
  if (isAsked) return { repair, action: 'wait' }
  const attempts = repair.attempts.filter((at) => at > now - ChatLimits.repairWindowMs && at <= now)
  if (attempts.length >= ChatLimits.repairsPerHour)
    return { repair: { ...repair, attempts, due: true }, action: 'tell' }
  return { repair: { ...repair, attempts: [...attempts, now], due: false }, action: 'ask' }
}
