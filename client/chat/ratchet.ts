/**
 * The Double Ratchet, as steps that compute a new state from an old one and change nothing.
 *
 * Every step names the secrets that the new state no longer holds: wipe them once the new state is stored. A message that
 * is not authentic leaves no trace, because the only result is a refusal.
 */
import { concat, fastEqual, type Millis, type Random } from '#protocol/bytes.ts'
import { x25519Agree } from '#protocol/crypto/x25519.ts'
import { counted, type Healing, heard, mixedByThem, partKind, partOf, turning } from './healing.ts'
import { isCanonicalKey, type KeyPair, keyPair } from './keys.ts'
import { ChatLimits } from './limits.ts'
import type { RatchetHeader, RatchetSuite } from './ratchet-suite.ts'

/** Key of a message that has not arrived. */
export interface KeptKey {
  readonly number: number
  readonly key: Uint8Array
  readonly since: Millis
}

export interface SendingChain {
  readonly chain: Uint8Array
  /** Number of the next message. */
  readonly next: number
  /** The turn that began it was mixed. */
  readonly mixed: boolean
  /** A message of it has carried what was to be said for healing. */
  readonly told: boolean
}

export interface ReceivingChain {
  /** Their ratchet key. */
  readonly remote: Uint8Array
  /** undefined once they have turned to another key: then only kept keys are left. */
  readonly chain: Uint8Array | undefined
  readonly next: number
  readonly kept: readonly KeptKey[]
}

export interface RatchetState {
  readonly root: Uint8Array
  /** Our ratchet key. */
  readonly own: KeyPair
  /** undefined until their first message tells us their ratchet key. */
  readonly sending: SendingChain | undefined
  /** Messages in our sending chain before. */
  readonly previous: number
  /** Oldest first. */
  readonly receiving: readonly ReceivingChain[]
  /** What each side's messages are bound to. Equal unless a suite tells the directions apart. */
  readonly sendContext: Uint8Array
  readonly receiveContext: Uint8Array
  /** undefined where a suite knows of none. */
  readonly healing: Healing | undefined
}

/** A state that can send. */
export type ActiveRatchet = RatchetState & { readonly sending: SendingChain }

/** How a state begins. */
export interface Beginning {
  readonly sendContext: Uint8Array
  readonly receiveContext: Uint8Array
  readonly healing: Healing | undefined
}

/**
 * Of the side that starts: it knows a ratchet key of the other side, its signed prekey. undefined where that key is no
 * usable one.
 */
export function startSending(
  suite: RatchetSuite,
  input: Beginning & { readonly root: Uint8Array; readonly remote: Uint8Array; readonly own: KeyPair },
): ActiveRatchet | undefined {
  const turned = turn(suite, input.root, input.own, input.remote)
  if (turned === undefined) return undefined
  const { remote: _, ...rest } = input
  return { ...rest, root: turned.root, sending: newChain(turned.chain), previous: 0, receiving: [] }
}

const newChain = (chain: Uint8Array, mixed = false): SendingChain => ({ chain, next: 0, mixed, told: false })

/** Of the side that is written to: `own` is the prekey that the first message names. */
export function startReceiving(input: Beginning & { readonly root: Uint8Array; readonly own: KeyPair }): RatchetState {
  return { ...input, sending: undefined, previous: 0, receiving: [] }
}

export interface Sealed {
  readonly state: ActiveRatchet
  readonly message: Uint8Array
  readonly consumed: readonly Uint8Array[]
}

/** What the next message would carry beside its plaintext. */
export function carriedNext({ sending, healing }: ActiveRatchet): ReturnType<typeof partKind> {
  return sending.told ? undefined : partKind(healing)
}

/** `carry`: whether there is room for what rides along; where there is none, a later message brings it. */
export function sealStep(suite: RatchetSuite, state: ActiveRatchet, plaintext: Uint8Array, carry = true): Sealed {
  const { chain, next, mixed, told } = state.sending
  const step = suite.nextMessage(chain)
  const part = told || !carry ? undefined : partOf(state.healing)
  const header = { key: state.own.publicKey, number: next, previous: state.previous, mixed, part }
  const sending = { chain: step.chain, next: next + 1, mixed, told: told || part !== undefined }
  return {
    state: { ...state, sending, healing: counted(state.healing) },
    message: suite.seal(step.message, header, plaintext, state.sendContext),
    consumed: [chain, step.message],
  }
}

