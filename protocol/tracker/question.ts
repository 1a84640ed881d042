/**
 * A question beside a record, for people who have no other way to a contact: 256 octets, under the same key. Spec section
 * 16.4.
 *
 *     version 1 || epoch 4 || seq 4 || key 32 || sealed 151 || signature 64
 *     sealed  = nonce 24 || XChaCha20-Poly1305(question key, nonce, plain 111, AD = the 41 octets before)
 *     plain   = salt 16 || lock 48 || text length 1 || text, UTF-8 || zeros
 *     question key = HKDF-SHA-256(root, tracker 32 || epoch 4, "sotto/1/tracker/question-seal", 32)
 *
 * The lock is opened by the answer; what it holds and how is not the tracker's business. The signature is by the blinded
 * key, over "sotto/1/tracker/question" and everything before.
 */
import type { Random } from '../bytes.ts'
import { concat, fastEqual, fromUtf8, readU32, u32, utf8 } from '../bytes.ts'
import { xchacha20poly1305 } from '../crypto/aead.ts'
import { ed25519Verify } from '../crypto/ed25519.ts'
import { hkdfSha256 } from '../crypto/hash.ts'
import { contextOf, type Place } from './epoch.ts'
import type { Author } from './record.ts'

export const QUESTION_LENGTH = 256
/** Octets of UTF-8. */
export const QUESTION_TEXT_LENGTH = 46
export const LOCK_LENGTH = 48
const SALT_LENGTH = 16
const VERSION = 1
const HEAD_LENGTH = 41
const SIGNED_LENGTH = 192
const NONCE_LENGTH = 24
const PLAIN_LENGTH = 111
const LABEL = utf8('sotto/1/tracker/question')

export interface Question {
  readonly text: string
  /** 16 octets. */
  readonly salt: Uint8Array
  /** 48 octets. */
  readonly lock: Uint8Array
}

export interface QuestionHead {
  readonly epoch: number
  readonly seq: number
  readonly key: Uint8Array
}

function sealKey(root: Uint8Array, place: Place): Uint8Array {
  return hkdfSha256(root, contextOf(place), utf8('sotto/1/tracker/question-seal'), 32)
}

/** @throws RangeError for a text that is too long, or a salt or lock of another length */
export function signQuestion(author: Author, seq: number, question: Question, random: Random): Uint8Array {
  const text = utf8(question.text)
  const { salt, lock } = question
  if (text.length > QUESTION_TEXT_LENGTH || salt.length !== SALT_LENGTH || lock.length !== LOCK_LENGTH)
    throw new RangeError('not a question that fits')
  const { root, place, signer } = author
  const clear = concat(Uint8Array.of(VERSION), u32(place.epoch), u32(seq), signer.publicKey)
  const zeros = new Uint8Array(QUESTION_TEXT_LENGTH - text.length)
  const plain = concat(salt, lock, Uint8Array.of(text.length), text, zeros)
  const nonce = random(NONCE_LENGTH)
  const signed = concat(clear, nonce, xchacha20poly1305.seal(sealKey(root, place), nonce, plain, clear))
  return concat(signed, signer.sign(concat(LABEL, signed)))
}

/** By its form alone. No signature was checked. */
export function readQuestionHead(record: Uint8Array): QuestionHead | undefined {
  if (record.length !== QUESTION_LENGTH || record[0] !== VERSION) return undefined
  return { epoch: readU32(record, 1), seq: readU32(record, 5), key: record.slice(9, HEAD_LENGTH) }
}

export function isSignedQuestion(record: Uint8Array): boolean {
  const signed = record.subarray(0, SIGNED_LENGTH)
  const key = record.subarray(9, HEAD_LENGTH)
  return record.length === QUESTION_LENGTH && ed25519Verify(key, record.slice(SIGNED_LENGTH), concat(LABEL, signed))
}

/** For who knows the root key; undefined where it is not this person's, not signed, or does not open. */
export function openQuestion(
  record: Uint8Array,
  owner: { readonly root: Uint8Array; readonly place: Place; readonly key: Uint8Array },
): Question | undefined {
  const head = readQuestionHead(record)
  if (head === undefined || !fastEqual(head.key, owner.key) || head.epoch !== owner.place.epoch) return undefined
  if (!isSignedQuestion(record)) return undefined
  const sealed = record.slice(HEAD_LENGTH, SIGNED_LENGTH)
  const key = sealKey(owner.root, owner.place)
  const [nonce, box, clear] = [sealed.slice(0, NONCE_LENGTH), sealed.slice(NONCE_LENGTH), record.slice(0, HEAD_LENGTH)]
  const plain = xchacha20poly1305.open(key, nonce, box, clear)
  return plain?.length === PLAIN_LENGTH ? readPlain(plain) : undefined
}

function readPlain(plain: Uint8Array): Question | undefined {
  const [salt, lock] = [plain.slice(0, SALT_LENGTH), plain.slice(SALT_LENGTH, SALT_LENGTH + LOCK_LENGTH)]
  const length = plain[SALT_LENGTH + LOCK_LENGTH]!
  const text = fromUtf8(plain.slice(SALT_LENGTH + LOCK_LENGTH + 1, SALT_LENGTH + LOCK_LENGTH + 1 + length))
  return length > QUESTION_TEXT_LENGTH || text === undefined ? undefined : { text, salt, lock }
}
