/**
 * What friends ask each other and say: whether they are there. Always of the length asked for, whatever is in it.
 *
 *     message = mark 8 || salt 16 || XChaCha20-Poly1305(seal key, salt || zeros 8, associated data mark, body || zeros)
 *     body    = kind 1 || challenge 16 || state 1 || time 8 || have 16 || notes of the sender 4 x 57 || notes of others 4 x 57
 *     kind      1 probe: are you there? I am, as `state` says.   2 answer: to this challenge.   3 news: something has changed.
 *
 * `have` is the face of the receiver that the sender knows. Places without a note hold random octets.
 */
import type { Random } from '../bytes.ts'
import { concat, readU64, u64 } from '../bytes.ts'
import { xchacha20poly1305 } from '../crypto/aead.ts'
import { MARK_LENGTH, type PresenceKeys } from './keys.ts'
import { PresenceLimits } from './limits.ts'
import { NOTE_LENGTH } from './note.ts'
import { FACE_LENGTH, type Said, State, stateNamed } from './state.ts'

const kinds = ['probe', 'answer', 'news'] as const
export type PresenceKind = (typeof kinds)[number]

export const CHALLENGE_LENGTH = 16
const SALT_LENGTH = 16
const NOTES_LENGTH = 2 * PresenceLimits.notesEach * NOTE_LENGTH
const BODY_LENGTH = 1 + CHALLENGE_LENGTH + 1 + 8 + FACE_LENGTH + NOTES_LENGTH
const AROUND = MARK_LENGTH + SALT_LENGTH + 16
/** The shortest that a message can be made. */
export const LEAST_LENGTH: number = AROUND + BODY_LENGTH

export interface PresenceMessage extends Omit<Said, 'face'> {
  readonly kind: PresenceKind
  readonly challenge: Uint8Array
  /** The face of the receiver that the sender knows; zeros for none. */
  readonly have: Uint8Array
  /** Of the sender, for others to pass on; up to 4. */
  readonly own: readonly Uint8Array[]
  /** Of others, passed on; up to 4. */
  readonly passed: readonly Uint8Array[]
}

export const messageMark = (sealed: Uint8Array): Uint8Array => sealed.slice(0, MARK_LENGTH)

/** @param length octets of the result, from `LEAST_LENGTH` on */
export function sealPresence(
  { mark, seal }: PresenceKeys,
  message: PresenceMessage,
  length: number,
  random: Random,
): Uint8Array {
  if (length < LEAST_LENGTH) throw new RangeError(`a message has at least ${LEAST_LENGTH} octets`)
  const { kind, challenge, state, time, have, own, passed } = message
  const head = concat(Uint8Array.of(kinds.indexOf(kind) + 1), challenge, Uint8Array.of(State[state]), u64(time), have)
  const body = new Uint8Array(length - AROUND)
  body.set(concat(head, places(own, random), places(passed, random)))
  const salt = random(SALT_LENGTH)
  return concat(mark, salt, xchacha20poly1305.seal(seal, nonceOf(salt), body, mark))
}

/** undefined where it was not made with these keys, or is not of the form above. */
export function openPresence({ mark, seal }: PresenceKeys, sealed: Uint8Array): PresenceMessage | undefined {
  if (sealed.length < LEAST_LENGTH) return undefined
  const salt = sealed.slice(MARK_LENGTH, MARK_LENGTH + SALT_LENGTH)
  const body = xchacha20poly1305.open(seal, nonceOf(salt), sealed.slice(MARK_LENGTH + SALT_LENGTH), mark)
  return body === undefined || body.subarray(BODY_LENGTH).some((octet) => octet !== 0) ? undefined : readBody(body)
}

function readBody(body: Uint8Array): PresenceMessage | undefined {
  const [kind, state, time] = [kinds[body[0]! - 1], stateNamed(body[17]!), readU64(body, 18)]
  if (kind === undefined || state === undefined || Number.isNaN(time)) return undefined
  const notes = Array.from({ length: 2 * PresenceLimits.notesEach }, (_, i) => {
    const at = BODY_LENGTH - NOTES_LENGTH + i * NOTE_LENGTH
    return body.slice(at, at + NOTE_LENGTH)
  })
  const [challenge, have] = [body.slice(1, 17), body.slice(26, 42)]
  const [own, passed] = [notes.slice(0, PresenceLimits.notesEach), notes.slice(PresenceLimits.notesEach)]
  return { kind, challenge, state, time, have, own, passed }
}

function places(notes: readonly Uint8Array[], random: Random): Uint8Array {
  const filled = Array.from({ length: PresenceLimits.notesEach }, (_, i) => notes[i] ?? random(NOTE_LENGTH))
  return concat(...filled)
}

const nonceOf = (salt: Uint8Array): Uint8Array => concat(salt, new Uint8Array(8))
