/** A small picture of a large one, made by who sends it; who receives it gets pixels and decodes nothing. */
import { FileLimits } from '#client/chat/files/limits.ts'
import type { Picture } from '#client/chat/files/note.ts'
import type { PictureKind, Size } from '#client/chat/pictures/kinds.ts'
import { type Decoded, decode, isDecodable, scaled, turned } from './decode.ts'

/** undefined for a picture that is too large, or that the decoder does not take. @param orientation as in Exif */
export function thumbnailOf(
  kind: PictureKind,
  bytes: Uint8Array,
  size: Size,
  orientation: number,
): Picture | undefined {
  if (!isDecodable(size)) return undefined
  try {
    return turned(shrunk(decode(kind, bytes, false)), orientation)
  } catch {
    // Whatever is wrong with it, it is sent without.
    return undefined
  }
}

function shrunk(picture: Decoded): Picture {
  const { width, height } = picture
  const scale = Math.max(1, width / FileLimits.thumbnailSide, height / FileLimits.thumbnailSide)
  const small = { width: Math.max(1, Math.floor(width / scale)), height: Math.max(1, Math.floor(height / scale)) }
  return scaled(picture, { left: 0, right: width, top: 0, bottom: height }, small)
}
