/** What is kept of proving a secret to each other, and how the views see it. */
import type { Millis } from '#protocol/bytes.ts'
import { ChatLimits } from './limits.ts'
import type { Ending, ProofKind } from './proof-body.ts'

/** opened: by us, and they have not answered. wanted: by them, and the person has not typed the secret. answered: by us. */
export type ProofRun =
  | {
      readonly step: 'opened'
      readonly kind: ProofKind
      readonly run: Uint8Array
      readonly random: Uint8Array
      readonly share: Uint8Array
    }
  | { readonly step: 'wanted'; readonly kind: 'check'; readonly run: Uint8Array; readonly share: Uint8Array }
  | { readonly step: 'answered'; readonly kind: ProofKind; readonly run: Uint8Array; readonly expected: Uint8Array }

/** A secret that new people are accepted for; stretched, and how many runs may still end otherwise. */
export interface GateSecret {
  readonly secret: Uint8Array
  readonly left: number
}

export interface Gate {
  readonly password?: GateSecret
  readonly answer?: GateSecret & { readonly question: string }
}

export interface Proof {
  /** Missing: none is under way. */
  readonly run?: ProofRun
  /** When runs began that did not end with equal secrets, within `ChatLimits.proofWindowMs`. */
  readonly spent: readonly Millis[]
  /** How the latest one ended. */
  readonly outcome?: { readonly kind: ProofKind; readonly result: 'equal' | Ending }
  /** What they ask of those who wish to be accepted; missing once it was answered. */
  readonly question?: string
  /** They were asked ours. */
  readonly asked?: boolean
  /** The last that they sent which is answered by itself, while they are not to see that we are there: it waits. */
  readonly late?: Uint8Array
}

/** wanted: it is the person's turn. waiting: it is theirs. Otherwise how it ended. */
export interface ProofView {
  readonly kind: ProofKind
  readonly state: 'wanted' | 'waiting' | 'equal' | Ending
  /** Theirs, where they have asked one. */
  readonly question?: string
}

const NO_PROOF: Proof = { spent: [] }

/** As it is at this time: what was long ago is forgotten. */
export function proofAt(proof: Proof | undefined, now: Millis): Proof {
  const { spent, ...rest } = proof ?? NO_PROOF
  return { ...rest, spent: spent.filter((at) => at > now - ChatLimits.proofWindowMs && at <= now) }
}

export const isSpent = ({ spent }: Proof): boolean => spent.length >= ChatLimits.proofAttempts

export function withRun({ outcome: _, ...rest }: Proof, run: ProofRun): Proof {
  return { ...rest, run }
}

/** Nothing is under way any more. Equal secrets, and runs in which nobody could guess, cost no attempt. */
export function ended(proof: Proof, kind: ProofKind, result: 'equal' | Ending, isFree: boolean): Proof {
  const { run: _, question, spent, ...rest } = proof
  const open = result === 'equal' || question === undefined ? {} : { question }
  return { ...rest, ...open, spent: isFree ? spent.slice(0, -1) : spent, outcome: { kind, result } }
}

/** Keys were updated: a run that has begun with those of before says nothing. */
export function withoutRun<T extends { readonly proof?: Proof }>(contact: T): T {
  if (contact.proof?.run === undefined && contact.proof?.late === undefined) return contact
  const { run: _, late: __, ...proof } = contact.proof
  return { ...contact, proof }
}

export function proofView(proof: Proof | undefined): ProofView | undefined {
  if (proof === undefined) return undefined
  const { run, outcome, question } = proof
  const asks = question === undefined ? {} : { question }
  if (run !== undefined) return { kind: run.kind, state: run.step === 'wanted' ? 'wanted' : 'waiting', ...asks }
  if (question !== undefined && outcome === undefined) return { kind: 'answer', state: 'wanted', question }
  return outcome && { kind: outcome.kind, state: outcome.result, ...asks }
}
