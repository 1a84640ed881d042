/**
 * One error class for everything our own users and callers can meet. Match on `code`; the text may change.
 * Strangers on the network never see any of this: they get the decoy.
 */

/** Every code: who has to act, and what the person can do next. Kept equal to docs/errors.md by a test. */
export const errorCodes = {
  E_INTERNAL: 'A bug in Sotto. Report it with the code and what you did.',
  E_USAGE: 'Run the command with --help.',
  E_CONFIG: 'Correct the named field of the configuration file.',
  E_TEMPLATE: 'Correct the template at the named line, then load it again.',
  E_STATE_UNREADABLE: 'Check the owner and mode of the state folder, or restore it from a copy.',
  E_STATE_BUSY: 'Another Sotto process uses this state folder: close it, or name another with --state.',
  E_DISK_FULL: 'Free some space and try again.',
  E_PORT_TAKEN: 'Stop the program that listens there, or choose another port.',
} as const satisfies Record<string, string>

export type ErrorCode = keyof typeof errorCodes

export interface ErrorDetails {
  /** What was kept, so that the person knows nothing is lost. */
  readonly kept?: string
  /** Overrides the code's own advice. */
  readonly next?: string
  readonly cause?: unknown
}

export class SottoError extends Error {
  readonly code: ErrorCode
  readonly kept: string | undefined
  readonly next: string

  /** `what` says what happened, in words a person understands, with no secret in it. */
  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    super(what, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'SottoError'
    this.code = code
    this.kept = details.kept
    this.next = details.next ?? errorCodes[code]
  }
}

export function isSottoError(error: unknown, code?: ErrorCode): error is SottoError {
  return error instanceof SottoError && (code === undefined || error.code === code)
}
