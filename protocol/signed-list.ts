/**
 * Lists of places that an operator signs with the root key: what a member believes although it came by a gateway.
 *
 *     list      = "sotto/1/NAMEs" 0x0a || version 4 || from 4 || until 4 || items || signature 64 by the root key
 *     items     = one service message: an array
 *     signature = Ed25519 over "sotto/1/NAME-list" 0x0a || everything before it
 *
 * The root key is that of the invite, whose place is off the network: no key that signs packs may sign these. One content
 * has one spelling. Times are Unix seconds; a higher version replaces a lower one, for ever.
 */
import type { Millis } from './bytes.ts'
import { concat, fastEqual, readU32, u32, utf8 } from './bytes.ts'
import { ed25519Sign, ed25519Verify } from './crypto/ed25519.ts'
import { decodeMessage, encodeMessage } from './services/codec.ts'

/** What a list may hold: it comes from a gateway, which may have turned hostile. */
export interface ListLimits {
  /** Octets. Attack: memory, and work for a signature. */
  readonly bytes: number
  /** Attack: a client that knocks at a whole network. */
  readonly items: number
  /** Seconds between the beginning and the end. Attack: a list that is good for ever. */
  readonly validSeconds: number
}

/** What is listed. */
export interface ListKind<T> {
  readonly name: string
  readonly limits: ListLimits
  readonly isItem: (value: unknown) => boolean
  /** The fields in the order they are encoded in. */
  readonly spell: (item: T) => object
}

export interface SignedList<T> {
  readonly version: number
  /** Valid from this Unix second on, up to and without the other. */
  readonly from: number
  readonly until: number
  readonly items: readonly T[]
}

const SIGNATURE_LENGTH = 64
const magicOf = ({ name }: ListKind<never>): Uint8Array => utf8(`sotto/1/${name}s\n`)
const labelOf = ({ name }: ListKind<never>): Uint8Array => utf8(`sotto/1/${name}-list\n`)

/** @throws RangeError where it holds something that `parseList` would refuse */
export function sealList<T>(kind: ListKind<T>, rootSeed: Uint8Array, list: SignedList<T>): Uint8Array {
  if (!isSound(kind, list)) throw new RangeError(`a list of ${kind.name}s with a bad field`)
  const content = contentOf(kind, list)
  const bytes = concat(content, ed25519Sign(rootSeed, concat(labelOf(kind), content)))
  if (bytes.length > kind.limits.bytes) throw new RangeError(`a list of ${bytes.length} octets`)
  return bytes
}

/** What the octets say, by their form alone; undefined where they are no such list. No signature was checked. */
export function parseList<T>(kind: ListKind<T>, bytes: Uint8Array): SignedList<T> | undefined {
  const magic = magicOf(kind)
  const itemsAt = magic.length + 12
  if (bytes.length > kind.limits.bytes || bytes.length <= itemsAt + SIGNATURE_LENGTH) return undefined
  if (!fastEqual(bytes.subarray(0, magic.length), magic)) return undefined
  const [version, from, until] = [0, 4, 8].map((offset) => readU32(bytes, magic.length + offset))
  const items = decodeMessage(bytes.slice(itemsAt, -SIGNATURE_LENGTH))
  const list = { version: version!, from: from!, until: until!, items: items as readonly T[] }
  // One spelling: what does not encode to the same again is another's.
  return isSound(kind, list) && fastEqual(contentOf(kind, list), bytes.subarray(0, -SIGNATURE_LENGTH))
    ? list
    : undefined
}

export function isListSigned(kind: ListKind<never>, root: Uint8Array, bytes: Uint8Array): boolean {
  const content = bytes.subarray(0, -SIGNATURE_LENGTH)
  return ed25519Verify(root, bytes.slice(-SIGNATURE_LENGTH), concat(labelOf(kind), content))
}

export function isValidAt({ from, until }: { readonly from: number; readonly until: number }, now: Millis): boolean {
  const second = Math.floor(now / 1000)
  return second >= from && second < until
}

function contentOf<T>(kind: ListKind<T>, { version, from, until, items }: SignedList<T>): Uint8Array {
  return concat(magicOf(kind), u32(version), u32(from), u32(until), encodeMessage(items.map(kind.spell)))
}

function isSound<T>({ limits, isItem }: ListKind<T>, { version, from, until, items }: SignedList<T>): boolean {
  const isTime = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffffffff
  if (!isTime(version) || version === 0 || !isTime(from) || !isTime(until)) return false
  if (from >= until || until - from > limits.validSeconds) return false
  return Array.isArray(items) && items.length <= limits.items && items.every(isItem)
}
