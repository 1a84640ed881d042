/**
 * What the vault keeps: the allow-list, the signed lists that were taken in, and the latest changes with what takes them
 * back. Pure. A change is undone by removing what it added and putting back what it removed.
 */
import type { Millis } from '#protocol/bytes.ts'
import { PolicyLimits } from './limits.ts'
import type { OfferedPeer } from './permit.ts'
import type { Decision, Endpoint, Endpoints } from './policy.ts'

/** A signed list of gateways that was taken in. */
export interface KnownList {
  /** Root key it was signed under. */
  readonly root: Uint8Array
  /** None with a lower version is taken in any more. */
  readonly version: number
}

export const CHANGE_KINDS = ['admitted', 'listed', 'peered', 'forgotten'] as const
export type ChangeKind = (typeof CHANGE_KINDS)[number]

export interface Change {
  readonly at: Millis
  readonly kind: ChangeKind
  /** Ids of the endpoints that came. */
  readonly added: readonly string[]
  /** Those that went, with their secrets. */
  readonly removed: readonly Endpoint[]
}

export interface Kept {
  readonly endpoints: Endpoints
  readonly lists: readonly KnownList[]
  /** What contacts offer of their nodes, allowed or not. All of them are sound. */
  readonly offers: readonly OfferedPeer[]
  /** Oldest first. */
  readonly changes: readonly Change[]
}

export const nothingKept: Kept = { endpoints: new Map(), lists: [], offers: [], changes: [] }

/** As `kept`, with other endpoints, and the difference written down. The same object where there is none. */
export function withEndpoints(kept: Kept, endpoints: Endpoints, kind: ChangeKind, at: Millis): Kept {
  const added = [...endpoints.keys()].filter((id) => !kept.endpoints.has(id))
  const removed = [...kept.endpoints.values()].filter(({ id }) => !endpoints.has(id))
  if (added.length + removed.length === 0) return kept
  return { ...kept, endpoints, changes: compacted([...kept.changes, { at, kind, added, removed }], at) }
}

/**
 * As `kept`, with an endpoint where another was, and no change of its own: what takes back the coming of the one takes back the
 * other. For moves that others cause, so that they fill no list that is the person's.
 */
export function withMoved(kept: Kept, from: string, to: Endpoint): Kept {
  const endpoints = new Map(kept.endpoints)
  endpoints.delete(from)
  endpoints.set(to.id, to)
  const moved = (id: string): string => (id === from ? to.id : id)
  return { ...kept, endpoints, changes: kept.changes.map((each) => ({ ...each, added: each.added.map(moved) })) }
}

/** Takes back the latest change. What a list added does not come again with the same list: its version stays known. */
export function undone(kept: Kept, now: Millis): Decision<{ readonly kept: Kept; readonly change: Change }> {
  const changes = compacted(kept.changes, now)
  const change = changes.at(-1)
  if (change === undefined) return { allowed: false, reason: 'nothing-to-undo' }
  const endpoints = new Map(kept.endpoints)
  for (const id of change.added) endpoints.delete(id)
  for (const endpoint of change.removed) endpoints.set(endpoint.id, endpoint)
  if (endpoints.size > PolicyLimits.endpoints) return { allowed: false, reason: 'too-many-endpoints' }
  return { allowed: true, value: { kept: { ...kept, endpoints, changes: changes.slice(0, -1) }, change } }
}

/** Without what is too old or too much to be taken back: secrets of what was forgotten are gone for good then. */
export function compacted(changes: readonly Change[], now: Millis): readonly Change[] {
  let room: number = PolicyLimits.keptRemovals
  const kept: Change[] = []
  for (const change of changes.toReversed()) {
    room -= change.removed.length
    const isOld = now - change.at > PolicyLimits.undoMs
    if (isOld || room < 0 || kept.length >= PolicyLimits.changes) break
    kept.push(change)
  }
  return kept.reverse()
}
