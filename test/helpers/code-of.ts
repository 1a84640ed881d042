/** Which error something ends with. */
import { isSottoError } from '#protocol/errors.ts'

/** The code of a SottoError that `work` throws; `no error`; of another error its text. */
export function codeOf(work: () => unknown): string {
  try {
    work()
    return 'no error'
  } catch (error) {
    return isSottoError(error) ? error.code : String(error)
  }
}
