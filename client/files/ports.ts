/** What transfers need from below: blobs on gateways. */
import type { OwnQueue } from '#client/chat/model.ts'

/** A queue of a contact's beside which a blob lies, or shall lie. */
export interface Place {
  readonly gateway: Uint8Array
  readonly sid: Uint8Array
  readonly sauth: Uint8Array
}

/** A queue of ours beside which one lies. */
export type OwnPlace = Pick<OwnQueue, 'gateway' | 'rid' | 'rauth' | 'seal'>

/**
 * Every method rejects where it could not be done; what is repeated does no harm. A refusal by the gateway has its word in
 * `reason`.
 */
export interface BlobPort {
  /** Whether a gateway is reached now, is one of ours and is not, or is none of ours. */
  reach(gateway: Uint8Array): 'ready' | 'away' | 'none'
  /** Which pieces are there (protocol/blobs.ts); the blob is made where it is not. */
  begin(place: Place, blob: Uint8Array, pieces: number, noStore: boolean): Promise<Uint8Array>
  put(place: Place, blob: Uint8Array, index: number, piece: Uint8Array): Promise<void>
  /** The piece, as it was put. undefined where what came is not sealed as agreed. */
  get(place: OwnPlace, blob: Uint8Array, index: number): Promise<Uint8Array | undefined>
  remove(place: Place | OwnPlace, blob: Uint8Array): Promise<void>
}
