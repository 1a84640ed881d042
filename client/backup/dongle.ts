/**
 * A dongle: a key file, to be kept on a stick of its own. One line, `sotto-dongle:<base64url of 32 octets>:<check>`; the
 * check is the first four octets of SHA-256 of the key.
 */
import { base64url, fastEqual, fromBase64url, type Random } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { DONGLE_LENGTH } from './container.ts'

const PREFIX = 'sotto-dongle:'
const CHECK = 4

const checkOf = (key: Uint8Array): Uint8Array => sha256(key).subarray(0, CHECK)

/** The file's text, of a new dongle. */
export function newDongle(random: Random): string {
  const key = random(DONGLE_LENGTH)
  return `${PREFIX}${base64url(key)}:${base64url(checkOf(key))}\n`
}

/** @throws SottoError E_BACKUP_DONGLE; its text never quotes what the file holds */
export function readDongle(text: string): Uint8Array {
  const line = text.trim()
  if (!line.startsWith(PREFIX)) throw bad('The file is no dongle of Sotto.')
  const [key, check] = line.slice(PREFIX.length).split(':').map(fromBase64url)
  if (key?.length !== DONGLE_LENGTH || check?.length !== CHECK || !fastEqual(checkOf(key), check)) {
    throw bad('The file of the dongle is cut off or damaged.')
  }
  return key
}

const bad = (what: string): SottoError => new SottoError('E_BACKUP_DONGLE', what)
