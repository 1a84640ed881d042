/** The questions of a guard, as people type them and their answers: read, weighed, and tried. */
import { normalised } from '#client/chat/proof-secret.ts'
import { utf8, wipe } from '#protocol/bytes.ts'
import type { Argon2Cost } from '#protocol/crypto/argon2id.ts'
import { SottoError } from '#protocol/errors.ts'
import { openLock } from '#protocol/tracker/lock.ts'
import { QUESTION_TEXT_LENGTH, type Question } from '#protocol/tracker/question.ts'
import { guessBits } from './strength.ts'

/** Questions of one person. */
const QUESTIONS_MOST = 3
/** Bits that answers have at least by estimate: 2^30 guesses of two seconds and 256 MiB are 68 years of a core. */
export const ANSWER_BITS = 30
/** Octets of all answers. Attack: none; nobody answers at such length, and what is pasted by mistake is found out. */
const ANSWERS_BYTES = 1_024

/** Octets that neither a line nor a terminal takes well. */
const unwanted = /[\p{C}\p{Zl}\p{Zp}]/u

/** One of a text as it is at trackers; empty where it is none that `questionText` makes, whoever has made it. */
export function questionsOf(text: string): readonly string[] {
  const lines = text.split('\n')
  return lines.length <= QUESTIONS_MOST && lines.every(isLine) ? lines : []
}

const isLine = (line: string): boolean => line !== '' && line.trim() === line && !unwanted.test(line)

/** @throws SottoError E_PROOF_SECRET */
export function questionText(questions: readonly string[]): string {
  const text = questions.map((question) => question.normalize('NFC').trim()).join('\n')
  const octets = utf8(text).length
  if (questionsOf(text).length === 0) {
    const what = `One to ${QUESTIONS_MOST} questions, each of one line, can be asked.`
    throw new SottoError('E_PROOF_SECRET', what)
  }
  if (octets <= QUESTION_TEXT_LENGTH) return text
  const room = `There is room for ${QUESTION_TEXT_LENGTH} octets (letters of other scripts have two or three)`
  throw new SottoError('E_PROOF_SECRET', `The questions have ${octets} octets. ${room}.`)
}

/**
 * Answers as the lock takes them, and how many bits they are worth.
 * @throws SottoError E_PROOF_SECRET where there are too many or too few, or too much of them
 */
export function readAnswers(text: string, answers: readonly string[]): { octets: Uint8Array; bits: number } {
  const [questions, typed] = [questionsOf(text), answers.map(normalised)]
  if (typed.length !== questions.length || typed.includes(''))
    throw new SottoError('E_PROOF_SECRET', 'Every question wants an answer.')
  const octets = utf8(typed.join('\n'))
  if (octets.length > ANSWERS_BYTES)
    throw new SottoError('E_PROOF_SECRET', `The answers have more than ${ANSWERS_BYTES} octets.`)
  return { octets, bits: guessBits(typed, normalised(text)) }
}

/** @throws SottoError E_ANSWER_WEAK */
export function requireStrong(bits: number): void {
  if (bits >= ANSWER_BITS) return
  const what = `By estimate the answers are worth ${bits} bits, and ${ANSWER_BITS} are the least.`
  throw new SottoError('E_ANSWER_WEAK', `${what} Who has your id could guess them at home.`)
}

/** The contact key. Blocks for two seconds. @throws SottoError E_ANSWER_WRONG, E_PROOF_SECRET */
export function tryAnswers(question: Question, answers: readonly string[], cost: Argon2Cost): Uint8Array {
  const { octets } = readAnswers(question.text, answers)
  const key = openLock(question, octets, cost)
  wipe(octets)
  if (key !== undefined) return key
  throw new SottoError('E_ANSWER_WRONG', 'These are not the answers. They were not told; nothing was sent to them.')
}
