/** Gives a file that is whole under another name beside it the name that it is to have. */
import { closeSync, linkSync, openSync, renameSync } from 'node:fs'

/** A stick may know no links. */
const noLinks: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** False where the name is taken: nothing is ever replaced. The draft may be there still. */
export function placed(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (noLinks.has(code)) return renamed(draft, path)
    throw error
  }
}

/** A rename replaces what it finds: the name is taken first, by an empty file. */
function renamed(draft: string, path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  renameSync(draft, path)
  return true
}
