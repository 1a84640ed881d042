/**
 * How a session becomes, and again and again becomes, one that no quantum computer reads along in: an exchange of
 * ML-KEM-768 (FIPS 203) rides on turns of the ratchet, and its secret is mixed into the root beside the agreement.
 *
 *     side that started the session          side that was written to
 *     turn: offer n (key 1,184)        ->
 *                                      <-    answer n (ciphertext 1,088), from its next message on
 *     turn, mixed: root' = KDF(root, agreement || secret)
 *
 * An offer rides in one message of each sending chain until its answer has come, an answer likewise until the mixed turn:
 * whatever is lost or late, it comes again, and no message needs another one to be opened. Only the side that started
 * offers, one at a time. Pure: every step computes a new state and names the secrets that it has lost.
 */
import { empty, type Millis, type Random } from '#protocol/bytes.ts'
import { KEM_SEED_LENGTH, mlkem768 } from '#protocol/crypto/mlkem.ts'
import { ChatLimits } from './limits.ts'

/** What rides in a message. */
export interface HealingPart {
  readonly kind: 'offer' | 'answer'
  /** Of the offer, from 1 in each session. */
  readonly number: number
  readonly octets: Uint8Array
}

export interface Offering {
  readonly role: 'offers'
  /** Of the latest offer; 0 before the first. */
  readonly number: number
  /** Of the offer that waits for its answer; empty where none does. */
  readonly seed: Uint8Array
  /** To be mixed into the next turn; empty where there is none. */
  readonly shared: Uint8Array
  /** Messages, both ways, since the last mixed turn. */
  readonly count: number
  /** Of the last mixed turn; 0 before the first. */
  readonly mixedAt: Millis
}

export interface Answering {
  readonly role: 'answers'
  /** Of the offer answered last; 0 before the first. */
  readonly number: number
  /** Until the other side has mixed it in; then both are empty. */
  readonly ciphertext: Uint8Array
  readonly shared: Uint8Array
}

export type Healing = Offering | Answering

export const OFFERING: Offering = { role: 'offers', number: 0, seed: empty, shared: empty, count: 0, mixedAt: 0 }
export const ANSWERING: Answering = { role: 'answers', number: 0, ciphertext: empty, shared: empty }

/** Octets of a part beside its number. */
export const partLength: Readonly<Record<HealingPart['kind'], number>> = {
  offer: mlkem768.publicKeyLength,
  answer: mlkem768.ciphertextLength,
}

/** What is to be said, without computing it. */
export function partKind(healing: Healing | undefined): HealingPart['kind'] | undefined {
  if (healing?.role === 'offers') return healing.seed.length > 0 ? 'offer' : undefined
  return healing !== undefined && healing.ciphertext.length > 0 ? 'answer' : undefined
}

/** What is to be said until it is heard. */
export function partOf(healing: Healing | undefined): HealingPart | undefined {
  const kind = partKind(healing)
  if (healing === undefined || kind === undefined) return undefined
  const octets = healing.role === 'offers' ? mlkem768.keygen(healing.seed).publicKey : healing.ciphertext
  return { kind, number: healing.number, octets }
}

export interface HealingStep {
  readonly healing: Healing | undefined
  /** What goes into the root beside the agreement; empty for nothing. */
  readonly mix: Uint8Array
  readonly consumed: readonly Uint8Array[]
}

/** A part has come. What is late, repeated, or makes no sense changes nothing. */
export function heard(healing: Healing | undefined, part: HealingPart | undefined, random: Random): HealingStep {
  const nothing = { healing, mix: empty, consumed: [] }
  if (healing === undefined || part === undefined) return nothing
  if (healing.role === 'offers') {
    const isAnswer = part.kind === 'answer' && part.number === healing.number && healing.seed.length > 0
    const shared = isAnswer ? mlkem768.decapsulate(healing.seed, part.octets) : undefined
    if (shared === undefined) return nothing
    return { healing: { ...healing, seed: empty, shared }, mix: empty, consumed: [healing.seed] }
  }
  const isNew = part.kind === 'offer' && part.number > healing.number
  const made = isNew ? mlkem768.encapsulateBy(part.octets, random) : undefined
  if (made === undefined) return nothing
  return { healing: { ...healing, number: part.number, ...made }, mix: empty, consumed: secretsOf(healing) }
}

/** Our own turn: what has been agreed goes in, and a new offer is made where one is due. */
export function turning(healing: Healing | undefined, now: Millis, random: Random): HealingStep {
  if (healing?.role !== 'offers') return { healing, mix: empty, consumed: [] }
  if (healing.shared.length > 0) {
    const { shared } = healing
    return { healing: { ...healing, shared: empty, count: 0, mixedAt: now }, mix: shared, consumed: [shared] }
  }
  const isDue = healing.count >= ChatLimits.healingMessages || now - healing.mixedAt >= ChatLimits.healingMs
  if (!isDue || healing.seed.length > 0) return { healing, mix: empty, consumed: [] }
  return {
    healing: { ...healing, number: healing.number + 1, seed: random(KEM_SEED_LENGTH) },
    mix: empty,
    consumed: [],
  }
}

/** Their mixed turn. undefined where there is nothing that they could have mixed in. */
export function mixedByThem(healing: Healing | undefined): HealingStep | undefined {
  if (healing?.role !== 'answers' || healing.shared.length === 0) return undefined
  const { shared } = healing
  return { healing: { ...healing, ciphertext: empty, shared: empty }, mix: shared, consumed: [shared] }
}

/** One message more, either way. */
export function counted(healing: Healing | undefined): Healing | undefined {
  return healing?.role === 'offers' ? { ...healing, count: healing.count + 1 } : healing
}

const secretsOf = ({ shared }: Answering): readonly Uint8Array[] => (shared.length > 0 ? [shared] : [])
