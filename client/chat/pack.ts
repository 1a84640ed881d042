/** Our own records in octets. They come back from a sealed store, so a wrong one is damage or a bug, not an attack. */
import { SottoError } from '#protocol/errors.ts'
import { decodeOwn, encodeMessage } from '#protocol/services/codec.ts'

export function pack(record: object): Uint8Array {
  return encodeMessage(record)
}

/** @throws SottoError E_STATE_UNREADABLE */
export function unpack<T extends object>(bytes: Uint8Array): T {
  const record = decodeOwn(bytes)
  if (record === null || typeof record !== 'object') {
    throw new SottoError('E_STATE_UNREADABLE', 'A stored record of the chat is not in its form.')
  }
  return record as T
}
