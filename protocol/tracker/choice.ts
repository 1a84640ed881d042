/**
 * Which of several trackers somebody is found at: two of them, by rendezvous hashing, so that everybody who knows the same
 * trackers looks at the same two, and one more or less moves few people. Spec section 16.8.
 */
import { hex, utf8 } from '../bytes.ts'
import { sha256 } from '../crypto/hash.ts'

/** Trackers that a person's record is at. */
export const TRACKERS_USED = 2

/** Public keys of trackers, those for this root key first. */
export function ranked(root: Uint8Array, trackers: readonly Uint8Array[]): Uint8Array[] {
  const scored = trackers.map((tracker) => ({ tracker, score: scoreOf(root, tracker) }))
  return scored.toSorted((a, b) => (a.score < b.score ? -1 : 1)).map(({ tracker }) => tracker)
}

const scoreOf = (root: Uint8Array, tracker: Uint8Array): string =>
  hex(sha256(utf8('sotto/1/tracker/rank'), root, tracker))
