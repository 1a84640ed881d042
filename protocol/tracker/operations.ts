/**
 * What is asked of a tracker, and what it answers. Spec section 16.6.
 *
 *     lookup    1 || 1 to 32 times: key 16 || seq 4                    what is known already; 0: nothing
 *     publish   2 || record 512 || proof
 *     question  3 || key 16 || zeros 144                               as long as a lookup of eight keys
 *     pose      4 || question 256
 *     proof     0 | 1 || nonce 8 | 2 || old blinded key 32 || signature 64
 *
 *     answer    0 || body | 1 || seconds 2 | one of the other refusals
 *     body      of a lookup, for each key: 0 (none) | 1 (as known) | 2 || record 512; of a question: question 256 || zeros 264,
 *               as long as of eight keys with one record; else empty
 *
 * The gateway on the way shall not tell by its length who asks a stranger's question from who looks for friends.
 * The signature of a proof is by the key of the week before, over "sotto/1/tracker/replaces" || record: the new record takes
 * the place of the old one.
 */
import { concat, readU16, readU32, u16, u32, utf8 } from '../bytes.ts'
import { TrackerLimits } from './limits.ts'
import { QUESTION_LENGTH } from './question.ts'
import { RECORD_KEY_LENGTH, RECORD_LENGTH } from './record.ts'
import { WORK_LENGTH } from './work.ts'

const KEY_LENGTH = 32
const SIGNATURE_LENGTH = 64
const ID_LENGTH = RECORD_KEY_LENGTH + 4
/** Keys of the shortest lookup that people send. */
const FEWEST_KEYS = 8
const ASKED_LENGTH = FEWEST_KEYS * ID_LENGTH
const SHOWN_LENGTH = RECORD_LENGTH + FEWEST_KEYS

export interface Wanted {
  /** 16 octets. */
  readonly key: Uint8Array
  /** The record with this seq is known; 0: none. */
  readonly seq: number
}

export type Proof =
  | { readonly kind: 'none' }
  | { readonly kind: 'work'; readonly nonce: Uint8Array }
  | { readonly kind: 'replaces'; readonly key: Uint8Array; readonly signature: Uint8Array }

export type TrackerRequest =
  | { readonly kind: 'lookup'; readonly wanted: readonly Wanted[] }
  | { readonly kind: 'publish'; readonly record: Uint8Array; readonly proof: Proof }
  | { readonly kind: 'question'; readonly key: Uint8Array }
  | { readonly kind: 'pose'; readonly question: Uint8Array }

/**
 * busy: too much from this network; again after so many seconds. stale: a record with this seq or a higher one is there.
 * late: the lease is over, too long, or of another week. work: new keys need work, or the old one is not there.
 * unknown: there is no such question, or no record that a question could stand beside.
 */
export const refusals = ['busy', 'invalid', 'stale', 'late', 'work', 'full', 'unavailable', 'unknown'] as const
export type Refusal = (typeof refusals)[number]

export type TrackerAnswer =
  | { readonly kind: 'done'; readonly body: Uint8Array }
  | { readonly kind: 'refused'; readonly why: Refusal; readonly seconds: number }

export const replacesText = (record: Uint8Array): Uint8Array => concat(utf8('sotto/1/tracker/replaces'), record)

export function encodeRequest(request: TrackerRequest): Uint8Array {
  switch (request.kind) {
    case 'lookup':
      return concat(Uint8Array.of(1), ...request.wanted.map(({ key, seq }) => concat(key, u32(seq))))
    case 'publish':
      return concat(Uint8Array.of(2), request.record, encodeProof(request.proof))
    case 'question':
      return concat(Uint8Array.of(3), request.key, new Uint8Array(ASKED_LENGTH - RECORD_KEY_LENGTH))
    case 'pose':
      return concat(Uint8Array.of(4), request.question)
  }
}

function encodeProof(proof: Proof): Uint8Array {
  if (proof.kind === 'none') return Uint8Array.of(0)
  if (proof.kind === 'work') return concat(Uint8Array.of(1), proof.nonce)
  return concat(Uint8Array.of(2), proof.key, proof.signature)
}

