/**
 * A root key as people give it to each other, so that they can be looked for: 52 letters of base 32, and 4 that check them, in
 * groups of four. It is no uid, which is a hash of it and leads to nobody.
 */
import { base32, fromBase32 } from '#client/chat/base32.ts'
import { concat, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'

const KEY_LETTERS = 52
const CHECK_LETTERS = 4

const checkOf = (label: string, key: Uint8Array): string =>
  base32(sha256(concat(utf8(label), key))).slice(0, CHECK_LETTERS)

export function trackerId(root: Uint8Array): string {
  return `${base32(root)}${checkOf('sotto/1/tracker-id', root)}`.match(/.{4}/g)!.join(' ')
}

/** Small letters, spaces and hyphens do not matter. @throws SottoError E_PERSON_ID */
export function parseTrackerId(text: string): Uint8Array {
  const letters = text.slice(0, 256).replace(/[\s-]/g, '').toUpperCase()
  const root = letters.length === KEY_LETTERS + CHECK_LETTERS ? fromBase32(letters.slice(0, KEY_LETTERS)) : undefined
  if (root === undefined) throw malformed('an id to find somebody by has 56 letters and digits from 2 to 7')
  const check = letters.slice(KEY_LETTERS)
  if (check === checkOf('sotto/1/tracker-id', root)) return root
  // What `sotto identity show` prints.
  if (check === checkOf('sotto/1/uid', root)) throw malformed('this one says who somebody is, and leads to nobody')
  throw malformed('a letter is wrong or missing')
}

const malformed = (why: string): SottoError => new SottoError('E_PERSON_ID', `This id cannot be used: ${why}.`)
