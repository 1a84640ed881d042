/**
 * The ratchet's suite of this product.
 *
 *     next root 32 || chain 32        = SHA3-512(root || agreement || "sotto/1/ratchet")
 *     message key 32 || next chain 32 = SHA3-512(chain || "sotto/1/chain")
 *     message         = head || AES-256-GCM(message key, 12 zeros, plaintext)      associated data: context || head
 *     head            = ratchet key 32 || flags 1 || number 4 || previous 4 || [offer number 4 || part]
 *
 * Flags: 1 an offer of ML-KEM rides along, 2 an answer, 4 the turn was mixed (healing.ts). Agreement: X25519, followed by the
 * secret of ML-KEM where the turn is mixed. The nonce may be zeros because a message key seals once.
 *
 * All parts of what is hashed have one length for each label, but for the agreement, whose length the whole tells.
 */
import { concat, readU32, u32, utf8, wipe, writeU32 } from '#protocol/bytes.ts'
import { aes256gcm } from '#protocol/crypto/aead.ts'
import { sha3of512 } from '#protocol/crypto/hash.ts'
import { type HealingPart, partLength } from './healing.ts'
import type { RatchetHeader, RatchetSuite } from './ratchet-suite.ts'

const HEADER_LENGTH = 41
const NUMBER_LENGTH = 4
/** Octets that a message is longer than its plaintext. */
export const RATCHET_OVERHEAD: number = HEADER_LENGTH + 16
const Flag = { offer: 1, answer: 2, mixed: 4 } as const

/** Octets more for what rides along. */
export function carriedLength(kind: HealingPart['kind'] | undefined): number {
  return kind === undefined ? 0 : NUMBER_LENGTH + partLength[kind]
}

const RATCHET = utf8('sotto/1/ratchet')
const CHAIN = utf8('sotto/1/chain')
const NONCE = new Uint8Array(12)
/** Kept rather than made anew; where the chain key stood is wiped. */
const chainInput = concat(new Uint8Array(32), CHAIN)
const chainPlace = chainInput.subarray(0, 32)

/** Each has memory of its own: they are wiped at different times. */
function twoKeys(input: Uint8Array, place: Uint8Array): readonly [Uint8Array, Uint8Array] {
  const derived = sha3of512(input)
  const keys = [derived.slice(0, 32), derived.slice(32)] as const
  wipe(derived, place)
  return keys
}

function encodeHeader({ key, number, previous, mixed, part }: RatchetHeader): Uint8Array {
  const head = new Uint8Array(HEADER_LENGTH)
  head.set(key)
  head[32] = (part === undefined ? 0 : Flag[part.kind]) | (mixed ? Flag.mixed : 0)
  writeU32(head, number, 33)
  writeU32(head, previous, 37)
  return part === undefined ? head : concat(head, u32(part.number), part.octets)
}

/** As most messages have it: kept rather than made anew. */
const bound = new Uint8Array(32 + HEADER_LENGTH)

/** Valid until the next call. */
function boundTo(context: Uint8Array, head: Uint8Array): Uint8Array {
  if (context.length !== 32 || head.length !== HEADER_LENGTH) return concat(context, head)
  bound.set(context)
  bound.set(head, 32)
  return bound
}

/** undefined for flags that do not exist or exclude each other. */
function carriedKind(flags: number): HealingPart['kind'] | 'none' | undefined {
  return kinds[flags & ~Flag.mixed]
}

const kinds = ['none', 'offer', 'answer'] as const

/** Of a message as it came; undefined where it is none. */
function headLength(sealed: Uint8Array): number | undefined {
  const kind = sealed.length < RATCHET_OVERHEAD ? undefined : carriedKind(sealed[32]!)
  if (kind === undefined) return undefined
  const length = HEADER_LENGTH + carriedLength(kind === 'none' ? undefined : kind)
  return sealed.length < length + 16 ? undefined : length
}

export const sottoSuite: RatchetSuite = {
  nextRoot(root, shared) {
    const input = concat(root, shared, RATCHET)
    const [next, chain] = twoKeys(input, input)
    return { root: next, chain }
  },
  nextMessage(before) {
    chainPlace.set(before)
    const [message, chain] = twoKeys(chainInput, chainPlace)
    return { message, chain }
  },
  seal(message, header, plaintext, context) {
    const head = encodeHeader(header)
    return concat(head, aes256gcm.seal(message, NONCE, plaintext, boundTo(context, head)))
  },
  readHeader(sealed) {
    const length = headLength(sealed)
    if (length === undefined) return undefined
    const kind = carriedKind(sealed[32]!)!
    const fixed = { key: sealed.slice(0, 32), number: readU32(sealed, 33), previous: readU32(sealed, 37) }
    const mixed = (sealed[32]! & Flag.mixed) !== 0
    if (kind === 'none') return { ...fixed, mixed, part: undefined }
    const octets = sealed.slice(HEADER_LENGTH + NUMBER_LENGTH, length)
    return { ...fixed, mixed, part: { kind, number: readU32(sealed, HEADER_LENGTH), octets } }
  },
  open(message, sealed, context) {
    const length = headLength(sealed) ?? HEADER_LENGTH
    const [head, rest] = [sealed.subarray(0, length), sealed.subarray(length)]
    return aes256gcm.open(message, NONCE, rest, boundTo(context, head))
  },
}
