/**
 * Keys that two friends have for a day and a direction, from their identities alone: no session, nothing on disk, and nobody else.
 *
 *     shared = X25519(dh of one, dh of the other)
 *     mark 8 || seal 32 || gossip 32 = HKDF-SHA-256(shared, "", "sotto/1/presence" || day 4 || uid of the sender || uid of the receiver)
 *
 * The day is that of the sender's clock; a receiver takes the day before and after its own as well.
 */
import { concat, empty, u32, utf8 } from '../bytes.ts'
import { hkdfSha256 } from '../crypto/hash.ts'

export const MARK_LENGTH = 8

export interface PresenceKeys {
  /** By which the receiver knows whose key it is. */
  readonly mark: Uint8Array
  readonly seal: Uint8Array
  readonly gossip: Uint8Array
}

/** @param day since 1970 */
export function presenceKeys(shared: Uint8Array, day: number, from: Uint8Array, to: Uint8Array): PresenceKeys {
  const derived = hkdfSha256(shared, empty, concat(utf8('sotto/1/presence'), u32(day), from, to), MARK_LENGTH + 64)
  const seal = MARK_LENGTH + 32
  return { mark: derived.slice(0, MARK_LENGTH), seal: derived.slice(MARK_LENGTH, seal), gossip: derived.slice(seal) }
}
