/**
 * A card under a password, for ways that others can read along: a poster, a forum, somebody's mail. Who knows the password
 * can add its owner; who does not, does not even learn whose card it is, unless they guess the password.
 *
 *     locked      = version 1 || salt 16 || ChaCha20-Poly1305(key, nonce, card, AD = everything before)
 *     key 32 || nonce 12 = HKDF-SHA-256(Argon2id(password in NFKC, salt; 256 MiB, 3 passes, 1 lane, 32), salt, "sotto/1/locked-card")
 *     link          sotto-locked:<base64url>            QR   SOTTO-LOCKED:<base 32>
 *
 * The salt is drawn for each, so key and nonce seal once. Guessing goes on without us, two seconds and 256 MiB a guess: the
 * password is as long as that of a backup. Where both can wait for each other, a proof (proof-run.ts) leaves nothing to guess at.
 */
import { base64url, concat, fromBase64url, type Random, utf8, wipe } from '#protocol/bytes.ts'
import { chacha20poly1305 } from '#protocol/crypto/aead.ts'
import { type Argon2Cost, argon2id } from '#protocol/crypto/argon2id.ts'
import { hkdfSha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { base32, fromBase32 } from './base32.ts'
import { type Card, readCard } from './card.ts'
import { CARD_TEXT_MAX } from './card-text.ts'

const LINK = 'sotto-locked:'
const QR = 'SOTTO-LOCKED:'
const VERSION = 1
const SALT = 16
const KEY = 32
const NONCE = 12
const TAG = 16
/** Characters. Attack: guessing, for as long as the card lies about. */
export const CARD_PASSWORD_LEAST = 10
export const LOCKED_CARD_COST: Argon2Cost = { memoryKiB: 262_144, passes: 3, parallelism: 1, length: KEY }

/** True where `parseCard` would not read it, and `openLockedCard` may. */
export function isLockedCard(text: string): boolean {
  const plain = text.trimStart()
  return plain.startsWith(LINK) || plain.startsWith(QR)
}

/**
 * The two spellings. Blocks for two seconds.
 * @throws SottoError E_PROOF_SECRET for a password that is too short
 */
export function lockCard(
  { bytes }: Card,
  password: string,
  random: Random,
  cost: Argon2Cost = LOCKED_CARD_COST,
): { readonly link: string; readonly qr: string } {
  if ([...password.normalize('NFKC')].length < CARD_PASSWORD_LEAST) {
    throw new SottoError('E_PROOF_SECRET', `The password of a card has at least ${CARD_PASSWORD_LEAST} characters.`)
  }
  const head = concat(Uint8Array.of(VERSION), random(SALT))
  const { key, nonce } = keysOf(head, password, cost)
  const locked = concat(head, chacha20poly1305.seal(key, nonce, bytes, head))
  wipe(key)
  return { link: LINK + base64url(locked), qr: QR + base32(locked) }
}

/**
 * Either spelling, space and line breaks left out. Blocks for two seconds.
 * @throws SottoError E_CARD_LOCKED, E_CARD_FORMAT, E_CARD_VERSION, E_CARD_SIGNATURE
 */
export function openLockedCard(text: string, password: string, cost: Argon2Cost = LOCKED_CARD_COST): Card {
  const locked = text.length > CARD_TEXT_MAX ? undefined : decode(text.replace(/\s+/g, ''))
  if (locked === undefined || locked.length <= 1 + SALT + TAG) {
    throw new SottoError('E_CARD_FORMAT', 'This is no locked card: it is too long, or a character is wrong or missing.')
  }
  if (locked[0] !== VERSION) {
    throw new SottoError('E_CARD_VERSION', `The locked card has version ${locked[0]}; this Sotto reads ${VERSION}.`)
  }
  const head = locked.slice(0, 1 + SALT)
  const { key, nonce } = keysOf(head, password, cost)
  const card = chacha20poly1305.open(key, nonce, locked.slice(1 + SALT), head)
  wipe(key)
  if (card === undefined) {
    throw new SottoError(
      'E_CARD_LOCKED',
      'The card does not open: another password, or a part of it is missing or mistyped.',
    )
  }
  return readCard(card)
}

function decode(text: string): Uint8Array | undefined {
  return text.startsWith(LINK) ? fromBase64url(text.slice(LINK.length)) : fromBase32(text.slice(QR.length))
}

function keysOf(head: Uint8Array, password: string, cost: Argon2Cost): { key: Uint8Array; nonce: Uint8Array } {
  const salt = head.slice(1)
  const typed = utf8(password.normalize('NFKC'))
  const stretched = argon2id(typed, salt, cost)
  const derived = hkdfSha256(stretched, salt, utf8('sotto/1/locked-card'), KEY + NONCE)
  wipe(typed, stretched)
  return { key: derived.slice(0, KEY), nonce: derived.slice(KEY) }
}
