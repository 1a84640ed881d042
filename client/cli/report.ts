/** The rules of everything the command line prints: results on stdout, everything else on stderr, `--json` one line. */
import { isSottoError } from '#protocol/errors.ts'

export interface Output {
  /** Where `json`: the value as one line of JSON; otherwise the text. `written` is called once the reader has it. */
  result(value: unknown, text: string, written?: () => void): void
  /** For the person, never for scripts. */
  note(text: string): void
}

export function createOutput(json: boolean, out: NodeJS.WritableStream, err: NodeJS.WritableStream): Output {
  return {
    result: (value, text, written) => {
      out.write(`${json ? JSON.stringify(value) : text}\n`, (error) => {
        if (!error) written?.()
      })
    },
    note: (text) => {
      if (!json) err.write(`${text}\n`)
    },
  }
}

/** As the command's options say. */
export function outputFor(
  { json }: { readonly json?: boolean },
  { stdout, stderr }: Readonly<Record<'stdout' | 'stderr', NodeJS.WritableStream>>,
): Output {
  return createOutput(json === true, stdout, stderr)
}

/**
 * Whoever reads our output may leave first (`sotto recv | head -1`): then there is nothing more to do, and no complaint.
 * What was stored is stored; what was not read stays unread.
 */
export function endWithReader(out: NodeJS.WritableStream, err: NodeJS.WritableStream, end: () => void): void {
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') err.write(`E_FILE: the output cannot be written (${error.code})\n`)
    end()
  })
  // Nobody is left to be told.
  err.on('error', () => {})
}

/** An error for a person: what happened, what was kept, what to do next. For scripts: the same as one line of JSON. */
export function formatError(error: unknown, json: boolean): string {
  if (!isSottoError(error)) {
    const what = error instanceof Error ? error.message : String(error)
    return json
      ? JSON.stringify({ error: { code: 'E_INTERNAL', what } })
      : `E_INTERNAL: ${what}\n  This is a bug in Sotto. Report it with the code and what you did.`
  }
  const { code, message: what, kept, next } = error
  if (json) return JSON.stringify({ error: { code, what, kept, next } })
  return [`${code}: ${what}`, ...(kept === undefined ? [] : [`  ${kept}`]), `  ${next}`].join('\n')
}

/** 2: the command was wrong. 3: the state or configuration is. 4: the network or gateway. 1: anything else. */
export function exitStatus(error: unknown): number {
  if (!isSottoError(error)) return 1
  if (/^E_(USAGE$|SECRET_IN_ARGV$|INVITE|CARD|BACKUP|FIDO|ANSWER|PERSON_ID$)/.test(error.code)) return 2
  if (
    error.code.startsWith('E_STATE') ||
    ['E_CONFIG', 'E_DISK_FULL', 'E_FILE', 'E_FILE_FOLDER', 'E_IDENTITY_EXISTS'].includes(error.code)
  )
    return 3
  if (/^E_(PATH|PROXY|BROWSER|NET|TUNNEL|NOT_RECOGNISED|REVOKED|FIREWALL|MAILBOX|TRACKER)/.test(error.code)) return 4
  return 1
}
