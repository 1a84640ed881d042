/**
 * What a message says of a file: where its sealed pieces lie, the key that opens them, and how it is shown.
 *
 *     file    = flags 1 || key 32 || sid 24 || blob 24 || length 8 || [seconds 4] || name length 1 || name || [picture]
 *     picture = width 1 || height 1 || width * height times red 1, green 1, blue 1          rows from the top
 *     flags     2: it disappears; 4: it has a picture. Nothing else.
 *
 * `sid` is that of the queue beside which the blob lies. A picture is pixels as they are: to show one, nothing from others
 * is decoded.
 */
import { BLOB_ID_LENGTH } from '#protocol/blobs.ts'
import { concat, empty, fromUtf8, u32, u64, utf8 } from '#protocol/bytes.ts'
import { SID_LENGTH } from '../address.ts'
import { Reader } from '../reader.ts'
import { isTimer } from '../says.ts'
import { safeFileName } from './file-name.ts'
import { FileLimits } from './limits.ts'

const Flag = { disappears: 2, picture: 4 } as const
const KNOWN = Flag.disappears | Flag.picture
export const FILE_KEY_LENGTH = 32

/** A small picture of what is in a file. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** Red, green and blue of each pixel, rows from the top. */
  readonly pixels: Uint8Array
}

export interface FileNote {
  readonly key: Uint8Array
  readonly sid: Uint8Array
  readonly blob: Uint8Array
  /** Octets. */
  readonly size: number
  readonly name: string
  readonly picture?: Picture
  /** Seconds, from reading on. */
  readonly timer?: number
}

export function encodeFileNote({ key, sid, blob, size, name, picture, timer }: FileNote): Uint8Array {
  const flags = (timer === undefined ? 0 : Flag.disappears) | (picture === undefined ? 0 : Flag.picture)
  const called = utf8(name)
  const shown = picture && concat(Uint8Array.of(picture.width, picture.height), picture.pixels)
  const fixed = concat(Uint8Array.of(flags), key, sid, blob, u64(size), timer === undefined ? empty : u32(timer))
  return concat(fixed, Uint8Array.of(called.length), called, shown ?? empty)
}

/** The name made harmless; undefined where anything is not as above. */
export function decodeFileNote(body: Uint8Array): FileNote | undefined {
  const reader = new Reader(body)
  const flags = reader.u8()
  const [key, sid, blob] = [reader.take(FILE_KEY_LENGTH), reader.take(SID_LENGTH), reader.take(BLOB_ID_LENGTH)]
  const size = reader.u64()
  const timer = (flags & Flag.disappears) === 0 ? undefined : reader.u32()
  const name = fromUtf8(reader.take(reader.u8()))
  const picture = (flags & Flag.picture) === 0 ? undefined : readPicture(reader)
  if (!reader.end() || (flags & ~KNOWN) !== 0 || name === undefined) return undefined
  if (Number.isNaN(size) || size > FileLimits.fileBytes) return undefined
  if (timer !== undefined && (timer === 0 || !isTimer(timer))) return undefined
  const note = { key, sid, blob, size, name: safeFileName(name) }
  return { ...note, ...(picture && { picture }), ...(timer && { timer }) }
}

/** One with a side that is wrong takes nothing, so what follows is too much. */
function readPicture(reader: Reader): Picture | undefined {
  const [width, height] = [reader.u8(), reader.u8()]
  const isSide = (side: number): boolean => side >= 1 && side <= FileLimits.thumbnailSide
  if (!isSide(width) || !isSide(height)) {
    reader.take(Number.MAX_SAFE_INTEGER)
    return undefined
  }
  return { width, height, pixels: reader.take(width * height * 3) }
}
