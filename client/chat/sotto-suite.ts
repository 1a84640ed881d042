/**
 * The ratchet's suite of this product.
 *
 *     root, chain     = HKDF(agreement, root, "sotto/1/ratchet", 64)
 *     message key     = HMAC(chain, "sotto/1/message_key")
 *     next chain      = HMAC(chain, "sotto/1/chain_key")
 *     key, nonce      = HKDF(message key, "", "sotto/1/message", 44)
 *     message         = ratchet key 32 || number 4 || previous 4 || AES-256-GCM(key, nonce, plaintext)
 *                       associated data: context || ratchet key || number || previous
 */
import { concat, empty, readU32, u32, utf8, wipe } from '#protocol/bytes.ts'
import { aes256gcm } from '#protocol/crypto/aead.ts'
import { hkdfSha256, hmacSha256 } from '#protocol/crypto/hash.ts'
import type { RatchetHeader, RatchetSuite } from './ratchet-suite.ts'

const HEADER_LENGTH = 40
/** Octets that a message is longer than its plaintext. */
export const RATCHET_OVERHEAD: number = HEADER_LENGTH + 16

const RATCHET = utf8('sotto/1/ratchet')
const MESSAGE_KEY = utf8('sotto/1/message_key')
const CHAIN_KEY = utf8('sotto/1/chain_key')
const MESSAGE = utf8('sotto/1/message')

function withKey<T>(message: Uint8Array, use: (key: Uint8Array, nonce: Uint8Array) => T): T {
  const derived = hkdfSha256(message, empty, MESSAGE, 44)
  try {
    return use(derived.subarray(0, 32), derived.subarray(32))
  } finally {
    wipe(derived)
  }
}

const encodeHeader = ({ key, number, previous }: RatchetHeader): Uint8Array => concat(key, u32(number), u32(previous))

export const sottoSuite: RatchetSuite = {
  nextRoot(root, shared) {
    const derived = hkdfSha256(shared, root, RATCHET, 64)
    return { root: derived.slice(0, 32), chain: derived.slice(32) }
  },
  nextMessage(chain) {
    return { message: hmacSha256(chain, MESSAGE_KEY), chain: hmacSha256(chain, CHAIN_KEY) }
  },
  seal(message, header, plaintext, context) {
    const head = encodeHeader(header)
    return withKey(message, (key, nonce) => concat(head, aes256gcm.seal(key, nonce, plaintext, concat(context, head))))
  },
  readHeader(sealed) {
    if (sealed.length < RATCHET_OVERHEAD) return undefined
    return { key: sealed.slice(0, 32), number: readU32(sealed, 32), previous: readU32(sealed, 36) }
  },
  open(message, sealed, context) {
    const head = sealed.subarray(0, HEADER_LENGTH)
    const rest = sealed.subarray(HEADER_LENGTH)
    return withKey(message, (key, nonce) => aes256gcm.open(key, nonce, rest, concat(context, head)))
  },
}
