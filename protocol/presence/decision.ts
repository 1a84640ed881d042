/**
 * Whether a friend is there, from what was found out so far: what to find out next, or what is known. The person's own word comes
 * first, then that of friends they told, then the tracker; where the tracker names another address than ours, the person is asked
 * there once more.
 *
 *     answer   gossip   tracker                       asked again   state
 *     right    -        -                             -             as they say
 *     other    fresh    -                             -             as they say
 *     other    none     unchanged, online             -             unknown
 *     other    none     unchanged, offline            -             offline
 *     other    none     changed, online or offline    right         as they say
 *     other    none     changed, online or offline    other         offline
 *     other    none     changed, its time is over     other         unknown
 *     other    none     unchanged, its time is over   -             unknown
 *     other    none     no record, not reached        -             unknown
 */
import type { StateName } from './state.ts'

/** An answer that was right, with what it says; wrong, or none in time. */
export type Answer = StateName | 'wrong' | 'none'

/** What a tracker says: stale where the time of the record is over. */
export type TrackerWord = 'unreachable' | 'none' | { readonly changed: boolean; readonly state: StateName | 'stale' }

export interface Evidence {
  readonly answer?: Answer
  /** From friends; none where there is nothing fresh. */
  readonly gossip?: StateName | 'none'
  readonly tracker?: TrackerWord
  /** At the address that the tracker named. */
  readonly again?: Answer
}

export type Step =
  | { readonly kind: 'probe' | 'gossip' | 'tracker' | 'probe-again' }
  | { readonly kind: 'known'; readonly state: StateName | 'unknown'; readonly by: 'themselves' | 'friends' | 'tracker' }

const isRight = (answer: Answer): answer is StateName => answer === 'online' || answer === 'offline'

export function nextStep({ answer, gossip, tracker, again }: Evidence): Step {
  if (answer === undefined) return { kind: 'probe' }
  if (isRight(answer)) return { kind: 'known', state: answer, by: 'themselves' }
  if (gossip === undefined) return { kind: 'gossip' }
  if (gossip !== 'none') return { kind: 'known', state: gossip, by: 'friends' }
  if (tracker === undefined) return { kind: 'tracker' }
  if (typeof tracker === 'string') return { kind: 'known', state: 'unknown', by: 'tracker' }
  if (tracker.changed) return afterChange(tracker.state, again)
  return { kind: 'known', state: tracker.state === 'offline' ? 'offline' : 'unknown', by: 'tracker' }
}

function afterChange(state: StateName | 'stale', again: Answer | undefined): Step {
  if (again === undefined) return { kind: 'probe-again' }
  if (isRight(again)) return { kind: 'known', state: again, by: 'themselves' }
  return { kind: 'known', state: state === 'stale' ? 'unknown' : 'offline', by: 'tracker' }
}
