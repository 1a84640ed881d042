/** What callers may say. Anything else is refused as `invalid`, without detail. */
import * as v from 'valibot'
import { BLOB_ID_LENGTH, isPieceClass, PIECE_BYTES, PIECES_MAX } from '#protocol/blobs.ts'
import { octets, type Parser, parser } from '../arguments.ts'

export interface SenderArguments {
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
  readonly blob: Uint8Array
}

export interface ReaderArguments {
  readonly rid: Uint8Array
  readonly rauth: Uint8Array
  readonly blob: Uint8Array
}

const blob = octets(BLOB_ID_LENGTH)
const sender = { sid: octets(24), sauth: octets(32), blob }
const reader = { rid: octets(24), rauth: octets(32), blob }
const index = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(PIECES_MAX - 1))
const pieces = v.pipe(v.number(), v.check(isPieceClass))

export const parseBegin: Parser<SenderArguments & { readonly pieces: number; readonly noStore: boolean }> = parser(
  v.strictObject({ ...sender, pieces, noStore: v.boolean() }),
)
export const parsePut: Parser<SenderArguments & { readonly index: number; readonly piece: Uint8Array }> = parser(
  v.strictObject({ ...sender, index, piece: octets(PIECE_BYTES) }),
)
export const parseGet: Parser<ReaderArguments & { readonly index: number }> = parser(
  v.strictObject({ ...reader, index }),
)
export const parseRemove: Parser<SenderArguments | ReaderArguments> = parser(
  v.union([v.strictObject(sender), v.strictObject(reader)]),
)
