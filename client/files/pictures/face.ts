/**
 * A picture to show to contacts, made of a file that the person has chosen: the middle of it, as high as wide, made small, on
 * white where it is transparent, encoded anew. Nothing of the file is left but what the picture shows.
 */
import jpeg from 'jpeg-js'
import { AVATAR_JPEG_MAX, type Face, SMALL_SIDE } from '#client/chat/avatars/avatar.ts'
import type { Picture } from '#client/chat/files/note.ts'
import { ChatLimits } from '#client/chat/limits.ts'
import { stripJpeg } from '#client/chat/pictures/jpeg.ts'
import { KIND_BYTES, pictureKind } from '#client/chat/pictures/kinds.ts'
import { SottoError } from '#protocol/errors.ts'
import { OpenFile } from '../open-file.ts'
import { type Box, type Decoded, decode, isDecodable, scaled, turned } from './decode.ts'
import { look, PICTURE_BYTES } from './look.ts'

/** Of JPEG, tried in this order: the first that fits. Below the last, a smaller picture looks better. */
const QUALITIES = [90, 82, 74, 66, 58, 50, 42]
/** Where none fits, the picture is made smaller by so much. */
const STEP = 0.8

/** @throws SottoError E_FILE (not there, no file, not readable), E_AVATAR (no picture, damaged, too large) */
export function faceOf(path: string): Face {
  const { picture, orientation } = pictureIn(path)
  const { width, height } = picture
  const side = Math.min(width, height)
  const [left, top] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)]
  const middle = { left, right: left + side, top, bottom: top + side }
  const square = (size: number): Picture => turned(scaled(picture, middle, { width: size, height: size }), orientation)
  return { small: square(SMALL_SIDE), jpeg: fitting(picture, middle, square) }
}

function pictureIn(path: string): Upright {
  const file = new OpenFile(path)
  try {
    const { size } = file
    if (size > PICTURE_BYTES) throw refused(`${file.name} is longer than a picture to show may be.`)
    return pictureOf(file.name, file.read(0, size))
  } finally {
    file.close()
  }
}

interface Upright {
  readonly picture: Decoded
  /** As in Exif. */
  readonly orientation: number
}

function pictureOf(name: string, bytes: Uint8Array): Upright {
  const kind = pictureKind(bytes.subarray(0, KIND_BYTES))
  if (kind === undefined) throw refused(`${name} is neither PNG nor JPEG.`)
  const looked = look(kind, bytes)
  if (looked === undefined) throw refused(`${name} is damaged.`)
  if (!isDecodable(looked.size)) throw refused(`${name} unfolds to more pixels than are decoded.`)
  if (!looked.isPlain) throw refused(`${name} is saved in a way that unfolds without bound.`)
  return { picture: decoded(() => decode(kind, looked.stripped, true), name), orientation: looked.orientation }
}

function decoded(work: () => Decoded, name: string): Decoded {
  try {
    return work()
  } catch (cause) {
    throw new SottoError('E_AVATAR', `${name} is damaged.`, { kept: KEPT, cause })
  }
}

/** As large as may be, and as good as fits. */
function fitting(picture: Decoded, part: Box, square: (size: number) => Picture): Uint8Array {
  const side = Math.min(ChatLimits.avatarSide, part.right - part.left)
  for (let size = side; size >= 1; size = Math.floor(size * STEP)) {
    const shown = square(size)
    for (const quality of QUALITIES) {
      const encoded = encode(shown, quality)
      if (encoded.length <= AVATAR_JPEG_MAX) return encoded
    }
  }
  throw new RangeError(`no JPEG of ${picture.width} by ${picture.height} pixels is small enough`)
}

function encode({ width, height, pixels }: Picture, quality: number): Uint8Array {
  const data = new Uint8Array(width * height * 4).fill(255)
  for (let at = 0; at < width * height; at++) data.set(pixels.subarray(at * 3, at * 3 + 3), at * 4)
  const { data: bytes } = jpeg.encode({ width, height, data }, quality)
  return stripJpeg(new Uint8Array(bytes))!.stripped
}

const KEPT = 'Contacts see what they saw before.'
const refused = (what: string): SottoError => new SottoError('E_AVATAR', what, { kept: KEPT })
