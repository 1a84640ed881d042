/**
 * A card as text, in two spellings of the same octets `card || SHA-256(card)[0..4)`:
 *
 *     link   sotto-card:<base64url>      to paste; a card file holds this line
 *     QR     SOTTO-CARD:<base 32>        fewer modules in a QR code
 */
import { base64url, concat, fastEqual, fromBase64url } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { base32, fromBase32 } from './base32.ts'
import { CARD_BYTES, type Card, readCard } from './card.ts'

const LINK = 'sotto-card:'
const QR = 'SOTTO-CARD:'
const CHECKSUM_LENGTH = 4
/** Characters. No card has more, under a password or not: eight letters of base 32 for five octets, and room for line breaks. */
export const CARD_TEXT_MAX: number = 2 * CARD_BYTES

const checksum = (bytes: Uint8Array): Uint8Array => sha256(bytes).subarray(0, CHECKSUM_LENGTH)
const checked = (bytes: Uint8Array): Uint8Array => concat(bytes, checksum(bytes))

/** For pasting and for files. */
export function cardLink(card: Card): string {
  return LINK + base64url(checked(card.bytes))
}

/** For QR codes: letters of their alphanumeric mode alone. */
export function cardQrText(card: Card): string {
  return QR + base32(checked(card.bytes))
}

const malformed = (what: string): SottoError => new SottoError('E_CARD_FORMAT', `This is no contact card: ${what}.`)

/**
 * Either spelling, as pasted or read from a file: space and line breaks do not matter, everything else does.
 * @throws SottoError E_CARD_FORMAT, E_CARD_VERSION, E_CARD_SIGNATURE
 */
export function parseCard(text: string): Card {
  if (text.length > CARD_TEXT_MAX) throw malformed('it is too long')
  const bytes = decode(text.replace(/\s+/g, ''))
  if (bytes === undefined) throw malformed('a character is wrong or missing')
  const card = bytes.slice(0, -CHECKSUM_LENGTH)
  if (bytes.length < CHECKSUM_LENGTH || !fastEqual(checksum(card), bytes.subarray(-CHECKSUM_LENGTH))) {
    throw malformed('part of it is missing or mistyped')
  }
  return readCard(card)
}

function decode(text: string): Uint8Array | undefined {
  if (text.startsWith(LINK)) return fromBase64url(text.slice(LINK.length))
  if (text.startsWith(QR)) return fromBase32(text.slice(QR.length))
  throw malformed(`it does not begin with ${LINK}`)
}
