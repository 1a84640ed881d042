/**
 * Weeks, in which everybody is found under other keys. Spec section 16.1.
 *
 *     epoch = floor((now + stagger) / week)
 *     stagger = SHA-256("sotto/1/tracker/stagger" || root 32)[0..4) / 2^32 of a week
 *
 * Each person's week begins at a time of their own, so that not everybody writes to a tracker in the same minute.
 */
import type { Millis } from '../bytes.ts'
import { concat, readU32, u32, utf8 } from '../bytes.ts'
import { type BlindedSigner, blindedPublicKey, blindedSigner, blinderOf } from '../crypto/blinded.ts'
import { sha256 } from '../crypto/hash.ts'

export const WEEK_MS = 604_800_000
/** Milliseconds that the clock of a writer may differ from the tracker's. */
export const CLOCK_MS = 3_600_000

/** The week that the person with this root key is in. */
export function epochOf(root: Uint8Array, now: Millis): number {
  const stagger = readU32(sha256(utf8('sotto/1/tracker/stagger'), root)) / 2 ** 32
  return Math.floor((now + Math.floor(stagger * WEEK_MS)) / WEEK_MS)
}

/** Whether anybody may be in this week at `now`. A tracker knows no more: it does not know whose record it has. */
export function mayBeNow(epoch: number, now: Millis): boolean {
  return epoch >= Math.floor((now - CLOCK_MS) / WEEK_MS) && epoch <= Math.floor((now + CLOCK_MS) / WEEK_MS) + 1
}

/** A person in one week at one tracker. */
export interface Place {
  /** Public key of the tracker, 32 octets. */
  readonly tracker: Uint8Array
  readonly epoch: number
}

export const contextOf = ({ tracker, epoch }: Place): Uint8Array => concat(tracker, u32(epoch))

/** The keys that sign for a person, place for place; undefined where the root key is not a usable one. */
export function placeKeysOf(root: Uint8Array): ((place: Place) => Uint8Array) | undefined {
  const blind = blinderOf(root)
  return blind && ((place) => blind(contextOf(place)))
}

/** The key that signs for a person there; undefined where the root key is not a usable one. */
export function placeKey(root: Uint8Array, place: Place): Uint8Array | undefined {
  return blindedPublicKey(root, contextOf(place))
}

export function placeSigner(rootSeed: Uint8Array, place: Place): BlindedSigner {
  return blindedSigner(rootSeed, contextOf(place))
}
