/**
 * What a person gives to others so that they can write to them, signed by the person.
 *
 *     card = version 1 || issued 8 || name length 1 || name || [avatar 32] || document count 1 || documents
 *         || prekey id 4 || prekey 32 || expires 8 || starts count 1 || starts || addresses || signature 64
 *
 * Version 2 has no picture, version 3 has its hash (avatars/avatar.ts). Times are milliseconds. `starts` are the ways to start a session with the owner (start.ts), ascending: the highest one is
 * taken, and the whole list is bound into the session. The signature, Ed25519, is over "sotto/1/card" and everything before it. One card
 * has one spelling. Addresses: address.ts.
 */
import { concat, empty, fromUtf8, type Millis, u32, u64, utf8 } from '#protocol/bytes.ts'
import { ed25519Sign, ed25519Verify } from '#protocol/crypto/ed25519.ts'
import { SottoError } from '#protocol/errors.ts'
import { type Address, encodeAddresses, readAddresses } from './address.ts'
import { AVATAR_HASH_LENGTH } from './avatars/avatar.ts'
import { DOCUMENT_LENGTH, encodeChain, type PublicIdentity, readChain, readKnownChain, takeChain } from './documents.ts'
import type { Identity } from './identity.ts'
import { isCanonicalKey } from './keys.ts'
import { ChatLimits } from './limits.ts'
import { otherVersion } from './other-version.ts'
import { Reader } from './reader.ts'
import { Way } from './start.ts'

export const CARD_VERSION = 2
/** Of somebody who shows a picture. */
export const CARD_VERSION_AVATAR = 3
const versions: readonly (number | undefined)[] = [CARD_VERSION, CARD_VERSION_AVATAR]
const SIGNATURE_LENGTH = 64
const STARTS_MOST = 255
const ADDRESS_BYTES: number = 2 + ChatLimits.gatewayBytes + 24 + 32
/** No card has more octets: with the longest name, a picture, all documents and the longest addresses. */
export const CARD_BYTES: number =
  1 +
  8 +
  (1 + ChatLimits.nameBytes) +
  AVATAR_HASH_LENGTH +
  (1 + ChatLimits.documents * DOCUMENT_LENGTH) +
  (4 + 32 + 8) +
  (1 + STARTS_MOST) +
  (1 + ChatLimits.homes * ADDRESS_BYTES) +
  SIGNATURE_LENGTH

export interface SignedPrekey {
  readonly id: number
  readonly key: Uint8Array
  /** From then on no session is started with it. What a shelf offers has a date of its own. */
  readonly expires: Millis
  readonly starts: Uint8Array
}

export interface CardContent {
  readonly name: string
  /** Hash of the picture that the person shows; missing: none. */
  readonly avatar?: Uint8Array
  readonly issued: Millis
  readonly prekey: SignedPrekey
  /** Where anybody with the card may write. */
  readonly addresses: readonly Address[]
}

export interface Card extends CardContent, PublicIdentity {
  /** As signed. */
  readonly bytes: Uint8Array
}

/** Octets that neither a line nor a terminal takes well: controls, line and paragraph separators, marks of direction. */
const unwanted = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

/** True for 1 to 64 octets of UTF-8 without control characters, and without space at either end. */
export function isName(name: string): boolean {
  const length = utf8(name).length
  return length >= 1 && length <= ChatLimits.nameBytes && !unwanted.test(name) && name.trim() === name
}

const signedText = (content: Uint8Array): Uint8Array => concat(utf8('sotto/1/card'), content)

/** @throws RangeError for a name that `isName` refuses */
export function signCard(identity: Identity, content: CardContent): Uint8Array {
  if (!isName(content.name)) throw new RangeError('not a name')
  const name = utf8(content.name)
  const { prekey } = content
  const unsigned = concat(
    Uint8Array.of(content.avatar === undefined ? CARD_VERSION : CARD_VERSION_AVATAR),
    u64(content.issued),
    Uint8Array.of(name.length),
    name,
    content.avatar ?? empty,
    encodeChain(identity.chain),
    concat(u32(prekey.id), prekey.key, u64(prekey.expires), Uint8Array.of(prekey.starts.length), prekey.starts),
    encodeAddresses(content.addresses),
  )
  return concat(unsigned, ed25519Sign(identity.rootSeed, signedText(unsigned)))
}

