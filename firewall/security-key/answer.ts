/** What the launcher tells the core of a security key: one JSON value on a descriptor, there before the core runs. */
import { readFileSync } from 'node:fs'
import { fromBase64url } from '#protocol/bytes.ts'
import { type ErrorCode, SottoError } from '#protocol/errors.ts'
import { EVENTS_FD } from '../options.ts'

/** The core's descriptor with the answer, where a key was asked: that of the events of a conversation, which is another command. */
export const KEY_FD: typeof EVENTS_FD = EVENTS_FD

export type KeyAnswer =
  /** Of a file that was to be made. */
  | { readonly text: string }
  /** 32 octets as base64url. */
  | { readonly secret: string }
  | { readonly code: ErrorCode; readonly what: string; readonly next: string }

/** The file that the security key has had made for it. @throws SottoError as `answered` */
export function madeKeyFile(): string {
  const answer = answered()
  if ('text' in answer) return answer.text
  throw unasked()
}

/** 32 octets. @throws SottoError as `answered` */
export function keySecret(): Uint8Array {
  const answer = answered()
  const secret = 'secret' in answer ? fromBase64url(answer.secret) : undefined
  if (secret === undefined) throw unasked()
  return secret
}

/** @throws SottoError what went wrong with the key; E_BACKUP_DONGLE where none was asked, since a file was exchanged meanwhile */
function answered(): Exclude<KeyAnswer, { code: ErrorCode }> {
  let answer: KeyAnswer
  try {
    answer = JSON.parse(readFileSync(KEY_FD, 'utf8')) as KeyAnswer
  } catch {
    throw unasked()
  }
  if ('code' in answer) throw new SottoError(answer.code, answer.what, { next: answer.next })
  return answer
}

const unasked = (): SottoError => new SottoError('E_BACKUP_DONGLE', 'No security key was asked for its secret.')
