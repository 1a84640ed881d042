/**
 * Documents by which a person says which keys are theirs. Each commits to the signing key of the next one, so whoever
 * steals the keys of a device cannot name their successor: that takes the master secret, which is in the backup alone.
 *
 *     document n = version 1 || n 2 || uid 32 || previous 32 || root n 32 || dh n 32 || next 32 || signature 64
 *     previous   = SHA-256(document n - 1); zeros for n = 0
 *     next       = SHA-256("sotto/1/next" || root n + 1); zeros where it is not known, and then nothing follows
 *     signature  = Ed25519(root n, "sotto/1/document" || everything before)
 *     chain      = document 0 || ... || document n
 *
 * Nothing in a document is chosen: the master secret makes the same chain again.
 */
import { concat, empty, fastEqual, u16, utf8 } from '#protocol/bytes.ts'
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from '#protocol/crypto/ed25519.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { isCanonicalKey } from './keys.ts'
import { ChatLimits } from './limits.ts'
import { Reader } from './reader.ts'

export const DOCUMENT_LENGTH = 227
const VERSION = 1
const SIGNATURE_LENGTH = 64
export const NO_NEXT: Uint8Array = new Uint8Array(32)
const NO_PREVIOUS: Uint8Array = new Uint8Array(32)

export interface PublicIdentity {
  readonly uid: Uint8Array
  /** Ed25519. */
  readonly root: Uint8Array
  /** X25519. */
  readonly dh: Uint8Array
  /** All documents, the oldest first; empty for a contact from before there were documents. */
  readonly chain: Uint8Array
}

/** What stands in a document that follows `chain`. */
export interface NewDocument {
  readonly rootSeed: Uint8Array
  /** X25519, public. */
  readonly dh: Uint8Array
  /** Hash of the signing key after this one, or `NO_NEXT`. */
  readonly next: Uint8Array
}

export const commitmentTo = (root: Uint8Array): Uint8Array => sha256(utf8('sotto/1/next'), root)

const signedText = (unsigned: Uint8Array): Uint8Array => concat(utf8('sotto/1/document'), unsigned)

/** The chain with one document more. */
export function extendChain(chain: Uint8Array, { rootSeed, dh, next }: NewDocument): Uint8Array {
  const last = chain.subarray(-DOCUMENT_LENGTH)
  const root = ed25519PublicKey(rootSeed)
  const [uid, previous] = chain.length === 0 ? [sha256(root), NO_PREVIOUS] : [fieldsOf(last).uid, sha256(last)]
  const unsigned = concat(Uint8Array.of(VERSION), u16(numberOf(chain) + 1), uid, previous, root, dh, next)
  return concat(chain, unsigned, ed25519Sign(rootSeed, signedText(unsigned)))
}

/** Number of the newest document; -1 for an empty chain. */
export function numberOf(chain: Uint8Array): number {
  return chain.length / DOCUMENT_LENGTH - 1
}

/** Hash of the newest document: what a conversation is bound to. */
export function documentHash({ chain }: PublicIdentity): Uint8Array {
  return sha256(chain.subarray(-DOCUMENT_LENGTH))
}

/** What the newest document commits to. */
export function nextOf(chain: Uint8Array): Uint8Array {
  return chain.length === 0 ? NO_NEXT : fieldsOf(chain.subarray(-DOCUMENT_LENGTH)).next
}

/** Who a chain is of. undefined where anything in it is not as it must be. */
export function readChain(chain: Uint8Array): PublicIdentity | undefined {
  const count = chain.length / DOCUMENT_LENGTH
  if (!Number.isInteger(count) || count < 1 || count > ChatLimits.documents) return undefined
  for (let n = 0; n < count; n++) {
    const before = chain.subarray(Math.max(0, n - 1) * DOCUMENT_LENGTH, n * DOCUMENT_LENGTH)
    if (!isDocument(chain.subarray(n * DOCUMENT_LENGTH, (n + 1) * DOCUMENT_LENGTH), n, before)) return undefined
  }
  return readKnownChain(chain)
}

/** A chain that was verified when it came. */
export function readKnownChain(chain: Uint8Array): PublicIdentity {
  const { uid, root, dh } = fieldsOf(chain.subarray(-DOCUMENT_LENGTH))
  return { uid, root, dh, chain }
}

/** `before`: the document before, verified; empty for the first. */
function isDocument(document: Uint8Array, n: number, before: Uint8Array): boolean {
  const { version, number, uid, previous, root, dh, next } = fieldsOf(document)
  if (version !== VERSION || number !== n || !isCanonicalKey(dh)) return false
  if (before.length === 0) {
    if (!fastEqual(uid, sha256(root)) || !fastEqual(previous, NO_PREVIOUS)) return false
  } else {
    const known = fieldsOf(before)
    if (!fastEqual(uid, known.uid) || !fastEqual(previous, sha256(before))) return false
    if (!fastEqual(commitmentTo(root), known.next)) return false
  }
  if (fastEqual(next, commitmentTo(root))) return false
  const signature = document.subarray(-SIGNATURE_LENGTH)
  return ed25519Verify(root, signature, signedText(document.subarray(0, -SIGNATURE_LENGTH)))
}

interface Fields extends Omit<PublicIdentity, 'chain'> {
  readonly version: number
  readonly number: number
  readonly previous: Uint8Array
  readonly next: Uint8Array
}

function fieldsOf(document: Uint8Array): Fields {
  const reader = new Reader(document)
  const [version, number] = [reader.u8(), reader.u16()]
  const [uid, previous] = [reader.take(32), reader.take(32)]
  return { version, number, uid, previous, root: reader.take(32), dh: reader.take(32), next: reader.take(32) }
}

/** Octets of a chain as it stands in what is signed or sent: count 1 || documents. */
export function encodeChain(chain: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(chain.length / DOCUMENT_LENGTH), chain)
}

/** The octets alone; `readChain` verifies them. */
export function takeChain(reader: Reader): Uint8Array {
  const count = reader.u8()
  return count >= 1 && count <= ChatLimits.documents ? reader.take(count * DOCUMENT_LENGTH) : empty
}

/** How a chain of the same person relates to the one we know: the same, a continuation, an earlier state, or a contradiction. */
export function compareChains(known: Uint8Array, given: Uint8Array): 'same' | 'newer' | 'older' | 'other' {
  const common = Math.min(known.length, given.length)
  if (!fastEqual(known.subarray(0, common), given.subarray(0, common))) return 'other'
  if (known.length === given.length) return 'same'
  return given.length > known.length ? 'newer' : 'older'
}
