/** How it stands between us and one contact about pictures, theirs and ours. Nothing is changed in place. */
import { fastEqual, type Millis } from '#protocol/bytes.ts'
import { ChatLimits } from '../limits.ts'

export interface AvatarState {
  /** Hash that their newest card names; missing: they show none. */
  readonly named?: Uint8Array
  /** Hash of the one that is kept here. */
  readonly kept?: Uint8Array
  /** What they were last asked for, and when. */
  readonly asked?: { readonly hash: Uint8Array; readonly at: Millis }
  /** When theirs were taken in, within a day. */
  readonly taken?: readonly Millis[]
  /** When ours were given to them, within a day. */
  readonly given?: readonly Millis[]
  /** Hash of ours that they have asked for and not got. */
  readonly owed?: Uint8Array
}

/** Their newest card names this picture; undefined: it names none, so nothing of theirs is shown any more. */
export function withNamed(state: AvatarState, hash: Uint8Array | undefined): AvatarState {
  const { named: _, kept, asked, ...rest } = state
  if (hash === undefined) return rest
  return { ...rest, named: hash, ...(kept && { kept }), ...(asked && { asked }) }
}

/** What their card names is here. */
export const isHere = ({ named, kept }: AvatarState): boolean =>
  named !== undefined && kept !== undefined && fastEqual(named, kept)

const within = (times: readonly Millis[] | undefined, now: Millis): Millis[] =>
  (times ?? []).filter((at) => Math.abs(now - at) < ChatLimits.avatarWindowMs)

/** Hash of what they are to be asked for now; undefined: for nothing. */
export function toAsk(state: AvatarState, now: Millis): Uint8Array | undefined {
  const { named, asked, taken } = state
  if (named === undefined || isHere(state) || within(taken, now).length >= ChatLimits.avatarChanges) return undefined
  const isAsked = asked !== undefined && fastEqual(asked.hash, named)
  return isAsked && Math.abs(now - asked.at) < ChatLimits.avatarAskAgainMs ? undefined : named
}

/** Another one of theirs came; undefined: it is not to be taken in. */
export function withTaken(state: AvatarState, hash: Uint8Array, now: Millis): AvatarState | undefined {
  const { named, asked: _, ...rest } = state
  const taken = within(state.taken, now)
  if (named === undefined || !fastEqual(named, hash) || isHere(state)) return undefined
  if (taken.length >= ChatLimits.avatarChanges) return undefined
  return { ...rest, named, kept: hash, taken: [...taken, now] }
}

/** They ask for ours. */
export const withOwed = (state: AvatarState, owed: Uint8Array): AvatarState => ({ ...state, owed })

/**
 * What is to be done about ours that they have asked for, where `own` is the one we show: it is given, it waits since they had
 * enough within a day, or what they asked for is not shown any more.
 */
export function dueTo(
  { owed, given }: AvatarState,
  own: Uint8Array | undefined,
  now: Millis,
): 'give' | 'wait' | 'drop' {
  if (owed === undefined || own === undefined || !fastEqual(owed, own)) return 'drop'
  return within(given, now).length < ChatLimits.avatarChanges ? 'give' : 'wait'
}

export function withGiven({ owed: _, given, ...rest }: AvatarState, now: Millis): AvatarState {
  return { ...rest, given: [...within(given, now), now] }
}

export function withoutOwed({ owed: _, ...rest }: AvatarState): AvatarState {
  return rest
}