export type Opened =
  | {
      readonly kind: 'opened'
      readonly state: ActiveRatchet
      readonly plaintext: Uint8Array
      readonly consumed: readonly Uint8Array[]
    }
  /** Its key is gone: a repeat, or it came after its key was forgotten. */
  | { readonly kind: 'used' }
  /** Not authentic, not a message, or beyond a limit. */
  | { readonly kind: 'refused' }

export interface OpenInput {
  /** For our next ratchet key, should the message bring a new one of theirs, and for healing. */
  readonly random: Random
  readonly now: Millis
}

const refused: Opened = { kind: 'refused' }
const used: Opened = { kind: 'used' }

export function openStep(suite: RatchetSuite, state: RatchetState, message: Uint8Array, input: OpenInput): Opened {
  const header = suite.readHeader(message)
  if (header === undefined || !isCanonicalKey(header.key)) return refused
  const known = state.receiving.find(({ remote }) => fastEqual(remote, header.key))
  if (known !== undefined) return openInChain(suite, state as ActiveRatchet, known, header, message, input)
  const turned = turnBoth(suite, state, header, input)
  if (turned === undefined) return refused
  const result = openInChain(suite, turned.state, turned.state.receiving.at(-1)!, header, message, input)
  return result.kind === 'opened' ? { ...result, consumed: [...turned.consumed, ...result.consumed] } : result
}

function openInChain(
  suite: RatchetSuite,
  state: ActiveRatchet,
  chain: ReceivingChain,
  header: RatchetHeader,
  message: Uint8Array,
  { now, random }: OpenInput,
): Opened {
  const found = header.number < chain.next ? takeKept(chain, header.number) : advance(suite, chain, header.number, now)
  if (found === undefined) return header.number < chain.next ? used : refused
  const plaintext = suite.open(found.key, message, state.receiveContext)
  if (plaintext === undefined) return refused
  const receiving = state.receiving.map((each) => (each === chain ? found.chain : each))
  const forgotten = forget(receiving, now)
  const healed = heard(state.healing, header.part, random)
  const isNew = healed.healing?.number !== state.healing?.number
  const sending = isNew ? { ...state.sending, told: false } : state.sending
  const consumed = [...found.consumed, ...forgotten.consumed, ...healed.consumed]
  const next = { ...state, receiving: forgotten.receiving, sending, healing: counted(healed.healing) }
  return { kind: 'opened', state: next, plaintext, consumed }
}

interface FoundKey {
  readonly chain: ReceivingChain
  readonly key: Uint8Array
  readonly consumed: readonly Uint8Array[]
}

function takeKept(chain: ReceivingChain, number: number): FoundKey | undefined {
  const entry = chain.kept.find((each) => each.number === number)
  if (entry === undefined) return undefined
  const kept = chain.kept.filter((each) => each !== entry)
  return { chain: { ...chain, kept }, key: entry.key, consumed: [entry.key] }
}

/** Steps an open chain up to message `number`, keeping the keys on the way. undefined beyond the limit. */
function advance(suite: RatchetSuite, chain: ReceivingChain, number: number, now: Millis): FoundKey | undefined {
  const skipped = skipTo(suite, chain, number, now)
  if (skipped?.chain.chain === undefined) return undefined
  const step = suite.nextMessage(skipped.chain.chain)
  const next = { ...skipped.chain, chain: step.chain, next: number + 1 }
  return { chain: next, key: step.message, consumed: [...skipped.consumed, skipped.chain.chain, step.message] }
}

interface Skipped {
  readonly chain: ReceivingChain
  readonly consumed: readonly Uint8Array[]
}

/** Keeps the keys of all messages below `number`. undefined for a closed chain, and beyond the limit. */
function skipTo(suite: RatchetSuite, chain: ReceivingChain, number: number, now: Millis): Skipped | undefined {
  if (chain.chain === undefined || number - chain.next > ChatLimits.chainJump) return undefined
  const kept = [...chain.kept]
  const consumed: Uint8Array[] = []
  let key = chain.chain
  for (let at = chain.next; at < number; at++) {
    const step = suite.nextMessage(key)
    consumed.push(key)
    kept.push({ number: at, key: step.message, since: now })
    key = step.chain
  }
  const same = kept.length === chain.kept.length
  return {
    chain: { ...chain, chain: key, next: Math.max(number, chain.next), kept: same ? chain.kept : kept },
    consumed,
  }
}

