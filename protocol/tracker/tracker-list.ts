/**
 * Signed lists of trackers (signed-list.ts), and the line that a tracker prints of itself for them. Spec section 16.10.
 *
 *     item = {key: 32} | {key: 32, host, port}           without a place: only the gateway that is this tracker reaches it
 *     line = "sotto-tracker:" base64url(one service message: an item || SHA-256 of it [0..4))
 *
 * A member asks only trackers in a list under the root key of the invite: a gateway alone could name one that is its own,
 * and would see on both sides.
 */
import { base64url, concat, fastEqual, fromBase64url } from '../bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { isPlace } from '../invite.ts'
import { decodeMessage, encodeMessage } from '../services/codec.ts'
import type { ListKind, ListLimits, SignedList } from '../signed-list.ts'
import { isListSigned, parseList, sealList } from '../signed-list.ts'

export interface ListedTracker {
  /** X25519. */
  readonly key: Uint8Array
  /** Domain name or address, with `port`; neither where only its own gateway reaches it. */
  readonly host?: string
  readonly port?: number
}

/** `items`: attack: a client that asks everywhere who somebody is. Two are used, the others stand in. */
export const TrackerListLimits: ListLimits = Object.freeze({ bytes: 4_096, items: 8, validSeconds: 34_560_000 })

export type TrackerList = SignedList<ListedTracker>

const PREFIX = 'sotto-tracker:'
const CHECKSUM_LENGTH = 4

const spell = ({ key, host, port }: ListedTracker): object =>
  host === undefined || port === undefined ? { key } : { key, host, port }

function isTracker(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { key, host, port, ...rest } = value as Partial<ListedTracker>
  if (Object.keys(rest).length > 0 || (host === undefined) !== (port === undefined)) return false
  const place = host === undefined ? { host: 'localhost', port: 1 } : { host, port }
  return isPlace({ ...place, addresses: [], key })
}

const kind: ListKind<ListedTracker> = { name: 'tracker', limits: TrackerListLimits, isItem: isTracker, spell }

/** @throws RangeError where it holds something that `parseTrackerList` would refuse */
export function sealTrackerList(rootSeed: Uint8Array, list: TrackerList): Uint8Array {
  return sealList(kind, rootSeed, list)
}

/** undefined where the octets are no list under this root key. */
export function openTrackerList(root: Uint8Array, bytes: Uint8Array): TrackerList | undefined {
  const list = parseList(kind, bytes)
  return list !== undefined && isListSigned(kind, root, bytes) ? list : undefined
}

export function trackerLine(tracker: ListedTracker): string {
  const item = encodeMessage(spell(tracker))
  return PREFIX + base64url(concat(item, sha256(item).slice(0, CHECKSUM_LENGTH)))
}

/** undefined for anything but such a line. */
export function parseTrackerLine(text: string): ListedTracker | undefined {
  const bytes = text.startsWith(PREFIX) ? fromBase64url(text.slice(PREFIX.length)) : undefined
  if (bytes === undefined || bytes.length <= CHECKSUM_LENGTH) return undefined
  const item = bytes.slice(0, -CHECKSUM_LENGTH)
  if (!fastEqual(sha256(item).slice(0, CHECKSUM_LENGTH), bytes.subarray(-CHECKSUM_LENGTH))) return undefined
  const tracker = decodeMessage(item)
  return isTracker(tracker) && fastEqual(encodeMessage(spell(tracker as ListedTracker)), item)
    ? (tracker as ListedTracker)
    : undefined
}
