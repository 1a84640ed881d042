/** What there is to know of a picture without decoding it, and the picture without what it tells beside what it shows. */
import { type Jpeg, stripJpeg } from '#client/chat/pictures/jpeg.ts'
import type { PictureKind } from '#client/chat/pictures/kinds.ts'
import { stripPng } from './png.ts'

/** Octets of a picture that is looked into. All of it is in memory for that. */
export const PICTURE_BYTES = 33_554_432

/** undefined for one that is not sound. */
export function look(kind: PictureKind, bytes: Uint8Array): Jpeg | undefined {
  if (kind === 'jpeg') return stripJpeg(bytes)
  const png = stripPng(bytes)
  return png && { ...png, orientation: 1 }
}
