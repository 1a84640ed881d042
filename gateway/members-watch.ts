/**
 * Tells the running gateway what has changed in the store, by whichever process. It looks four times a second: one read
 * of memory that LMDB shares between the processes. That misses nothing, needs no second channel beside the store, and
 * works on every file system, which file notifications do not.
 */
import type { Millis } from '#protocol/bytes.ts'
import type { Members } from './members.ts'
import type { CohortSecret } from './members-records.ts'

/** A revocation must bite within a second. */
const LOOK_MS = 250
/** Cohorts also change when an invite expires unused, which nobody writes down. */
const RECHECK_MS = 60_000

export interface MemberEvents {
  readonly now: () => Millis
  /** All cohorts whose first contacts are to be recognised; also called at once. */
  readonly cohorts: (cohorts: readonly CohortSecret[]) => void
  /** A member whose sessions must end; told again with every change, so that none that begins meanwhile is missed. */
  readonly revoked: (member: string) => void
  /** The store could not be read; looking goes on. */
  readonly fault: (error: unknown) => void
}

/** Returns how to stop. */
export function watchMembers(members: Members, events: MemberEvents): () => void {
  const watcher = new Watcher(members, events)
  const look = (): void => {
    try {
      watcher.look()
    } catch (error) {
      events.fault(error)
    }
  }
  look()
  const timer = setInterval(look, LOOK_MS)
  // Who gets an invite from the gateway itself may be back sooner than that.
  const unlisten = members.onChange(look)
  return () => {
    clearInterval(timer)
    unlisten()
  }
}

class Watcher {
  private readonly members: Members
  private readonly events: MemberEvents
  private version = Number.NaN
  private nextCheck = 0
  private cohorts: string | undefined

  constructor(members: Members, events: MemberEvents) {
    this.members = members
    this.events = events
  }

  look(): void {
    const now = this.events.now()
    const version = this.members.version()
    if (version === this.version && now < this.nextCheck) return
    const cohorts = this.members.cohorts(now)
    const names = namesOf(cohorts)
    const changed = names !== this.cohorts
    this.version = version
    this.nextCheck = now + RECHECK_MS
    this.cohorts = names
    if (changed) this.events.cohorts(cohorts)
    for (const member of this.members.revokedMembers()) this.events.revoked(member)
  }
}

const namesOf = (cohorts: readonly CohortSecret[]): string =>
  cohorts
    .map(({ id }) => id)
    .toSorted()
    .join(' ')
