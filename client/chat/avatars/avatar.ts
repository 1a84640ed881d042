/**
 * The picture that a person shows to contacts. It is made by who shows it; who receives it checks its form, and decodes nothing.
 *
 *     avatar  = version 1 || salt 16 || small 3,072 || JPEG                     16,384 octets at the most
 *     small   = 32 * 32 times red 1, green 1, blue 1, rows from the top
 *     hash    = SHA-256("sotto/1/avatar" || avatar)
 *
 * The hash stands where people read it who may not see the picture. The salt is fresh for each picture that is set, so nobody can
 * try pictures against the hash, nor tell that two people, or one person twice, show the same. JPEG: as high as wide, up to 256
 * pixels, with nothing in it but what is needed to show it.
 */
import { concat, fastEqual, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import type { Picture } from '../files/note.ts'
import { ChatLimits } from '../limits.ts'
import { stripJpeg } from '../pictures/jpeg.ts'

const VERSION = 1
export const AVATAR_SALT_LENGTH = 16
export const AVATAR_HASH_LENGTH = 32
/** Pixels of a side of the small picture. */
export const SMALL_SIDE = 32
const SMALL_LENGTH = SMALL_SIDE * SMALL_SIDE * 3
const HEAD_LENGTH = 1 + AVATAR_SALT_LENGTH + SMALL_LENGTH
/** Octets that are left for the JPEG. */
export const AVATAR_JPEG_MAX: number = ChatLimits.avatarBytes - HEAD_LENGTH

/** What a picture is shown with. */
export interface Face {
  /** 32 by 32 pixels, as they are: for screens that show colours and no pictures. */
  readonly small: Picture
  readonly jpeg: Uint8Array
}

export interface Avatar extends Face {
  readonly hash: Uint8Array
  /** Pixels of a side of the JPEG. */
  readonly side: number
  /** As it travels and is kept. */
  readonly bytes: Uint8Array
}

/** @throws RangeError for what `readAvatar` would not take */
export function encodeAvatar({ small, jpeg }: Face, salt: Uint8Array): Avatar {
  const avatar = readAvatar(concat(Uint8Array.of(VERSION), salt, small.pixels, jpeg))
  if (avatar === undefined) throw new RangeError('not a picture to show')
  return avatar
}

/** undefined for whatever is not exactly as above. */
export function readAvatar(bytes: Uint8Array): Avatar | undefined {
  if (bytes.length > ChatLimits.avatarBytes || bytes.length <= HEAD_LENGTH || bytes[0] !== VERSION) return undefined
  const pixels = bytes.slice(HEAD_LENGTH - SMALL_LENGTH, HEAD_LENGTH)
  const jpeg = bytes.slice(HEAD_LENGTH)
  const side = sideOf(jpeg)
  if (side === undefined) return undefined
  const small = { width: SMALL_SIDE, height: SMALL_SIDE, pixels }
  return { hash: avatarHash(bytes), side, small, jpeg, bytes }
}

/** Of a JPEG that has nothing to leave out, and unfolds to no more than it may. */
function sideOf(jpeg: Uint8Array): number | undefined {
  const looked = stripJpeg(jpeg)
  if (looked === undefined || !looked.isPlain || !fastEqual(looked.stripped, jpeg)) return undefined
  const { width, height } = looked.size
  return width === height && width >= 1 && width <= ChatLimits.avatarSide ? width : undefined
}

export function avatarHash(bytes: Uint8Array): Uint8Array {
  return sha256(utf8('sotto/1/avatar'), bytes)
}
