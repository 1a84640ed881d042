/** Turns what the file system and LMDB report into errors that a person can act on. */
import { SottoError } from '#protocol/errors.ts'

const full: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 28, 122, 27])

/** Octets or errno of a failed system call, LMDB's own numbers included. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/**
 * E_DISK_FULL where there is no room, E_STATE_UNREADABLE for everything else that reading or writing state can meet.
 * @param doing what was under way, for example `write the store`
 */
export function stateFault(error: unknown, doing: string): SottoError {
  if (error instanceof SottoError) return error
  if (full.has(codeOf(error))) return diskFull(doing, error)
  const reason = error instanceof Error ? error.message : String(error)
  return new SottoError('E_STATE_UNREADABLE', `Could not ${doing}: ${reason}`, { cause: error })
}

export function diskFull(doing: string, cause?: unknown): SottoError {
  const kept = 'Everything stored before is kept.'
  return new SottoError('E_DISK_FULL', `Could not ${doing}: no space is left.`, { kept, cause })
}

/** For state that is damaged, incomplete or not ours. Nothing has been written when this is thrown. */
export function unreadable(what: string, cause?: unknown): SottoError {
  return new SottoError('E_STATE_UNREADABLE', what, { kept: 'Nothing was changed.', cause })
}

/** The error of a commit that LMDB could not make: the cause comes in a second promise. */
export async function commitFault(error: unknown): Promise<SottoError> {
  const cause: unknown =
    error instanceof Error && 'commitError' in error
      ? await Promise.resolve(error.commitError).catch((reason: unknown) => reason)
      : error
  return stateFault(cause, 'write the store')
}
