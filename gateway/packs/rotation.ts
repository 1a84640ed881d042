/**
 * What may become of a pack, as pure steps: the state before, in; the state after and the lines for the audit log, out.
 *
 *     added --> canary --> promoted --> retiring --> gone
 *                  \-----> failed (its canaries could not use it), or withdrawn (the operator took it back)
 */
import type { Millis } from '#protocol/bytes.ts'
import { fastEqual } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import { WHOLE_SHARE } from '#protocol/pack.ts'
import type { HistoryEntry, PackEvent, PackRecord, PackState, Verdict } from './records.ts'
import { PackKeepLimits } from './records.ts'

export interface Step {
  readonly state: PackState
  readonly log: readonly HistoryEntry[]
}

interface Actor {
  readonly now: Millis
  readonly by: HistoryEntry['by']
}

/** What canaries have said of a pack. */
export interface Tally {
  readonly applied: number
  readonly failed: number
}

/** Failures that settle it before the canary is over. One member alone may be wrong, or lie. */
const CERTAIN_FAILURES = 3
/** A canary fails where at least one in so many reports says so. */
const FAILURE_SHARE = 4

export function recordOf(state: PackState, hash: Uint8Array): PackRecord | undefined {
  return state.packs.find((pack) => fastEqual(pack.hash, hash))
}

/** Hashes of all packs whose templates are accepted, the current one first. */
export function liveHashes({ current, canary, retiring }: PackState): Uint8Array[] {
  return [current, canary?.hash, ...retiring.map(({ hash }) => hash)].filter((hash) => hash != null)
}

const entry = ({ now, by }: Actor, event: PackEvent, { hash, manifest }: PackRecord, note = ''): HistoryEntry => ({
  ...{ at: now, event, hash, serial: manifest.serial, by, note },
})

/** Takes in a pack that was verified. The same pack again changes nothing. */
export function add(state: PackState, pack: PackRecord, actor: Actor): Step {
  if (recordOf(state, pack.hash) !== undefined) return { state, log: [] }
  const lastSerial = Math.max(state.lastSerial, pack.manifest.serial)
  return { state: trimmed({ ...state, lastSerial, packs: [...state.packs, pack] }), log: [entry(actor, 'added', pack)] }
}

/** Forgets the oldest packs that are not in use. */
function trimmed(state: PackState): PackState {
  const live = liveHashes(state)
  const packs = [...state.packs]
  while (packs.length > PackKeepLimits.packs) {
    const at = packs.findIndex(({ hash }) => !live.some((one) => fastEqual(one, hash)))
    packs.splice(at, 1)
  }
  return { ...state, packs }
}

/**
 * Begins the canary of a pack, or promotes it at once: where the pack says so (its share is everybody), or `atOnce` does.
 * The pack that everybody uses already stays it.
 * @throws SottoError E_PACK_BUSY, E_PACK_EXPIRED, E_PACK_FLOOR
 */
export function rotate(
  state: PackState,
  pack: PackRecord,
  { atOnce, watchMs, ...actor }: Actor & { readonly atOnce: boolean; readonly watchMs: number },
): Step {
  requireUsable(state, pack, actor.now)
  const { canary, current } = state
  if (canary === null && current !== null && fastEqual(current, pack.hash)) return { state, log: [] }
  if (canary !== null && !fastEqual(canary.hash, pack.hash)) {
    const serial = recordOf(state, canary.hash)?.manifest.serial
    throw new SottoError('E_PACK_BUSY', `Pack ${serial} is being tried by its canaries.`)
  }
  if (atOnce || pack.manifest.canary === WHOLE_SHARE) return promote(state, pack, actor, 'at once')
  if (canary !== null) return { state, log: [] }
  const next = judged(without(state, pack.hash), pack.hash, 'canary')
  const percent = (pack.manifest.canary * 100) / WHOLE_SHARE
  return {
    state: { ...next, canary: { hash: pack.hash, since: actor.now, until: actor.now + watchMs } },
    log: [entry(actor, 'canary', pack, `${percent}% of the members, for ${Math.round(watchMs / 1000)} s`)],
  }
}

function requireUsable(state: PackState, { manifest }: PackRecord, now: Millis): void {
  const second = Math.floor(now / 1000)
  if (second < manifest.from || second >= manifest.until) {
    throw new SottoError('E_PACK_EXPIRED', `Pack ${manifest.serial} is not valid now.`)
  }
  if (manifest.serial >= state.floor) return
  throw new SottoError('E_PACK_FLOOR', `Pack ${manifest.serial} is older than the floor, ${state.floor}.`)
}

/** From now on all members use this pack, and none older than its floor may come back. */
function promote(state: PackState, pack: PackRecord, actor: Actor, note: string): Step {
  const before = state.current === null ? undefined : recordOf(state, state.current)
  const same = before !== undefined && fastEqual(before.hash, pack.hash)
  let next = without(state, pack.hash)
  if (before !== undefined && !same) next = retired(next, before, actor.now)
  const floor = Math.max(state.floor, pack.manifest.floor)
  next = { ...judged(next, pack.hash, 'promoted'), current: pack.hash, canary: null, floor }
  return { state: next, log: [entry(actor, 'promoted', pack, note)] }
}

