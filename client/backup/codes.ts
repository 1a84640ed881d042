/** QR codes as pictures: drawn for a terminal and as PNG, and read back from PNG. */
import { PNG } from 'pngjs'
import { encodeQR } from 'qr'
import decodeQR from 'qr/decode.js'
import { SottoError } from '#protocol/errors.ts'
import { stripPng } from '../files/pictures/png.ts'
import { malformed } from './container.ts'

/** Pixels a module, and modules of white around it, as the standard asks for. */
const SCALE = 8
const BORDER = 4
/** Pixels of a picture that is read. Attack: a small file that unpacks to gigabytes. A camera of 24 megapixels. */
const PIXELS_MAX = 24_000_000
/** Milliseconds for finding a code in a photograph. */
const SEARCH_MS = 3_000
/** Letters of the alphanumeric mode in the largest code (version 40), by how much of it may be damaged (ISO/IEC 18004, table 7). */
const LETTERS_MEDIUM = 3_391
const LETTERS_LOW = 4_296
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

const options = { ecc: 'medium', border: BORDER } as const

/** Lines of text that a terminal shows as a code. `text` in the alphanumeric mode's letters. */
export const drawnCode = (text: string): string => encodeQR(text, 'term', options)

/** The same of a card, which is long. @throws SottoError E_CARD_CODE */
export function cardCode(text: string): string {
  requireFits(text)
  return encodeQR(text, 'term', { ecc: 'low' })
}

function requireFits({ length }: string): void {
  if (length <= LETTERS_LOW) return
  throw new SottoError('E_CARD_CODE', `The card is too long for a QR code: ${length} letters, and ${LETTERS_LOW} fit.`)
}

/** A PNG file. @throws SottoError E_CARD_CODE for what no code holds: only cards are that long */
export function codeImage(text: string): Uint8Array {
  requireFits(text)
  const ecc = text.length <= LETTERS_MEDIUM ? options.ecc : 'low'
  // Enlarged here: the library draws no picture of more than 1,024 pixels, which a card with three documents takes.
  const modules = encodeQR(text, 'raw', { ...options, ecc })
  const side = modules.length * SCALE
  const png = new PNG({ width: side, height: side, colorType: 0 })
  png.data.fill(0xff)
  for (let y = 0; y < side; y++) {
    const row = modules[Math.floor(y / SCALE)]!
    for (let x = 0; x < side; x++) {
      const at = (y * side + x) * 4
      if (row[Math.floor(x / SCALE)]) png.data.fill(0, at, at + 3)
    }
  }
  return new Uint8Array(PNG.sync.write(png, { colorType: 0 }))
}

export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((octet, i) => bytes[i] === octet)

/** The text of the one code in a PNG picture, perhaps a stranger's. @throws SottoError E_BACKUP_FORMAT */
export function readCodeImage(file: Uint8Array): string {
  const png = stripPng(file)
  if (png === undefined) throw malformed('the picture is damaged')
  if (png.size.width * png.size.height > PIXELS_MAX) throw malformed('the picture is too large')
  if (!png.isPlain) throw malformed('the picture is interlaced, and must be saved without that')
  try {
    const { width, height, data } = PNG.sync.read(Buffer.from(png.stripped))
    return decodeQR({ width, height, data: new Uint8Array(data) }, { timeLimit: SEARCH_MS })
  } catch {
    throw malformed('no QR code can be read in the picture')
  }
}
