/** A backup in whatever form it was kept: letters, parts, or pictures of parts; each text may come with lines around it. */
import { fromUtf8 } from '#protocol/bytes.ts'
import { isSottoError, SottoError } from '#protocol/errors.ts'
import { isPng, readCodeImage } from './codes.ts'
import { malformed } from './container.ts'
import { fromLetters, toLetters } from './letters.ts'
import { fromParts, isPart } from './parts.ts'

/** The file that is kept: letters between lines that tell a stranger nothing but what it is. */
export function backupFile(container: Uint8Array): string {
  return `# Backup of an identity of Sotto. To read it: sotto identity restore --file FILE\n${toLetters(container)}\n`
}

/**
 * The container, from files or typed text. `names` of the files, so that a person knows which one is meant.
 * @throws SottoError E_BACKUP_FORMAT, E_BACKUP_PARTS
 */
export async function readBackup(sources: readonly Uint8Array[], names: readonly string[] = []): Promise<Uint8Array> {
  const texts = sources.map((source, i) => named(names[i], () => (isPng(source) ? partOf(source) : textOf(source))))
  const lines = texts.flatMap((text) => text.split(/\r?\n/)).filter((line) => !/^\s*(#|$)/.test(line))
  if (lines.length === 0) throw malformed('it is empty')
  if (lines.every(isPart)) return await fromParts(lines)
  if (lines.some(isPart)) throw malformed('there are parts of one, and something else beside them')
  return fromLetters(lines.join(''))
}

function partOf(picture: Uint8Array): string {
  const text = readCodeImage(picture)
  if (!isPart(text)) throw malformed('the code in the picture is of something else')
  return text
}

function textOf(bytes: Uint8Array): string {
  const text = bytes.length > 65_536 ? undefined : fromUtf8(bytes)
  if (text === undefined) throw malformed('a file is neither text nor a PNG picture')
  return text
}

function named<T>(name: string | undefined, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (name === undefined || !isSottoError(error)) throw error
    throw new SottoError(error.code, `${name}: ${error.message}`, { next: error.next })
  }
}
