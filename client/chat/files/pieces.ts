/**
 * A file as sealed pieces, in the shape of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015): each piece says by its
 * nonce which one it is and whether it is the last, so that none can be changed, moved, left out or added. The key is fresh
 * for each file and seals nothing else.
 *
 *     piece i = ChaCha20-Poly1305(key, nonce = zeros 7 || i 4 || last 1, content 32,752, AD = "sotto/1/file" || pieces 4)
 *
 * Content is the file, then zeros to the end of the last piece of its class (protocol/blobs.ts).
 */
import { pieceClass } from '#protocol/blobs.ts'
import { concat, u32, utf8 } from '#protocol/bytes.ts'
import { chacha20poly1305 } from '#protocol/crypto/aead.ts'
import { CONTENT_BYTES } from './limits.ts'

const LABEL = utf8('sotto/1/file')

/** Of a file with so many octets. */
export const piecesOf = (size: number): number => pieceClass(Math.ceil(size / CONTENT_BYTES))

export class Pieces {
  readonly count: number
  private readonly key: Uint8Array
  private readonly size: number
  private readonly associated: Uint8Array

  constructor(key: Uint8Array, size: number) {
    this.key = key
    this.size = size
    this.count = piecesOf(size)
    this.associated = concat(LABEL, u32(this.count))
  }

  /** Octets of the file in this piece. */
  lengthOf(index: number): number {
    return Math.max(0, Math.min(CONTENT_BYTES, this.size - index * CONTENT_BYTES))
  }

  /** @param content `lengthOf(index)` octets. @throws RangeError for another length */
  seal(index: number, content: Uint8Array): Uint8Array {
    if (content.length !== this.lengthOf(index)) throw new RangeError('not the content of this piece')
    const padded = new Uint8Array(CONTENT_BYTES)
    padded.set(content)
    return chacha20poly1305.seal(this.key, this.nonce(index), padded, this.associated)
  }

  /** undefined where it is not this piece of this file, or padded with anything but zeros. */
  open(index: number, piece: Uint8Array): Uint8Array | undefined {
    const padded = chacha20poly1305.open(this.key, this.nonce(index), piece, this.associated)
    const length = this.lengthOf(index)
    const isSound = padded?.length === CONTENT_BYTES && padded.subarray(length).every((octet) => octet === 0)
    return isSound ? padded.subarray(0, length) : undefined
  }

  private nonce(index: number): Uint8Array {
    return concat(new Uint8Array(7), u32(index), Uint8Array.of(index === this.count - 1 ? 1 : 0))
  }
}
