/**
 * A note that friends pass on: what its author says of itself to one reader. Who carries it sees neither the two nor the state.
 *
 *     slot = floor(time / 300,000)
 *     mark 8 || key 32 = HKDF-SHA-256(gossip key of author and reader, "", "sotto/1/note" || slot 4)
 *     note = mark 8 || salt 8 || XChaCha20-Poly1305(key, mark || salt || zeros 8, state 1 || time 8 || face 16)
 *
 * It holds for one slot and the one after. An author gives notes to friends, friends hand them to theirs, and nobody further.
 */
import type { Millis, Random } from '../bytes.ts'
import { concat, empty, readU64, u32, u64, utf8 } from '../bytes.ts'
import { xchacha20poly1305 } from '../crypto/aead.ts'
import { hkdfSha256 } from '../crypto/hash.ts'
import { MARK_LENGTH } from './keys.ts'
import { PresenceLimits } from './limits.ts'
import { FACE_LENGTH, type Said, State, stateNamed } from './state.ts'

const SALT_LENGTH = 8
/** state 1, time 8, face 16, tag 16. */
export const NOTE_LENGTH: number = MARK_LENGTH + SALT_LENGTH + 1 + 8 + FACE_LENGTH + 16

export interface NoteKey {
  readonly mark: Uint8Array
  readonly key: Uint8Array
}

export const slotOf = (now: Millis): number => Math.floor(now / PresenceLimits.lifeMs)

/** @param gossip of author and reader, on the author's day */
export function noteKey(gossip: Uint8Array, slot: number): NoteKey {
  const derived = hkdfSha256(gossip, empty, concat(utf8('sotto/1/note'), u32(slot)), MARK_LENGTH + 32)
  return { mark: derived.slice(0, MARK_LENGTH), key: derived.slice(MARK_LENGTH) }
}

export const markOf = (note: Uint8Array): Uint8Array => note.subarray(0, MARK_LENGTH)

export function sealNote({ mark, key }: NoteKey, { state, time, face }: Said, random: Random): Uint8Array {
  const head = concat(mark, random(SALT_LENGTH))
  const plain = concat(Uint8Array.of(State[state]), u64(time), face)
  return concat(head, xchacha20poly1305.seal(key, nonceOf(head), plain))
}

/** undefined where it is not of this key. */
export function openNote({ key }: NoteKey, note: Uint8Array): Said | undefined {
  if (note.length !== NOTE_LENGTH) return undefined
  const head = note.slice(0, MARK_LENGTH + SALT_LENGTH)
  const plain = xchacha20poly1305.open(key, nonceOf(head), note.slice(head.length))
  const state = plain && stateNamed(plain[0]!)
  if (plain === undefined || state === undefined) return undefined
  const time = readU64(plain, 1)
  return Number.isNaN(time) ? undefined : { state, time, face: plain.slice(9) }
}

const nonceOf = (head: Uint8Array): Uint8Array => concat(head, new Uint8Array(8))
