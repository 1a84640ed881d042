/** HMAC-SHA-256 (RFC 2104) of short messages under one key, for what every stranger may ask for. */
import { compress, INITIAL } from './sha256-block.ts'

/** Octets of a message that fits in one block beside its end mark and length. */
export const PREPARED_MAX = 55
/** Octets of a block. */
const BLOCK = 64

/**
 * Two blocks, and nothing around them: 10 us where nothing of it is in the processor's caches, as with a request that is rare,
 * where a library's objects take 27. `key`: at most 64 octets.
 * Returns a function for the first `length` octets of a message, at most `PREPARED_MAX`, whose result the next call overwrites.
 */
export function preparedHmacSha256(key: Uint8Array): (message: Uint8Array, length?: number) => Uint8Array {
  const inside = afterKey(key, 0x36)
  const outside = afterKey(key, 0x5c)
  const state = new Int32Array(8)
  const words = new Int32Array(BLOCK / 4)
  const out = new Uint8Array(32)
  return (message, length = message.length) => {
    if (length > PREPARED_MAX) throw new RangeError(`a message of at most ${PREPARED_MAX} octets`)
    for (let i = 0; i < 15; i++) words[i] = 0
    for (let i = 0; i < length; i++) words[i >> 2]! |= message[i]! << (24 - 8 * (i & 3))
    words[length >> 2]! |= 0x80 << (24 - 8 * (length & 3))
    words[15] = 8 * (BLOCK + length)
    compress(inside, words, state)
    for (let i = 0; i < 8; i++) words[i] = state[i]!
    words[8] = 0x80 << 24
    for (let i = 9; i < 15; i++) words[i] = 0
    words[15] = 8 * (BLOCK + out.length)
    compress(outside, words, state)
    for (let i = 0; i < out.length; i++) out[i] = state[i >> 2]! >>> (24 - 8 * (i & 3))
    return out
  }
}

function afterKey(key: Uint8Array, pad: number): Int32Array {
  if (key.length > BLOCK) throw new RangeError(`a key of at most ${BLOCK} octets`)
  const words = new Int32Array(BLOCK / 4)
  for (let i = 0; i < BLOCK; i++) words[i >> 2]! |= ((key[i] ?? 0) ^ pad) << (24 - 8 * (i & 3))
  const state = new Int32Array(8)
  compress(INITIAL, words, state)
  return state
}
