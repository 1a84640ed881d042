/** Bounds of files: what a contact could push against, and what we choose for ourselves. */
import { MEMORY_PIECES_MAX, PIECE_BYTES, PIECES_MAX } from '#protocol/blobs.ts'
import { TAG_LENGTH } from '#protocol/constants.ts'

/** Octets of content in a piece. */
export const CONTENT_BYTES: number = PIECE_BYTES - TAG_LENGTH

/** Octets of content in all pieces of the largest blob. */
const MOST: number = PIECES_MAX * CONTENT_BYTES

export const FileLimits = {
  /** Octets of one file. Attack: a contact makes us reserve the disk. What the largest blob holds: 96 MiB less the tags. */
  fileBytes: MOST as number,
  /** Octets of one that no gateway may store: what its memory takes for one member. More would wait for room that never comes. */
  directBytes: (MEMORY_PIECES_MAX * CONTENT_BYTES) as number,
  /** Octets of a file's name, UTF-8. Attack: names that fill the screen, or that no file system takes. */
  nameBytes: 128,
  /** Pixels of a thumbnail's longer side. Attack: large messages; three octets each, 6,912 fit with everything around them. */
  thumbnailSide: 48,
} as const
