/**
 * Which cipher this machine is quicker at: AES-256-GCM with AES instructions, ChaCha20-Poly1305 without.
 */
import { KEY_LENGTH } from '../constants.ts'
import type { Aead } from './aead.ts'
import { aes256gcm, chacha20poly1305 } from './aead.ts'

/** Octets a round seals: long enough to outweigh the set-up of a cipher, short enough for 0.5 ms on a slow phone. */
const ROUND_LENGTH = 32_768
const ROUNDS = 15

/**
 * The best of a few rounds each, 0.6 ms together on a desktop, some 20 ms on a phone. Not the median: other programs on the
 * machine, and the warming up of this one, only ever lengthen a round (of a loaded machine with AES instructions one start in
 * ten took ChaCha20, which costs an eighth of the speed in bulk). A draw goes to ChaCha20, which needs no instructions of the
 * machine to run in constant time.
 * @param clock milliseconds with fractions, such as `performance.now`
 */
export function preferredAead(clock: () => number): 'aes-256-gcm' | 'chacha20-poly1305' {
  let aes = Number.POSITIVE_INFINITY
  let chacha = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    aes = Math.min(aes, timeOf(aes256gcm, clock))
    chacha = Math.min(chacha, timeOf(chacha20poly1305, clock))
  }
  return aes < chacha ? 'aes-256-gcm' : 'chacha20-poly1305'
}

const zeros = new Uint8Array(ROUND_LENGTH)

function timeOf(aead: Aead, clock: () => number): number {
  const start = clock()
  aead.seal(zeros.subarray(0, KEY_LENGTH), zeros.subarray(0, aead.nonceLength), zeros)
  return clock() - start
}
