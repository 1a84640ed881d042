/**
 * Lengths on the wire. Whatever is sent has one of three lengths, so a gateway sees a class and nothing else.
 *
 *     sealed    592    4,096   22,016      what goes into a mailbox
 *     inner     544    4,048   21,968      less 48 for the queue's box (box.ts)
 *     envelope  478    3,982   21,902      less 9 for kind and session, 57 for the ratchet
 *               -      2,133   20,053      less 1,849 more while the start of a session from a bundle rides along
 *               205    3,709   21,629      less 273 while one from a card does
 *               -      2,794   20,714      less 1,188 for an offer of ML-KEM, which one message in fifty carries
 *     text      402    3,906   16,384      less 76 for the envelope's header; 16,384 is the limit of a text, also with 16 documents
 *               -      2,057   16,384      while the start of a session from a bundle rides along
 *
 * 592 leaves 176 octets of a 768-octet parcel for the call around it: 121 for `mailbox.put`, 6 for the stream frame, 16
 * for the parcel's tag, and 33 for acknowledgements.
 */
import { RATCHET_OVERHEAD } from './sotto-suite.ts'

export const SEALED_LENGTHS: readonly number[] = [592, 4_096, 22_016]
/** Octets of the queue's box: an ephemeral key 32 or as many zeros, and a tag 16. */
export const BOX_OVERHEAD = 48
/** Kind 1, session 8. */
export const PREFIX_LENGTH = 9
/** version 1, id 16, chat 16, time 8, counter 8, previous 16, check 8, type 1, length 2. */
export const ENVELOPE_HEADER = 76

export const INNER_LENGTHS: readonly number[] = SEALED_LENGTHS.map((length) => length - BOX_OVERHEAD)

/** Octets an envelope is padded to, with a start and `carried` octets beside it; undefined where it fits no class. */
export function paddedLength(envelope: number, start: number, carried = 0): number | undefined {
  const around = PREFIX_LENGTH + RATCHET_OVERHEAD + carried + start
  return INNER_LENGTHS.map((length) => length - around).find((length) => length >= envelope)
}
