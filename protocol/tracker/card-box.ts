/**
 * A card as it lies beside a queue at a gateway, for those who know its owner's root key. Spec section 9.6.
 *
 *     box = nonce 24 || XChaCha20-Poly1305(HKDF-SHA-256(root, "", "sotto/1/card-box", 32), nonce, card)
 */
import type { Random } from '../bytes.ts'
import { concat, empty, utf8 } from '../bytes.ts'
import { xchacha20poly1305 } from '../crypto/aead.ts'
import { hkdfSha256 } from '../crypto/hash.ts'

/** Octets. Attack: large records at a gateway. A card with two addresses has less than one kilobyte, one with 16 documents five. */
export const CARD_BOX_BYTES = 8_192
const NONCE_LENGTH = 24

const keyOf = (root: Uint8Array): Uint8Array => hkdfSha256(root, empty, utf8('sotto/1/card-box'), 32)

export function sealCard(root: Uint8Array, card: Uint8Array, random: Random): Uint8Array {
  const nonce = random(NONCE_LENGTH)
  return concat(nonce, xchacha20poly1305.seal(keyOf(root), nonce, card))
}

/** undefined where it is not sealed for this root key. Whether it is their card, its own signature says. */
export function openCard(root: Uint8Array, box: Uint8Array): Uint8Array | undefined {
  if (box.length <= NONCE_LENGTH) return undefined
  return xchacha20poly1305.open(keyOf(root), box.slice(0, NONCE_LENGTH), box.slice(NONCE_LENGTH))
}
