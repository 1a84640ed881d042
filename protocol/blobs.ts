/** Blobs: sealed files as both ends count them, in pieces of one length and as many as a class has. Spec section 9.7. */

/** Octets of every piece: two fit where one message of a service fits, and a piece is lost and sent again at little cost. */
export const PIECE_BYTES = 32_768
/** Pieces of the largest blob: 96 MiB. */
export const PIECES_MAX = 3_072
/** Pieces of the largest blob that is kept in memory alone: 32 MiB, all that a member has there. */
export const MEMORY_PIECES_MAX = 1_024
/** Octets of a blob's id. */
export const BLOB_ID_LENGTH = 24

/**
 * The least number of pieces that a blob of at least `pieces` may have: all up to 8, then four steps for each doubling
 * (10, 12, 14, 16, 20, ...). So a length says little, and padding costs a quarter at the most.
 */
export function pieceClass(pieces: number): number {
  const doubling = 31 - Math.clz32(Math.max(1, pieces - 1))
  const step = 2 ** Math.max(0, doubling - 2)
  return Math.max(1, Math.ceil(pieces / step) * step)
}

/** True where a blob may have so many. */
export const isPieceClass = (pieces: number): boolean =>
  Number.isInteger(pieces) && pieces >= 1 && pieces <= PIECES_MAX && pieceClass(pieces) === pieces

/** Octets of a map with one bit for each piece, the first in the highest bit. */
export const mapLength = (pieces: number): number => Math.ceil(pieces / 8)

export const isInMap = (map: Uint8Array, index: number): boolean =>
  ((map[index >>> 3]! >>> (7 - (index & 7))) & 1) === 1

/** Changes `map`. */
export function addToMap(map: Uint8Array, index: number): void {
  map[index >>> 3]! |= 1 << (7 - (index & 7))
}
