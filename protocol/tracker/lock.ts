/**
 * A record that says where its owner is reached only to those who answer a question. Spec section 16.4.
 *
 *     lock     = ChaCha20-Poly1305(key, nonce, contact key 32, AD = text of the question)
 *     key 32 || nonce 12 = HKDF-SHA-256(Argon2id(answers, salt; 256 MiB, 3 passes, 1 lane, 32), salt, "sotto/1/tracker/lock", 44)
 *     contents = 2 || nonce 24 || XChaCha20-Poly1305(contact key, nonce, contents of version 1 with 321 octets)
 *
 * Answers are UTF-8, joined by line feeds. The salt is drawn anew with every contact key, so key and nonce seal once. Who has
 * the root key, and the question, can guess on without us, at two seconds and 256 MiB a guess.
 */
import type { Random } from '../bytes.ts'
import { concat, empty, utf8, wipe } from '../bytes.ts'
import { chacha20poly1305, xchacha20poly1305 } from '../crypto/aead.ts'
import { type Argon2Cost, argon2id } from '../crypto/argon2id.ts'
import { hkdfSha256 } from '../crypto/hash.ts'
import { type Contents, encodeContents, readContents } from './contents.ts'
import type { Question } from './question.ts'
import { CONTENTS_LENGTH } from './record.ts'

const VERSION = 2
const KEY_LENGTH = 32
const NONCE_LENGTH = 12
const SALT_LENGTH = 16
const LONG_NONCE_LENGTH = 24
const TAG_LENGTH = 16
/** Octets of what is behind the lock. */
export const LOCKED_LENGTH: number = CONTENTS_LENGTH - 1 - LONG_NONCE_LENGTH - TAG_LENGTH

export const LOCK_COST: Argon2Cost = { memoryKiB: 262_144, passes: 3, parallelism: 1, length: KEY_LENGTH }

/** A question with what it opens, as its owner keeps it. The answers are in none of it. */
export interface Guard extends Question {
  /** 32 octets. */
  readonly contactKey: Uint8Array
}

/** A question and a fresh contact key under its answers. Blocks for two seconds. */
export function makeGuard(text: string, answers: Uint8Array, random: Random, cost: Argon2Cost = LOCK_COST): Guard {
  const [salt, contactKey] = [random(SALT_LENGTH), random(KEY_LENGTH)]
  const { key, nonce } = keysOf(answers, salt, cost)
  const lock = chacha20poly1305.seal(key, nonce, contactKey, utf8(text))
  wipe(key)
  return { text, salt, lock, contactKey }
}

/** The contact key; undefined for other answers. Blocks for two seconds. */
export function openLock(
  { text, salt, lock }: Question,
  answers: Uint8Array,
  cost: Argon2Cost = LOCK_COST,
): Uint8Array | undefined {
  const { key, nonce } = keysOf(answers, salt, cost)
  const contactKey = chacha20poly1305.open(key, nonce, lock, utf8(text))
  wipe(key)
  return contactKey
}

function keysOf(answers: Uint8Array, salt: Uint8Array, cost: Argon2Cost): { key: Uint8Array; nonce: Uint8Array } {
  const stretched = argon2id(answers, salt, cost)
  const derived = hkdfSha256(stretched, salt, utf8('sotto/1/tracker/lock'), KEY_LENGTH + NONCE_LENGTH)
  wipe(stretched)
  return { key: derived.slice(0, KEY_LENGTH), nonce: derived.slice(KEY_LENGTH) }
}

/** @throws RangeError for more than fit into `LOCKED_LENGTH` */
export function lockContents(contactKey: Uint8Array, contents: Contents, random: Random): Uint8Array {
  const nonce = random(LONG_NONCE_LENGTH)
  const sealed = xchacha20poly1305.seal(contactKey, nonce, encodeContents(contents, LOCKED_LENGTH), empty)
  return concat(Uint8Array.of(VERSION), nonce, sealed)
}

/** By their form alone. */
export function areLocked(contents: Uint8Array): boolean {
  return contents.length === CONTENTS_LENGTH && contents[0] === VERSION
}

/** undefined where the key is another one, or what it opens is not well-formed. */
export function unlockContents(contactKey: Uint8Array, locked: Uint8Array): Contents | undefined {
  if (!areLocked(locked)) return undefined
  const [nonce, box] = [locked.slice(1, 1 + LONG_NONCE_LENGTH), locked.slice(1 + LONG_NONCE_LENGTH)]
  const plain = xchacha20poly1305.open(contactKey, nonce, box, empty)
  return plain && readContents(plain, LOCKED_LENGTH)
}
