/**
 * Queries sealed to a tracker, so that the gateways on the way carry them and read nothing. Spec section 16.7.
 *
 *     query   ephemeral 32 || ChaCha20-Poly1305(up key, 0, request)
 *     answer  ChaCha20-Poly1305(down key, 0, answer)
 *     up key 32 || down key 32 = HKDF-SHA-256(X25519(ephemeral, tracker), ephemeral || tracker, "sotto/1/tracker/query", 64)
 *
 * Each query has keys of its own, so each key seals once. A query that is sent again is answered again: every operation may
 * be repeated.
 */
import { concat, utf8 } from '../bytes.ts'
import { KEY_LENGTH, TAG_LENGTH } from '../constants.ts'
import { chacha20poly1305 } from '../crypto/aead.ts'
import { hkdfSha256 } from '../crypto/hash.ts'
import { x25519Agree, x25519PublicKey } from '../crypto/x25519.ts'
import { TrackerLimits } from './limits.ts'
import { encodeRequest, readAnswer, type TrackerAnswer, type TrackerRequest } from './operations.ts'

const NONCE = new Uint8Array(12)

interface QueryKeys {
  readonly up: Uint8Array
  readonly down: Uint8Array
}

function keysOf(shared: Uint8Array, ephemeral: Uint8Array, tracker: Uint8Array): QueryKeys {
  const keys = hkdfSha256(shared, concat(ephemeral, tracker), utf8('sotto/1/tracker/query'), 2 * KEY_LENGTH)
  return { up: keys.slice(0, KEY_LENGTH), down: keys.slice(KEY_LENGTH) }
}

export interface SealedQuery {
  readonly box: Uint8Array
  /** undefined where the answer is not the tracker's to this query. */
  open(answer: Uint8Array): TrackerAnswer | undefined
}

/**
 * @param ephemeral 32 fresh random octets
 * @returns undefined where the tracker's key is not a usable one
 */
export function sealQuery(
  tracker: Uint8Array,
  request: TrackerRequest,
  ephemeral: Uint8Array,
): SealedQuery | undefined {
  const shared = x25519Agree(ephemeral, tracker)
  if (shared === undefined) return undefined
  const publicKey = x25519PublicKey(ephemeral)
  const { up, down } = keysOf(shared, publicKey, tracker)
  const open = (answer: Uint8Array): TrackerAnswer | undefined => {
    const plain = chacha20poly1305.open(down, NONCE, answer)
    return plain && readAnswer(plain)
  }
  return { box: concat(publicKey, chacha20poly1305.seal(up, NONCE, encodeRequest(request))), open }
}

export interface OpenedQuery {
  readonly request: Uint8Array
  seal(answer: Uint8Array): Uint8Array
}

/** undefined where it is not sealed to this key, or too long. */
export function openQuery(secret: Uint8Array, publicKey: Uint8Array, box: Uint8Array): OpenedQuery | undefined {
  if (box.length < KEY_LENGTH + TAG_LENGTH || box.length > TrackerLimits.queryBytes) return undefined
  const ephemeral = box.slice(0, KEY_LENGTH)
  const shared = x25519Agree(secret, ephemeral)
  if (shared === undefined) return undefined
  const { up, down } = keysOf(shared, ephemeral, publicKey)
  const request = chacha20poly1305.open(up, NONCE, box.slice(KEY_LENGTH))
  return request === undefined ? undefined : { request, seal: (answer) => chacha20poly1305.seal(down, NONCE, answer) }
}