/** undefined for anything that `encodeRequest` does not make within the limits. */
export function readRequest(bytes: Uint8Array): TrackerRequest | undefined {
  const body = bytes.slice(1)
  switch (bytes[0]) {
    case 1:
      return readLookup(body)
    case 2:
      return readPublish(body)
    case 3:
      return readAsked(body)
    case 4:
      return body.length === QUESTION_LENGTH ? { kind: 'pose', question: body } : undefined
    default:
      return undefined
  }
}

function readLookup(body: Uint8Array): TrackerRequest | undefined {
  const count = body.length / ID_LENGTH
  if (!Number.isInteger(count) || count < 1 || count > TrackerLimits.idsPerQuery) return undefined
  const wanted = Array.from({ length: count }, (_, i): Wanted => {
    const at = i * ID_LENGTH
    return { key: body.slice(at, at + RECORD_KEY_LENGTH), seq: readU32(body, at + RECORD_KEY_LENGTH) }
  })
  return { kind: 'lookup', wanted }
}

function readAsked(body: Uint8Array): TrackerRequest | undefined {
  if (body.length !== ASKED_LENGTH || !areZeros(body.subarray(RECORD_KEY_LENGTH))) return undefined
  return { kind: 'question', key: body.slice(0, RECORD_KEY_LENGTH) }
}

const areZeros = (bytes: Uint8Array): boolean => bytes.every((octet) => octet === 0)

function readPublish(body: Uint8Array): TrackerRequest | undefined {
  const [record, proof] = [body.slice(0, RECORD_LENGTH), body.slice(RECORD_LENGTH)]
  const rest = proof.slice(1)
  if (proof[0] === 0 && rest.length === 0) return { kind: 'publish', record, proof: { kind: 'none' } }
  if (proof[0] === 1 && rest.length === WORK_LENGTH)
    return { kind: 'publish', record, proof: { kind: 'work', nonce: rest } }
  if (proof[0] !== 2 || rest.length !== KEY_LENGTH + SIGNATURE_LENGTH) return undefined
  const [key, signature] = [rest.slice(0, KEY_LENGTH), rest.slice(KEY_LENGTH)]
  return { kind: 'publish', record, proof: { kind: 'replaces', key, signature } }
}

export function encodeAnswer(answer: TrackerAnswer): Uint8Array {
  if (answer.kind === 'done') return concat(Uint8Array.of(0), answer.body)
  const code = Uint8Array.of(1 + refusals.indexOf(answer.why))
  return answer.why === 'busy' ? concat(code, u16(Math.min(answer.seconds, 0xffff))) : code
}

export function readAnswer(bytes: Uint8Array): TrackerAnswer | undefined {
  const [code] = bytes
  if (code === undefined) return undefined
  if (code === 0) return { kind: 'done', body: bytes.slice(1) }
  const why = refusals[code - 1]
  if (why === undefined || bytes.length !== (why === 'busy' ? 3 : 1)) return undefined
  return { kind: 'refused', why, seconds: why === 'busy' ? readU16(bytes, 1) : 0 }
}

/** The body of an answer that shows a question. */
export function encodeShown(question: Uint8Array): Uint8Array {
  return concat(question, new Uint8Array(SHOWN_LENGTH - QUESTION_LENGTH))
}

/** undefined where it is no such body. What it holds was not checked. */
export function readShown(body: Uint8Array): Uint8Array | undefined {
  const isShown = body.length === SHOWN_LENGTH && areZeros(body.subarray(QUESTION_LENGTH))
  return isShown ? body.slice(0, QUESTION_LENGTH) : undefined
}

/** What became of one key of a lookup. */
export type Found = 'none' | 'known' | Uint8Array

export function encodeFound(found: readonly Found[]): Uint8Array {
  const one = (each: Found): Uint8Array =>
    each === 'none' || each === 'known' ? Uint8Array.of(each === 'none' ? 0 : 1) : concat(Uint8Array.of(2), each)
  return concat(...found.map(one))
}

/** undefined where it is not the answer for `count` keys. */
export function readFound(body: Uint8Array, count: number): Found[] | undefined {
  const found: Found[] = []
  let at = 0
  while (found.length < count) {
    const code = body[at++]
    if (code === 0) found.push('none')
    else if (code === 1) found.push('known')
    else if (code === 2 && at + RECORD_LENGTH <= body.length) {
      found.push(body.slice(at, at + RECORD_LENGTH))
      at += RECORD_LENGTH
    } else return undefined
  }
  return at === body.length ? found : undefined
}
