/**
 * How a gateway tells a member's exchange from a stranger's request. Spec section 3.
 *
 * Every exchange starts with a 16-octet token that only gateway and member can compute, and that counts once. The gateway
 * keeps what it expects in hash maps, so a stranger's request costs one HMAC and a few look-ups, whatever it looks like. First
 * contact then opens a box sealed under the cohort's key; a session's exchange opens its parcel.
 *
 *     token of a session         PRF(recognition key, n)
 *     token of a first contact   nonce 8 || tag of a slot 8 XOR PRF(mask key, nonce)
 */

import type { Random } from './bytes.ts'
import { concat, empty, lookupKey, readU16, u16, u64, utf8 } from './bytes.ts'
import {
  BINDING_LENGTH,
  BOX_NONCE_LENGTH,
  BUCKET_MS,
  COHORT_SLOTS,
  SLOT_TAG_LENGTH,
  TAG_LENGTH,
  TOKEN_LENGTH,
} from './constants.ts'
import { xchacha20poly1305 } from './crypto/aead.ts'
import { hkdfSha256, hmacSha256, sha256 } from './crypto/hash.ts'
import { preparedHmacSha256 } from './crypto/prepared-hmac.ts'

/** What all invites of one cohort share. A cohort is small: one leaked invite exposes, and retiring it costs, little. */
export interface CohortKeys {
  /** Tags of slots, in first-contact tokens. */
  readonly token: Uint8Array
  /** First-contact boxes, request and answer. */
  readonly request: Uint8Array
  readonly answer: Uint8Array
  /** Noise psk. */
  readonly psk: Uint8Array
}

/** From the 32-octet secret in the invite. */
export function deriveCohort(secret: Uint8Array): CohortKeys {
  const key = (label: string): Uint8Array => hkdfSha256(secret, empty, utf8(`sotto/1/cohort/${label}`), 32)
  return { token: key('token'), request: key('request'), answer: key('answer'), psk: key('psk') }
}

/** Number of the time bucket that `now` (milliseconds) falls in. */
export function bucketOf(now: number): number {
  return Math.floor(now / BUCKET_MS)
}

/** Tag of one slot in one bucket; a client draws the slot, a gateway knows all of them. */
export function slotTag(cohort: CohortKeys, bucket: number, slot: number): Uint8Array {
  return hmacSha256(cohort.token, u64(bucket), u16(slot)).slice(0, SLOT_TAG_LENGTH)
}

/** Under which all first contacts with one gateway are masked: from its static public key, which invites alone tell. */
export function maskKeyOf(gatewayKey: Uint8Array): Uint8Array {
  return hkdfSha256(gatewayKey, empty, utf8('sotto/1/mask'), 32)
}

/** A token of the bucket that `now` (milliseconds) falls in; another one with every call. */
export function firstToken(cohort: CohortKeys, maskKey: Uint8Array, now: number, random: Random): Uint8Array {
  const tag = slotTag(cohort, bucketOf(now), random(1)[0]! % COHORT_SLOTS)
  const nonce = random(TOKEN_LENGTH - SLOT_TAG_LENGTH)
  return concat(nonce, masked(maskKey, nonce, tag))
}

/**
 * The tag in a first contact's token. Any octet of the token changed makes another tag, which nobody expects; so does any
 * other token. It takes the same time for all of them.
 */
export function tagOf(maskKey: Uint8Array, token: Uint8Array): Uint8Array {
  const nonce = token.subarray(0, TOKEN_LENGTH - SLOT_TAG_LENGTH)
  return masked(maskKey, nonce, token.subarray(TOKEN_LENGTH - SLOT_TAG_LENGTH))
}

/** As `tagOf`, again and again, and as the string that it is looked up by. */
export function tagReader(maskKey: Uint8Array): (token: Uint8Array) => string {
  const mask = preparedHmacSha256(maskKey)
  const tag = new Uint8Array(SLOT_TAG_LENGTH)
  const at = TOKEN_LENGTH - SLOT_TAG_LENGTH
  return (token) => {
    const over = mask(token, at)
    for (let i = 0; i < tag.length; i++) tag[i] = token[at + i]! ^ over[i]!
    return lookupKey(tag)
  }
}

function masked(maskKey: Uint8Array, nonce: Uint8Array, tag: Uint8Array): Uint8Array {
  const mask = hmacSha256(maskKey, nonce)
  return tag.map((octet, i) => octet ^ mask[i]!)
}

/** Token of exchange `number` of a session, under the recognition key of its epoch. */
export function sessionToken(recognitionKey: Uint8Array, number: number): Uint8Array {
  return hmacSha256(recognitionKey, u64(number)).slice(0, TOKEN_LENGTH)
}

/**
 * Ties a first contact, and every later parcel, to the kind of request that carries it, so that neither can be moved to
 * another template, version, method or path. `shape` is the text that names all of these (`Shape.binding` of the template engine).
 */
export function requestBinding(shape: string): Uint8Array {
  return sha256(utf8(`sotto/1/binding\n${shape}`)).slice(0, BINDING_LENGTH)
}

const bindings = new WeakMap<{ readonly binding: string }, Uint8Array>()

/** `requestBinding` of a shape, computed once: every exchange needs it. */
export function bindingOf(shape: { readonly binding: string }): Uint8Array {
  const known = bindings.get(shape)
  if (known !== undefined) return known
  const binding = requestBinding(shape.binding)
  bindings.set(shape, binding)
  return binding
}

const BOX_OVERHEAD = BOX_NONCE_LENGTH + TAG_LENGTH + 2

/** What a box is sealed with, at both ends: one of the cohort's keys, and the token of the first contact it belongs to. */
export interface BoxSeal {
  readonly key: Uint8Array
  readonly token: Uint8Array
}

/**
 * Box: nonce 24 || XChaCha20-Poly1305(u16 length || content || zeros), exactly `length` octets; associated data: the token.
 * @throws RangeError where the content does not fit
 */
export function sealBox({ key, token }: BoxSeal, content: Uint8Array, length: number, random: Random): Uint8Array {
  const room = length - BOX_OVERHEAD
  if (content.length > room) throw new RangeError(`a box of ${length} octets holds ${room}, not ${content.length}`)
  const nonce = random(BOX_NONCE_LENGTH)
  const plaintext = concat(u16(content.length), content, new Uint8Array(room - content.length))
  return concat(nonce, xchacha20poly1305.seal(key, nonce, plaintext, token))
}

/** undefined where the box is not authentic. */
export function openBox({ key, token }: BoxSeal, box: Uint8Array): Uint8Array | undefined {
  if (box.length < BOX_OVERHEAD) return undefined
  const [nonce, sealed] = [box.subarray(0, BOX_NONCE_LENGTH), box.subarray(BOX_NONCE_LENGTH)]
  const plaintext = xchacha20poly1305.open(key, nonce, sealed, token)
  if (plaintext === undefined) return undefined
  const length = readU16(plaintext)
  return length > plaintext.length - 2 ? undefined : plaintext.subarray(2, 2 + length)
}
