/** What anybody can make the blob service keep. Lengths of pieces and blobs are those of the wire (protocol/blobs.ts). */
import { MEMORY_PIECES_MAX, PIECE_BYTES } from '#protocol/blobs.ts'

export interface BlobLimits {
  /** Octets of blobs beside one queue. Attack: whoever has somebody's card fills their share. The largest blob, and a small one. */
  readonly bytesPerQueue: number
  /** Octets on disk for one member. Attack: one member fills the disk. Two full queues, or 250 pictures of 1 MB. */
  readonly bytesPerMember: number
  /** Octets in memory for one member, of blobs that must not be stored: the largest such blob. Attack: one member fills the memory. */
  readonly ramBytesPerMember: number
  /** The same of all. Attack: many members together fill the memory. */
  readonly ramBytes: number
  /** Milliseconds a blob is kept from its last piece on: 21 days, as a message. Attack: blobs nobody fetches stay for ever. */
  readonly keptMs: number
  /** Milliseconds until a blob that lacks pieces goes, from its last piece on: 2 days. Attack: room is taken and not used. */
  readonly partMs: number
  /** Milliseconds until one in memory goes, from its last piece on: 24 hours. Attack: as above, in memory. */
  readonly ramMs: number
  /** Octets of pages of all blobs, in a store of their own. Attack: files fill the disk, and no room for messages is left. */
  readonly storeBytes: number
}

const MIB = 1024 ** 2

export const BlobLimits: BlobLimits = Object.freeze({
  bytesPerQueue: 128 * MIB,
  bytesPerMember: 256 * MIB,
  ramBytesPerMember: MEMORY_PIECES_MAX * PIECE_BYTES,
  ramBytes: 128 * MIB,
  keptMs: 21 * 86_400_000,
  partMs: 2 * 86_400_000,
  ramMs: 86_400_000,
  storeBytes: 4 * 1024 * MIB,
})
