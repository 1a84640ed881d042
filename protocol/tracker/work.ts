/**
 * A little work for every new key at a tracker, so that nobody fills it with millions of them. Spec section 16.5.
 *
 *     SHA-256("sotto/1/tracker/work" || tracker 32 || record key 16 || nonce 8) begins with 18 zero bits
 *
 * 262,144 hashes on average: a third of a second for a person once in weeks, 36 days of a core for ten million keys.
 */
import { concat, readU32, u64, utf8 } from '../bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { TrackerLimits } from './limits.ts'

export const WORK_LENGTH = 8
const LABEL = utf8('sotto/1/tracker/work')

export function isWork(
  tracker: Uint8Array,
  recordKey: Uint8Array,
  nonce: Uint8Array,
  bits: number = TrackerLimits.workBits,
): boolean {
  return nonce.length === WORK_LENGTH && isLow(sha256(concat(LABEL, tracker, recordKey, nonce)), bits)
}

const isLow = (digest: Uint8Array, bits: number): boolean => Math.clz32(readU32(digest)) >= bits

/** Tries `count` nonces from `from` on; undefined where none of them will do. */
export function seekWork(
  tracker: Uint8Array,
  recordKey: Uint8Array,
  from: number,
  count: number,
  bits: number = TrackerLimits.workBits,
): Uint8Array | undefined {
  const text = concat(LABEL, tracker, recordKey, new Uint8Array(WORK_LENGTH))
  for (let n = from; n < from + count; n++) {
    const nonce = u64(n)
    text.set(nonce, text.length - WORK_LENGTH)
    if (isLow(sha256(text), bits)) return nonce
  }
  return undefined
}
