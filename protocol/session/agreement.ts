/**
 * Key agreement messages on the control stream. Spec section 4.2 and 4.3.
 *
 *     message = type 1 || length 2 || content
 *     offer   0x01: ML-KEM-768 encapsulation key 1184 || [Noise message 1]
 *     answer  0x02: ML-KEM-768 ciphertext 1088        || [Noise message 2]
 *
 * The first agreement of a session has no Noise part (the handshake has just run); every later one has.
 */
import { concat, empty, readU16, u16 } from '../bytes.ts'

export const AgreementType = { offer: 0x01, answer: 0x02 } as const

export const OFFER_KEM_LENGTH = 1184
export const ANSWER_KEM_LENGTH = 1088
const CONTENT_MAX = 2048

export interface ControlMessage {
  readonly type: number
  readonly content: Uint8Array
}

export function encodeControl(type: number, content: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type), u16(content.length), content)
}

/** Cuts the control stream into messages; `push` gives undefined where one is longer than any we know. */
export class ControlReader {
  private held: Uint8Array = empty

  push(bytes: Uint8Array): ControlMessage[] | undefined {
    const all = this.held.length === 0 ? bytes : concat(this.held, bytes)
    const messages: ControlMessage[] = []
    let at = 0
    while (all.length - at >= 3) {
      const stop = at + 3 + readU16(all, at + 1)
      if (stop > at + 3 + CONTENT_MAX) return undefined
      if (stop > all.length) break
      messages.push({ type: all[at]!, content: all.slice(at + 3, stop) })
      at = stop
    }
    // Copied once, whatever was in it, and so that it keeps no parcel in memory.
    this.held = at === all.length ? empty : all.slice(at)
    return messages
  }
}
