/**
 * A key file under the password of the state folder (password.ts):
 *
 *     locked key   version u8 || nonce 24 || XChaCha20-Poly1305(key 32), associated data = label || version      73 octets
 */
import type { Random } from '#protocol/bytes.ts'
import { BOX_NONCE_LENGTH, KEY_LENGTH, TAG_LENGTH } from '#protocol/constants.ts'
import { openSealed, type SealedKind, sealOctets } from './sealed.ts'

const VERSION = 1
export const LOCKED_KEY_LENGTH: number = 1 + BOX_NONCE_LENGTH + KEY_LENGTH + TAG_LENGTH

const kindOf = (label: string): SealedKind => ({ label: `sotto/1/locked/${label}`, version: VERSION })

/** `lock`: 32 octets, of `keyUnder`. `label` tells one key file from the other. */
export function lockKey(lock: Uint8Array, label: string, key: Uint8Array, random: Random): Uint8Array {
  return sealOctets(kindOf(label), lock, random, key)
}

/** The key, to be wiped; undefined where it does not open. */
export function openLockedKey(lock: Uint8Array, label: string, locked: Uint8Array): Uint8Array | undefined {
  return locked.length === LOCKED_KEY_LENGTH ? openSealed(kindOf(label), lock, locked) : undefined
}
