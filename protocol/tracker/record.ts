/**
 * What a tracker keeps of a person: 512 octets under a key of 16, both of which look random to it. Spec section 16.2.
 *
 *     version 1 || state 1 || epoch 4 || seq 4 || lease end 4 || key 32 || sealed 402 || signature 64
 *
 * key is the person's blinded key of the week; the record stands under SHA-256("sotto/1/rec" || key)[0..16). The signature
 * is by it, over "sotto/1/tracker/record" and everything before. The lease ends at a minute since 1970.
 *
 *     sealed = nonce 24 || XChaCha20-Poly1305(seal key, nonce, contents 362, AD = the 46 octets before)
 *     seal key = HKDF-SHA-256(root, tracker 32 || epoch 4, "sotto/1/tracker/seal", 32)
 */
import type { Millis, Random } from '../bytes.ts'
import { concat, fastEqual, readU32, u32, utf8 } from '../bytes.ts'
import { xchacha20poly1305 } from '../crypto/aead.ts'
import type { BlindedSigner } from '../crypto/blinded.ts'
import { ed25519Verify } from '../crypto/ed25519.ts'
import { hkdfSha256, sha256 } from '../crypto/hash.ts'
import { requireLength } from '../crypto/lengths.ts'
import { contextOf, type Place } from './epoch.ts'

export const RECORD_LENGTH = 512
export const RECORD_KEY_LENGTH = 16
/** Octets of the plaintext. */
export const CONTENTS_LENGTH = 362
const VERSION = 1
const HEAD_LENGTH = 46
const SIGNED_LENGTH = 448
const NONCE_LENGTH = 24
const MINUTE_MS = 60_000
/** A lease is this long at the most: what somebody said longer ago says nothing about now. */
export const LEASE_MS = 86_400_000
const LABEL = utf8('sotto/1/tracker/record')

/** What the tracker sees of a record, beside its size. */
export interface RecordHead {
  readonly state: 'offline' | 'online'
  readonly epoch: number
  /** Higher ones replace lower ones. */
  readonly seq: number
  /** What `state` says holds until then. */
  readonly leaseEnd: Millis
  /** Blinded key of the week. */
  readonly key: Uint8Array
}

/** Where the record of this blinded key stands. */
export function recordKey(key: Uint8Array): Uint8Array {
  return sha256(utf8('sotto/1/rec'), key).slice(0, RECORD_KEY_LENGTH)
}

function sealKey(root: Uint8Array, place: Place): Uint8Array {
  return hkdfSha256(root, contextOf(place), utf8('sotto/1/tracker/seal'), 32)
}

/** Who writes: the root key, the place, and the signer of both. */
export interface Author {
  readonly root: Uint8Array
  readonly place: Place
  readonly signer: BlindedSigner
}

/** @throws RangeError for contents of another length than `CONTENTS_LENGTH` */
export function signRecord(
  author: Author,
  head: Pick<RecordHead, 'state' | 'seq' | 'leaseEnd'>,
  contents: Uint8Array,
  random: Random,
): Uint8Array {
  requireLength('the contents of a record', contents, CONTENTS_LENGTH)
  const { root, place, signer } = author
  const clear = concat(
    Uint8Array.of(VERSION, head.state === 'online' ? 1 : 0),
    u32(place.epoch),
    u32(head.seq),
    u32(Math.floor(head.leaseEnd / MINUTE_MS)),
    signer.publicKey,
  )
  const nonce = random(NONCE_LENGTH)
  const sealed = xchacha20poly1305.seal(sealKey(root, place), nonce, contents, clear)
  const signed = concat(clear, nonce, sealed)
  return concat(signed, signer.sign(concat(LABEL, signed)))
}

/** By its form alone; undefined where the octets are no record. No signature was checked. */
export function readHead(record: Uint8Array): RecordHead | undefined {
  if (record.length !== RECORD_LENGTH || record[0] !== VERSION || record[1]! > 1) return undefined
  const [epoch, seq, minute] = [2, 6, 10].map((at) => readU32(record, at))
  const state = record[1] === 1 ? 'online' : 'offline'
  return { state, epoch: epoch!, seq: seq!, leaseEnd: minute! * MINUTE_MS, key: record.slice(14, HEAD_LENGTH) }
}

/** Whether the key that a record names has signed it. */
export function isSigned(record: Uint8Array): boolean {
  const key = record.subarray(14, HEAD_LENGTH)
  const signed = record.subarray(0, SIGNED_LENGTH)
  return record.length === RECORD_LENGTH && ed25519Verify(key, record.slice(SIGNED_LENGTH), concat(LABEL, signed))
}

/**
 * For who knows the root key.
 * @param key the blinded key that the record must be of
 * @returns undefined where it is not of this person at this place, not signed, or does not open
 */
export function openRecord(
  record: Uint8Array,
  owner: { readonly root: Uint8Array; readonly place: Place; readonly key: Uint8Array },
): { readonly head: RecordHead; readonly contents: Uint8Array } | undefined {
  const head = readHead(record)
  if (head === undefined || !fastEqual(head.key, owner.key) || head.epoch !== owner.place.epoch) return undefined
  if (!isSigned(record)) return undefined
  const [clear, sealed] = [record.slice(0, HEAD_LENGTH), record.slice(HEAD_LENGTH, SIGNED_LENGTH)]
  const [nonce, box] = [sealed.slice(0, NONCE_LENGTH), sealed.slice(NONCE_LENGTH)]
  const contents = xchacha20poly1305.open(sealKey(owner.root, owner.place), nonce, box, clear)
  return contents === undefined ? undefined : { head, contents }
}
