/**
 * The box around a message in a mailbox: it hides who writes, and the ratchet's header, from the gateway.
 *
 *     contact's queue   XChaCha20-Poly1305(box key, nonce = id 16 || 0 x 8, inner || 0 x 32)
 *     anybody's queue   ephemeral 32 || XChaCha20-Poly1305(k, nonce = 0 x 24, associated data = id, inner)
 *                       k = HKDF(ephemeral with prekey, "", "sotto/1/intro" || ephemeral || prekey)
 *
 * The id is the one under which the mailbox holds the message: random, and used for one inner message alone, so the same
 * message in the same queue is the same octets each time. Both forms have the same length.
 */
import { concat, empty, utf8 } from '#protocol/bytes.ts'
import { xchacha20poly1305 } from '#protocol/crypto/aead.ts'
import { hkdfSha256 } from '#protocol/crypto/hash.ts'
import { x25519Agree } from '#protocol/crypto/x25519.ts'
import { isCanonicalKey, type KeyPair } from './keys.ts'
import { INNER_LENGTHS } from './sizes.ts'

/** As long as an ephemeral key. */
const FILL = new Uint8Array(32)
const ZERO_NONCE = new Uint8Array(24)

const nonceOf = (id: Uint8Array): Uint8Array => concat(id, new Uint8Array(8))

export function sealForContact(boxKey: Uint8Array, id: Uint8Array, inner: Uint8Array): Uint8Array {
  return xchacha20poly1305.seal(boxKey, nonceOf(id), concat(inner, FILL))
}

/** undefined where it was not sealed for this queue under this id. */
export function openFromContact(boxKey: Uint8Array, id: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const filled = xchacha20poly1305.open(boxKey, nonceOf(id), sealed)
  return ofKnownLength(filled?.subarray(0, -FILL.length))
}

function introKey(shared: Uint8Array, ephemeral: Uint8Array, prekey: Uint8Array): Uint8Array {
  return hkdfSha256(shared, empty, concat(utf8('sotto/1/intro'), ephemeral, prekey), 32)
}

/** undefined where the prekey is not a usable key. */
export function sealForAnybody(
  prekey: Uint8Array,
  ephemeral: KeyPair,
  id: Uint8Array,
  inner: Uint8Array,
): Uint8Array | undefined {
  const shared = isCanonicalKey(prekey) ? x25519Agree(ephemeral.secret, prekey) : undefined
  if (shared === undefined) return undefined
  const key = introKey(shared, ephemeral.publicKey, prekey)
  return concat(ephemeral.publicKey, xchacha20poly1305.seal(key, ZERO_NONCE, inner, id))
}

/** Tries our prekeys, the likeliest first. undefined where it was sealed for none of them under this id. */
export function openFromAnybody(
  prekeys: readonly KeyPair[],
  id: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const ephemeral = sealed.slice(0, FILL.length)
  if (!isCanonicalKey(ephemeral)) return undefined
  for (const prekey of prekeys) {
    const shared = x25519Agree(prekey.secret, ephemeral)
    if (shared === undefined) return undefined
    const key = introKey(shared, ephemeral, prekey.publicKey)
    const inner = xchacha20poly1305.open(key, ZERO_NONCE, sealed.subarray(FILL.length), id)
    if (inner !== undefined) return ofKnownLength(inner)
  }
  return undefined
}

function ofKnownLength(inner: Uint8Array | undefined): Uint8Array | undefined {
  return inner !== undefined && INNER_LENGTHS.includes(inner.length) ? inner : undefined
}
