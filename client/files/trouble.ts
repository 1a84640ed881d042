/** What a transfer does about what went wrong. */
import { type ErrorCode, isSottoError, SottoError } from '#protocol/errors.ts'

/** Ends it; tries again later; tries later, and another of their gateways first; begins anew under another id. */
export type Remedy = 'fail' | 'wait' | 'elsewhere' | 'anew'

export interface Trouble {
  readonly remedy: Remedy
  /** Why, for the person; undefined where only the network is to blame. */
  readonly code: ErrorCode | undefined
}

/** What a gateway's refusal means for a file of ours. */
const ofPut: Readonly<Record<string, Trouble>> = {
  // The queue has been replaced, or the blob expired before it was whole.
  unknown: { remedy: 'elsewhere', code: undefined },
  exists: { remedy: 'anew', code: undefined },
  full: { remedy: 'elsewhere', code: 'E_FILE_ROOM' },
  unavailable: { remedy: 'elsewhere', code: 'E_FILE_ROOM' },
  policy: { remedy: 'elsewhere', code: 'E_FILE_UNSUPPORTED' },
  'unknown-method': { remedy: 'elsewhere', code: 'E_FILE_UNSUPPORTED' },
}

/** And for one of theirs. */
const ofGet: Readonly<Record<string, Trouble>> = {
  unknown: { remedy: 'fail', code: 'E_FILE_GONE' },
  missing: { remedy: 'fail', code: 'E_FILE_GONE' },
  invalid: { remedy: 'fail', code: 'E_FILE_GONE' },
  'unknown-method': { remedy: 'fail', code: 'E_FILE_UNSUPPORTED' },
}

const final: ReadonlySet<ErrorCode> = new Set([
  ...(['E_FILE_DAMAGED', 'E_FILE_GONE', 'E_CHAT_BLOCKED', 'E_CHAT_CONTACT', 'E_STATE_UNREADABLE'] as const),
])

export function troubleOf(error: unknown, way: 'out' | 'in'): Trouble {
  const reason = error instanceof Error && 'reason' in error ? String(error.reason) : ''
  const known = way === 'out' ? ofPut : ofGet
  if (Object.hasOwn(known, reason)) return known[reason]!
  const remedy = way === 'out' && reason !== '' ? 'elsewhere' : 'wait'
  if (!isSottoError(error)) return { remedy, code: undefined }
  if (final.has(error.code)) return { remedy: 'fail', code: error.code }
  return { remedy, code: error.code }
}

export const damaged = (name: string): SottoError =>
  new SottoError('E_FILE_DAMAGED', `What came of ${name} is not what was sent.`, { kept: 'Nothing of it is shown.' })

export const gone = (name: string): SottoError =>
  new SottoError('E_FILE_GONE', `${name} is not at the gateway any more.`)
