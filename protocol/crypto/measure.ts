/**
 * Which cipher this machine is quicker at: AES-256-GCM with AES instructions, ChaCha20-Poly1305 without.
 */
import { KEY_LENGTH } from '../constants.ts'
import type { Aead } from './aead.ts'
import { aes256gcm, chacha20poly1305 } from './aead.ts'

/** Octets a round seals: long enough to outweigh the set-up of a cipher, short enough for 0.5 ms on a slow phone. */
const ROUND_LENGTH = 32_768
/** Odd, so that the median is one of them. The first round of each, which warms up, counts too: the median ignores it. */
const ROUNDS = 7

/**
 * Median of a few rounds each, 0.3 ms together on a desktop, some 10 ms on a phone. A draw goes to ChaCha20, which needs
 * no instructions of the machine to run in constant time.
 * @param clock milliseconds with fractions, such as `performance.now`
 */
export function preferredAead(clock: () => number): 'aes-256-gcm' | 'chacha20-poly1305' {
  const aes: number[] = []
  const chacha: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    aes.push(timeOf(aes256gcm, clock))
    chacha.push(timeOf(chacha20poly1305, clock))
  }
  return median(aes) < median(chacha) ? 'aes-256-gcm' : 'chacha20-poly1305'
}

const zeros = new Uint8Array(ROUND_LENGTH)

function timeOf(aead: Aead, clock: () => number): number {
  const start = clock()
  aead.seal(zeros.subarray(0, KEY_LENGTH), zeros.subarray(0, aead.nonceLength), zeros)
  return clock() - start
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[ROUNDS >> 1]!
}
