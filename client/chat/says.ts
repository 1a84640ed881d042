/**
 * What can be said beside a plain text, and what can be done to what was said. Bodies:
 *
 *     said       flags 1 || [id 16: answers it] || [seconds 4: disappears] || text     flags: 1 answers, 2 disappears
 *     edit       id 16 || text                  of one's own message
 *     withdraw   id 16                          of one's own message
 *     reaction   id 16 || symbol                one symbol, or nothing to take it back
 *     timer      seconds 4                      what both say from now on disappears so long after it was read; 0: it stays
 */
import { concat, empty, fromUtf8, u32, utf8 } from '#protocol/bytes.ts'
import { decodeText } from './bodies.ts'
import { MESSAGE_ID_LENGTH } from './envelope.ts'
import { ChatLimits } from './limits.ts'
import { Reader } from './reader.ts'

const Flag = { answers: 1, disappears: 2 } as const
const KNOWN = Flag.answers | Flag.disappears

export interface Said {
  readonly text: string
  /** Id of the message that it answers. */
  readonly answers?: Uint8Array
  /** Seconds, from reading on. */
  readonly timer?: number
}

export function encodeSaid({ text, answers, timer }: Said): Uint8Array {
  const flags = (answers === undefined ? 0 : Flag.answers) | (timer === undefined ? 0 : Flag.disappears)
  return concat(Uint8Array.of(flags), answers ?? empty, timer === undefined ? empty : u32(timer), utf8(text))
}

export function decodeSaid(body: Uint8Array): Said | undefined {
  const reader = new Reader(body)
  const flags = reader.u8()
  const answers = (flags & Flag.answers) === 0 ? {} : { answers: reader.take(MESSAGE_ID_LENGTH) }
  const timer = (flags & Flag.disappears) === 0 ? {} : { timer: reader.u32() }
  const text = decodeText(reader.rest())
  if (text === undefined || (flags & ~KNOWN) !== 0 || (timer.timer !== undefined && !isTimer(timer.timer)))
    return undefined
  return timer.timer === 0 ? undefined : { text, ...answers, ...timer }
}

/** Something done to a message. An edit has a text, a reaction a symbol. */
export interface Change {
  readonly kind: 'edit' | 'withdraw' | 'reaction'
  readonly target: Uint8Array
  /** Empty for a withdrawal, and for a reaction that is taken back. */
  readonly text: string
}

export function encodeChange({ target, text }: Change): Uint8Array {
  return concat(target, utf8(text))
}

export function decodeChange(kind: Change['kind'], body: Uint8Array): Change | undefined {
  const [target, rest] = [body.slice(0, MESSAGE_ID_LENGTH), body.subarray(MESSAGE_ID_LENGTH)]
  if (target.length < MESSAGE_ID_LENGTH) return undefined
  if (kind === 'edit') {
    const text = decodeText(rest)
    return text === undefined ? undefined : { kind, target, text }
  }
  const text = fromUtf8(rest)
  const isFine = kind === 'withdraw' ? text === '' : text !== undefined && isSymbol(text)
  return isFine ? { kind, target, text: text! } : undefined
}

/** Made when it is first used: it takes longer than anything else that is loaded. */
let segmenter: Intl.Segmenter | undefined
const unseen = /^[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\p{Cn}]*$/u

/** One character as a person sees it, or none. */
export function isSymbol(text: string): boolean {
  if (text === '') return true
  if (utf8(text).length > ChatLimits.symbolBytes || unseen.test(text)) return false
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return [...segmenter.segment(text)].length === 1
}

export const encodeTimer = (seconds: number): Uint8Array => u32(seconds)

export function decodeTimer(body: Uint8Array): number | undefined {
  const reader = new Reader(body)
  const seconds = reader.u32()
  return reader.end() && isTimer(seconds) ? seconds : undefined
}

export const isTimer = (seconds: number): boolean =>
  Number.isInteger(seconds) && seconds >= 0 && seconds <= ChatLimits.timerSeconds