const malformed = (what: string): SottoError => new SottoError('E_CARD_FORMAT', `This is no contact card: ${what}.`)

/**
 * Reads and verifies; whether it is still fresh, `requireFresh` says.
 * @throws SottoError E_CARD_VERSION, E_CARD_FORMAT, E_CARD_SIGNATURE
 */
export function readCard(bytes: Uint8Array): Card {
  const version = bytes[0]
  if (version === undefined) throw malformed('it is empty')
  if (!versions.includes(version)) {
    const read = versions.join(' and ')
    throw new SottoError('E_CARD_VERSION', `The card has version ${version}; this Sotto reads versions ${read}.`)
  }
  const card = readFields(bytes, readChain)
  const signature = bytes.subarray(-SIGNATURE_LENGTH)
  if (!ed25519Verify(card.root, signature, signedText(bytes.subarray(0, -SIGNATURE_LENGTH)))) {
    throw new SottoError(
      'E_CARD_SIGNATURE',
      'The card was changed after it was signed, or its key is not a usable one.',
    )
  }
  return card
}

/** A contact's card as it is kept; undefined where none is, or one of a version before this. @throws SottoError E_CARD_FORMAT */
export function keptCard(bytes: Uint8Array): Card | undefined {
  return versions.includes(bytes[0]) ? readKnownCard(bytes) : undefined
}

/** A card that was verified when it came. @throws SottoError E_CARD_FORMAT */
export function readKnownCard(bytes: Uint8Array): Card {
  return readFields(bytes, readKnownChain)
}

function readFields(bytes: Uint8Array, read: (chain: Uint8Array) => PublicIdentity | undefined): Card {
  const reader = new Reader(bytes.subarray(1))
  const issued = reader.u64()
  const name = fromUtf8(reader.take(reader.u8()))
  const avatar = bytes[0] === CARD_VERSION_AVATAR ? reader.take(AVATAR_HASH_LENGTH) : undefined
  const chain = takeChain(reader)
  const prekey = readPrekey(reader)
  const addresses = readAddresses(reader)
  reader.take(SIGNATURE_LENGTH)
  if (!reader.end()) throw malformed('it is cut off, or something follows it')
  if (name === undefined || !isName(name)) throw malformed('its name is not acceptable')
  if (Number.isNaN(issued) || Number.isNaN(prekey.expires)) throw malformed('its dates are not acceptable')
  const identity = read(chain)
  if (identity === undefined || !isCanonicalKey(prekey.key)) throw malformed('its keys are not well-formed')
  if (!isAscending(prekey.starts)) throw malformed('its ways to start are not in order')
  if (addresses === undefined) throw malformed('its addresses are not acceptable')
  return { ...identity, name, issued, prekey, addresses, bytes, ...(avatar && { avatar }) }
}

function readPrekey(reader: Reader): SignedPrekey {
  const [id, key, expires] = [reader.u32(), reader.take(32), reader.u64()]
  return { id, key, expires, starts: reader.take(reader.u8()) }
}

function isAscending(starts: Uint8Array): boolean {
  return starts.length >= 1 && starts.every((start, i) => i === 0 || start > starts[i - 1]!)
}

/**
 * True where fresh keys wait at the owner's gateway: such a card does not grow old. What lies there says which ways to start there are by
 * now, so a card from before an update of its owner is good for as long.
 */
export function hasShelf({ prekey }: Card): boolean {
  return prekey.starts.some((way) => way % 2 === Way.bundle % 2)
}

/** @throws SottoError E_CHAT_VERSION where neither the card nor a shelf has a way to start that we know */
export function requireWay(card: Card): void {
  if (hasShelf(card) || card.prekey.starts.includes(Way.card)) return
  throw otherVersion(card.name, card.prekey.starts, 'Nothing was stored or sent.')
}

/** @throws SottoError E_CARD_EXPIRED */
export function requireFresh(card: Card, now: Millis): void {
  if (now < card.prekey.expires || hasShelf(card)) return
  const day = new Date(card.prekey.expires).toISOString().slice(0, 10)
  throw new SottoError('E_CARD_EXPIRED', `The card of ${card.name} was good until ${day}.`)
}
