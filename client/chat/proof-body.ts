/**
 * What two people send to find out whether both know the same secret, and nothing else. Bodies of the type `proof`:
 *
 *     ask       1 || question, UTF-8                       who answers it is accepted
 *     open      2 || kind 1 || run 16 || share 32          kind: 1 a check between two contacts, 2 a password, 3 an answer
 *     share     3 || run 16 || share 32 || tag 32
 *     close     4 || run 16 || tag 32                      the secrets are equal
 *     end       5 || run 16 || why 1                       why: 1 they differ, 2 there is none here, 3 no attempt is left, 4 not now
 *
 * The one who opens is the first of the two in proof-run.ts.
 */
import { concat, fromUtf8, utf8 } from '#protocol/bytes.ts'
import { ChatLimits } from './limits.ts'
import { Reader } from './reader.ts'

/** What the secret is: one that two contacts have agreed on, the password of the one who is asked, an answer to their question. */
export const proofKinds = ['check', 'password', 'answer'] as const
export type ProofKind = (typeof proofKinds)[number]

/** different: the secrets are not equal. none: nobody has set one there. limit: no attempt is left. declined: not now. */
export const endings = ['different', 'none', 'limit', 'declined'] as const
export type Ending = (typeof endings)[number]

export type ProofStep =
  | { readonly step: 'ask'; readonly question: string }
  | { readonly step: 'open'; readonly kind: ProofKind; readonly run: Uint8Array; readonly share: Uint8Array }
  | { readonly step: 'share'; readonly run: Uint8Array; readonly share: Uint8Array; readonly tag: Uint8Array }
  | { readonly step: 'close'; readonly run: Uint8Array; readonly tag: Uint8Array }
  | { readonly step: 'end'; readonly run: Uint8Array; readonly why: Ending }

export const RUN_LENGTH = 16
const SHARE_LENGTH = 32
const TAG_LENGTH = 32

export function encodeProof(step: ProofStep): Uint8Array {
  switch (step.step) {
    case 'ask':
      return concat(Uint8Array.of(1), utf8(step.question))
    case 'open':
      return concat(Uint8Array.of(2, 1 + proofKinds.indexOf(step.kind)), step.run, step.share)
    case 'share':
      return concat(Uint8Array.of(3), step.run, step.share, step.tag)
    case 'close':
      return concat(Uint8Array.of(4), step.run, step.tag)
    case 'end':
      return concat(Uint8Array.of(5), step.run, Uint8Array.of(1 + endings.indexOf(step.why)))
  }
}

/** undefined for anything that `encodeProof` does not make within the limits. */
export function decodeProof(body: Uint8Array): ProofStep | undefined {
  const reader = new Reader(body)
  const step = read(reader)
  return reader.end() ? step : undefined
}

function read(reader: Reader): ProofStep | undefined {
  switch (reader.u8()) {
    case 1: {
      const text = reader.rest()
      const question = fromUtf8(text)
      return question !== undefined && isQuestion(question) ? { step: 'ask', question } : undefined
    }
    case 2: {
      const kind = proofKinds[reader.u8() - 1]
      const [run, share] = [reader.take(RUN_LENGTH), reader.take(SHARE_LENGTH)]
      return kind && { step: 'open', kind, run, share }
    }
    case 3:
      return {
        step: 'share',
        run: reader.take(RUN_LENGTH),
        share: reader.take(SHARE_LENGTH),
        tag: reader.take(TAG_LENGTH),
      }
    case 4:
      return { step: 'close', run: reader.take(RUN_LENGTH), tag: reader.take(TAG_LENGTH) }
    case 5: {
      const run = reader.take(RUN_LENGTH)
      const why = endings[reader.u8() - 1]
      return why && { step: 'end', run, why }
    }
    default:
      return undefined
  }
}

/** One line that a person can read. */
export function isQuestion(text: string): boolean {
  const { length } = utf8(text)
  return length >= 1 && length <= ChatLimits.questionBytes && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) && /\S/u.test(text)
}
