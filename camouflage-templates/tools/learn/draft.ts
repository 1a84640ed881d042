/** A route as learned, before it is decided which of its places carry what. */
import type { Opaque } from './opaque.ts'
import type { Piece } from './values.ts'

/** A text of the template and its name: parameter, header, member. */
export interface DraftText {
  readonly name: string
  readonly pieces: readonly Piece[]
}

/** A file whose octets are the payload's. */
export interface DraftFile {
  readonly kind: 'png' | 'raw'
  /** Octets of each sample. */
  readonly lengths: readonly number[]
  /** Of pictures: ancillary chunks that hold nothing of anybody, and octets of one IDAT. */
  readonly chunks: readonly { readonly type: string; readonly hex: string }[]
  readonly idat: number
}

export interface DraftPart {
  readonly headers: readonly DraftText[]
  readonly content: DraftText | DraftFile
}

export type DraftBody =
  | { readonly kind: 'text'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'file'; readonly file: DraftFile }
  | { readonly kind: 'form'; readonly boundary: readonly Piece[]; readonly parts: readonly DraftPart[] }

export interface DraftMessage {
  readonly path: readonly Piece[]
  readonly query: readonly DraftText[]
  readonly headers: readonly DraftText[]
  readonly body: DraftBody | undefined
}

export function isFile(content: DraftText | DraftFile): content is DraftFile {
  return 'lengths' in content
}

export function opaqueOf(piece: Piece): Opaque | undefined {
  return typeof piece === 'object' && 'opaque' in piece ? piece.opaque : undefined
}