interface Turned {
  readonly state: ActiveRatchet
  readonly consumed: readonly Uint8Array[]
}

/** Their message brings a new ratchet key: close their last chain, then agree twice, with our old key and a fresh one. */
function turnBoth(
  suite: RatchetSuite,
  state: RatchetState,
  header: RatchetHeader,
  { random, now }: OpenInput,
): Turned | undefined {
  const closed = closeLast(suite, state.receiving, header.previous, now)
  const mixed = header.mixed ? mixedByThem(state.healing) : { healing: state.healing, mix: undefined, consumed: [] }
  const theirs = closed && mixed && turn(suite, state.root, state.own, header.key, mixed.mix)
  if (closed === undefined || mixed === undefined || theirs === undefined) return undefined
  const own = keyPair(random(32))
  const answered = heard(mixed.healing, header.part, random)
  const healed = turning(answered.healing, now, random)
  const ours = turn(suite, theirs.root, own, header.key, healed.mix)
  if (ours === undefined) return undefined
  const opened: ReceivingChain = { remote: header.key, chain: theirs.chain, next: 0, kept: [] }
  const healing = [...mixed.consumed, ...answered.consumed, ...healed.consumed]
  const secrets = [state.root, theirs.root, state.own.secret, ...healing]
  return {
    state: {
      ...state,
      root: ours.root,
      own,
      sending: newChain(ours.chain, healed.mix.length > 0),
      previous: state.sending?.next ?? 0,
      receiving: [...closed.receiving, opened],
      healing: healed.healing,
    },
    consumed: [...secrets, ...closed.consumed, ...(state.sending === undefined ? [] : [state.sending.chain])],
  }
}

interface Chains {
  readonly receiving: readonly ReceivingChain[]
  readonly consumed: readonly Uint8Array[]
}

function closeLast(
  suite: RatchetSuite,
  receiving: readonly ReceivingChain[],
  length: number,
  now: Millis,
): Chains | undefined {
  const last = receiving.at(-1)
  if (last?.chain === undefined) return { receiving, consumed: [] }
  const skipped = skipTo(suite, last, length, now)
  if (skipped === undefined) return undefined
  const closed = { ...skipped.chain, chain: undefined }
  return { receiving: [...receiving.slice(0, -1), closed], consumed: [...skipped.consumed, skipped.chain.chain!] }
}

function turn(
  suite: RatchetSuite,
  root: Uint8Array,
  own: KeyPair,
  remote: Uint8Array,
  mix?: Uint8Array,
): { root: Uint8Array; chain: Uint8Array } | undefined {
  const shared = isCanonicalKey(remote) ? x25519Agree(own.secret, remote) : undefined
  if (shared === undefined) return undefined
  return suite.nextRoot(root, mix === undefined || mix.length === 0 ? shared : concat(shared, mix))
}

/** Drops chains and kept keys beyond the limits, oldest first. */
export function forget(receiving: readonly ReceivingChain[], now: Millis): Chains {
  const isShort = receiving.length <= ChatLimits.receivingChains
  if (isShort && receiving.every(({ kept }) => kept.length === 0)) return { receiving, consumed: [] }
  const consumed: Uint8Array[] = []
  const chains = receiving.slice(-ChatLimits.receivingChains)
  for (const gone of receiving.slice(0, -ChatLimits.receivingChains)) consumed.push(...gone.kept.map(({ key }) => key))
  let excess = chains.reduce((sum, { kept }) => sum + kept.length, 0) - ChatLimits.keptKeys
  const forgotten = chains.map((chain) => {
    const kept = chain.kept.filter((entry) => {
      const stays = excess-- <= 0 && entry.since > now - ChatLimits.keptKeyMs
      if (!stays) consumed.push(entry.key)
      return stays
    })
    return kept.length === chain.kept.length ? chain : { ...chain, kept }
  })
  return { receiving: forgotten, consumed }
}