/** The pack is neither canary nor retiring any more. */
function without(state: PackState, hash: Uint8Array): PackState {
  const retiring = state.retiring.filter((one) => !fastEqual(one.hash, hash))
  const canary = state.canary !== null && fastEqual(state.canary.hash, hash) ? null : state.canary
  return { ...state, retiring, canary }
}

/** Members who use it still may, for its overlap. */
function retired(state: PackState, { hash, manifest }: PackRecord, now: Millis): PackState {
  const until = now + manifest.overlap * 1000
  const retiring = [...without(state, hash).retiring, { hash, until }].slice(-PackKeepLimits.retiring)
  return { ...state, retiring }
}

function judged(state: PackState, hash: Uint8Array, verdict: Verdict): PackState {
  const packs = state.packs.map((pack) => (fastEqual(pack.hash, hash) ? { ...pack, verdict } : pack))
  return { ...state, packs }
}

/** Ends the canary; everybody goes on with, or back to, the current pack. */
function revert(state: PackState, actor: Actor, verdict: Verdict, note: string): Step {
  const pack = recordOf(state, state.canary!.hash)!
  const next = retired(judged({ ...state, canary: null }, pack.hash, verdict), pack, actor.now)
  return { state: next, log: [entry(actor, verdict === 'failed' ? 'reverted' : 'rolled-back', pack, note)] }
}

/**
 * Goes back: out of a canary to the current pack; else to `target`; else to the pack promoted before, or, while no floor
 * stands in the way, to the templates of gateway.yaml.
 * @throws SottoError E_PACK_UNKNOWN, E_PACK_EXPIRED, E_PACK_FLOOR
 */
export function rollBack(state: PackState, target: PackRecord | undefined, actor: Actor): Step {
  if (state.canary !== null && target === undefined) return revert(state, actor, 'withdrawn', 'canary ended')
  if (state.canary !== null) throw new SottoError('E_PACK_BUSY', 'A pack is being tried by its canaries.')
  const current = state.current === null ? undefined : recordOf(state, state.current)
  if (current === undefined && target === undefined) throw nothingBefore()
  const before = target ?? promotedBefore(state, current!, actor.now)
  if (before === undefined) {
    if (state.floor > 0) throw nothingBefore()
    const bare = retired({ ...judged(state, current!.hash, 'withdrawn'), current: null }, current!, actor.now)
    return { state: bare, log: [entry(actor, 'rolled-back', current!, 'to the templates of gateway.yaml')] }
  }
  requireUsable(state, before, actor.now)
  const left = current === undefined ? state : judged(state, current.hash, 'withdrawn')
  const from = current === undefined ? '' : `from pack ${current.manifest.serial}`
  const { state: next } = promote(left, before, actor, '')
  return { state: next, log: [entry(actor, 'rolled-back', before, from)] }
}

const nothingBefore = (): SottoError =>
  new SottoError('E_PACK_UNKNOWN', 'There is no earlier pack within the floor to go back to.')

function promotedBefore(state: PackState, current: PackRecord, now: Millis): PackRecord | undefined {
  const second = Math.floor(now / 1000)
  return state.packs
    .filter(({ verdict, manifest }) => verdict === 'promoted' && manifest.serial < current.manifest.serial)
    .filter(({ manifest }) => manifest.serial >= state.floor && second < manifest.until)
    .toSorted((a, b) => b.manifest.serial - a.manifest.serial)[0]
}

/**
 * What has become due by itself: a canary that failed or is over, packs that have expired or been replaced for long
 * enough. Without anything due, the same state.
 */
export function settle(state: PackState, tally: Tally, now: Millis): Step {
  const actor: Actor = { now, by: 'gateway' }
  const log: HistoryEntry[] = []
  let next = state
  const take = (step: Step): void => {
    next = step.state
    log.push(...step.log)
  }
  if (next.canary !== null) take(judgeCanary(next, tally, actor))
  take(expire(next, actor))
  return { state: next, log }
}

function judgeCanary(state: PackState, { applied, failed }: Tally, actor: Actor): Step {
  const { hash, until } = state.canary!
  const pack = recordOf(state, hash)!
  const said = `${failed} of ${applied + failed} canaries could not use it`
  const fails = failed > 0 && failed * FAILURE_SHARE >= applied + failed
  const isOver = actor.now >= until
  if (fails && (isOver || failed >= CERTAIN_FAILURES)) return revert(state, actor, 'failed', said)
  if (!fails && isOver && applied > 0) return promote(state, pack, actor, `${applied} canaries use it`)
  return { state, log: [] }
}

function expire(state: PackState, actor: Actor): Step {
  const log: HistoryEntry[] = []
  const second = Math.floor(actor.now / 1000)
  let next = state
  for (const { hash, until } of state.retiring) {
    if (actor.now < until) continue
    const pack = recordOf(state, hash)
    if (pack !== undefined) log.push(entry(actor, 'retired', pack))
    next = { ...next, retiring: next.retiring.filter((one) => !fastEqual(one.hash, hash)) }
  }
  for (const hash of [next.canary?.hash, next.current]) {
    const pack = hash == null ? undefined : recordOf(next, hash)
    if (pack === undefined || second < pack.manifest.until) continue
    log.push(entry(actor, 'expired', pack))
    const isCurrent = next.current !== null && fastEqual(next.current, pack.hash)
    next = retired(isCurrent ? { ...next, current: null } : { ...next, canary: null }, pack, actor.now)
  }
  return { state: next, log }
}
