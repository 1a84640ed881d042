/**
 * One run of proving that two people know the same secret: CPace, then a tag from each side.
 *
 *     channel = "sotto/1/proof" || kind 1
 *     data    = uid 32 || SHA-256(newest document) 32             of each side
 *     tag of the second 32 || tag of the first 32 = HKDF-SHA-256(key of CPace, "", "sotto/1/proof", 64)
 *
 * So a run says "equal" exactly where both typed the same, and each has the other's true documents: somebody between them
 * who shows each side keys of his own gets "different", as one who guesses. Whoever does not know the secret tests one guess
 * in a run, and learns nothing that could be tested later, with whatever computer: what is sent goes through the ratchet.
 */
import { concat, constantTimeEqual, empty, utf8, wipe } from '#protocol/bytes.ts'
import { type CpaceSide, cpaceGenerator, cpaceKey, cpaceShare } from '#protocol/crypto/cpace.ts'
import { hkdfSha256 } from '#protocol/crypto/hash.ts'
import { documentHash, type PublicIdentity } from './documents.ts'
import { type ProofKind, proofKinds } from './proof-body.ts'

const LABEL = utf8('sotto/1/proof')
const TAG_LENGTH = 32

/** What a run is about, known to both before it begins. */
export interface ProofTerms {
  readonly kind: ProofKind
  /** 16 octets, by the one who opens. */
  readonly run: Uint8Array
  /** Who opens. */
  readonly first: PublicIdentity
  readonly second: PublicIdentity
}

/** What the first keeps until the answer comes; the secret itself is not needed any more. */
export interface Opening {
  readonly random: Uint8Array
  readonly share: Uint8Array
}

const channelOf = (kind: ProofKind): Uint8Array => concat(LABEL, Uint8Array.of(1 + proofKinds.indexOf(kind)))

function generatorOf({ kind, run }: ProofTerms, secret: Uint8Array): Uint8Array {
  return cpaceGenerator({ secret, channel: channelOf(kind), run })
}

/** @param secret stretched (proof-secret.ts) @param random 32 octets */
export function openProof(terms: ProofTerms, secret: Uint8Array, random: Uint8Array): Opening {
  const generator = generatorOf(terms, secret)
  const share = cpaceShare(generator, random)
  wipe(generator)
  return { random, share }
}

/**
 * Of the second.
 * @returns what is sent, and the tag that will come back where the secrets are equal; undefined where their share is none
 */
export function answerProof(
  terms: ProofTerms,
  theirs: Uint8Array,
  secret: Uint8Array,
  random: Uint8Array,
): { readonly share: Uint8Array; readonly tag: Uint8Array; readonly expected: Uint8Array } | undefined {
  const { share } = openProof(terms, secret, random)
  const tags = tagsOf(terms, { random, theirs, shares: [theirs, share] })
  return tags && { share, tag: tags.second, expected: tags.first }
}

/** Of the first, once the answer is here: the tag to send where the secrets are equal; undefined where they are not. */
export function closeProof(
  terms: ProofTerms,
  { random, share }: Opening,
  theirs: { readonly share: Uint8Array; readonly tag: Uint8Array },
): Uint8Array | undefined {
  const tags = tagsOf(terms, { random, theirs: theirs.share, shares: [share, theirs.share] })
  return tags !== undefined && constantTimeEqual(tags.second, theirs.tag) ? tags.first : undefined
}

function tagsOf(
  { run, first, second }: ProofTerms,
  { random, theirs, shares }: { random: Uint8Array; theirs: Uint8Array; shares: readonly [Uint8Array, Uint8Array] },
): { readonly first: Uint8Array; readonly second: Uint8Array } | undefined {
  const side = (share: Uint8Array, of: PublicIdentity): CpaceSide => ({ share, data: concat(of.uid, documentHash(of)) })
  const key = cpaceKey({ random, theirs, run, first: side(shares[0], first), second: side(shares[1], second) })
  if (key === undefined) return undefined
  const tags = hkdfSha256(key, empty, LABEL, 2 * TAG_LENGTH)
  wipe(key)
  return { second: tags.slice(0, TAG_LENGTH), first: tags.slice(TAG_LENGTH) }
}
