/**
 * A backup as letters, to write on paper and to type again: base 32 of `container || SHA-256(container)[0..4)`, 112 letters,
 * in four lines. Each line ends with two letters that check it, so a slip of the pen is found in its line:
 *
 *     line  = 28 letters || 2 check letters, in groups of five
 *     check = first 10 bits of SHA-256(line number (1) || the 28 letters), as two letters
 */
import { concat, fastEqual, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { base32, fromBase32 } from '../chat/base32.ts'
import { CONTAINER_LENGTH, malformed } from './container.ts'

const LINES = 4
const LETTERS = 28
const CHECKS = 2
const GROUP = 5
const CHECKSUM = 4

const checksum = (container: Uint8Array): Uint8Array => sha256(container).subarray(0, CHECKSUM)
const checkOf = (line: number, letters: string): string =>
  base32(sha256(Uint8Array.of(line), utf8(letters))).slice(0, CHECKS)

/** Four lines of six groups. */
export function toLetters(container: Uint8Array): string {
  const all = base32(concat(container, checksum(container)))
  const line = (_: unknown, i: number): string => {
    const letters = all.slice(i * LETTERS, (i + 1) * LETTERS)
    return groups(letters + checkOf(i, letters))
  }
  return Array.from({ length: LINES }, line).join('\n')
}

/**
 * Reads what a person typed: small letters, other spacing and dashes do not matter, and the digits that look like letters
 * (0, 1, 8) are taken for them.
 * @throws SottoError E_BACKUP_FORMAT, with the line that is mistyped
 */
export function fromLetters(text: string): Uint8Array {
  const typed = text.toUpperCase().replace(/[\s-]/g, '').replaceAll('0', 'O').replaceAll('1', 'I').replaceAll('8', 'B')
  const wrong = /[^A-Z2-7]/u.exec(typed)
  if (wrong !== null) throw malformed(`the character after letter ${wrong.index} of it is none that a backup has`)
  const width = LETTERS + CHECKS
  if (typed.length !== LINES * width) {
    throw malformed(`it has ${typed.length} letters where a backup has ${LINES * width}`)
  }
  const lines = Array.from({ length: LINES }, (_, i) => typed.slice(i * width, (i + 1) * width))
  const mistyped = lines.flatMap((line, i) =>
    checkOf(i, line.slice(0, LETTERS)) === line.slice(LETTERS) ? [] : [String(i + 1)],
  )
  if (mistyped.length > 0) {
    throw malformed(`line ${mistyped.join(' and line ')} of it is mistyped, or the lines are in another order`)
  }
  const bytes = fromBase32(lines.map((line) => line.slice(0, LETTERS)).join(''))
  const container = bytes?.subarray(0, CONTAINER_LENGTH)
  if (container === undefined || !fastEqual(checksum(container), bytes!.subarray(CONTAINER_LENGTH))) {
    throw malformed('its lines are not all of one backup')
  }
  return container
}

const groups = (letters: string): string => letters.match(new RegExp(`.{${GROUP}}`, 'g'))!.join(' ')
