/**
 * A backup in three parts, each for a QR code, to be kept in three places. Two ways:
 *
 *     all three   SOTTO1:i/3:set:part:check       the container cut in three
 *     any two     SOTTO1:i/2OF3:set:part:check    Shamir's secret sharing over GF(256): one alone says nothing
 *
 * `i` is 1 to 3; `set` four letters that tell the parts of one backup from those of another; `part` base 32; `check` four
 * letters over everything before them. All in the alphanumeric mode of QR codes.
 */
import { combine, split } from 'shamir-secret-sharing'
import { concat, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { SottoError } from '#protocol/errors.ts'
import { base32, fromBase32 } from '../chat/base32.ts'
import { CONTAINER_LENGTH, malformed } from './container.ts'

export const PARTS = 3
const NEEDED_OF_SHARES = 2
const MARK = 4
const PIECE = CONTAINER_LENGTH / PARTS
/** Shamir's shares carry one octet more: where on the curve they lie. */
const SHARE = CONTAINER_LENGTH + 1

export type Scheme = 'all' | 'two'

interface Part {
  readonly scheme: Scheme
  readonly index: number
  readonly set: string
  readonly bytes: Uint8Array
}

const mark = (...parts: readonly Uint8Array[]): string => base32(sha256(...parts)).slice(0, MARK)
const setOf = (container: Uint8Array): string => mark(utf8('sotto/1/backup set'), container)

/** Three texts. Shares are drawn by the system's own chance, anew at each call. */
export async function toParts(container: Uint8Array, scheme: Scheme): Promise<string[]> {
  const set = setOf(container)
  const pieces =
    scheme === 'two'
      ? await split(container, PARTS, NEEDED_OF_SHARES)
      : Array.from({ length: PARTS }, (_, i) => container.subarray(i * PIECE, (i + 1) * PIECE))
  return pieces.map((piece, i) => {
    const text = `SOTTO1:${i + 1}/${scheme === 'two' ? '2OF3' : '3'}:${set}:${base32(piece)}`
    return `${text}:${mark(utf8(text))}`
  })
}

/** True for what looks like a part, whole or not. */
export const isPart = (text: string): boolean => /^\s*SOTTO1:/i.test(text)

/**
 * The container, from as many parts as it takes, in any order; one that is given twice counts once.
 * @throws SottoError E_BACKUP_PARTS where parts are missing or of different backups, E_BACKUP_FORMAT where one is damaged
 */
export async function fromParts(texts: readonly string[]): Promise<Uint8Array> {
  const parts = texts.map(readPart)
  const [first] = parts
  if (first === undefined) throw malformed('there is no part')
  const foreign = parts.find(({ set, scheme }) => set !== first.set || scheme !== first.scheme)
  if (foreign !== undefined) {
    throw mismatch(`Part ${foreign.index} belongs to another backup than part ${first.index}.`)
  }
  const byIndex = new Map(parts.map((part) => [part.index, part.bytes]))
  const container = first.scheme === 'two' ? await fromShares(byIndex) : fromPieces(byIndex)
  if (setOf(container) !== first.set) throw unfit()
  return container
}

async function fromShares(byIndex: ReadonlyMap<number, Uint8Array>): Promise<Uint8Array> {
  if (byIndex.size < NEEDED_OF_SHARES) throw mismatch('One part is there; two of the three are needed.')
  try {
    return await combine([...byIndex.values()])
  } catch {
    // One share under two numbers.
    throw unfit()
  }
}

function fromPieces(byIndex: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const missing = Array.from({ length: PARTS }, (_, i) => i + 1).filter((index) => !byIndex.has(index))
  if (missing.length > 0) throw mismatch(`Part ${missing.join(' and part ')} of ${PARTS} is missing.`)
  return concat(...[...byIndex].toSorted(([a], [b]) => a - b).map(([, bytes]) => bytes))
}

function readPart(text: string): Part {
  const typed = text.toUpperCase().replace(/\s/g, '')
  const [, index, kind, set, piece = '', check] =
    /^SOTTO1:([1-3])\/(3|2OF3):([A-Z2-7]{4}):([A-Z2-7]+):([A-Z2-7]{4})$/.exec(typed) ?? []
  if (index === undefined) throw malformed('a part is cut off, or something else stands in it')
  const scheme = kind === '3' ? 'all' : 'two'
  const bytes = fromBase32(piece)
  const isWhole =
    mark(utf8(typed.slice(0, -MARK - 1))) === check && bytes?.length === (scheme === 'two' ? SHARE : PIECE)
  if (!isWhole) throw malformed(`part ${index} is mistyped or damaged`)
  return { scheme, index: Number(index), set: set!, bytes }
}

const unfit = (): SottoError => mismatch('The parts do not fit together.')

const mismatch = (what: string): SottoError => new SottoError('E_BACKUP_PARTS', what)
