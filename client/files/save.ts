/**
 * Where a file that has come is put for the person: under a name that is free, 0600, whole or not at all. It is written
 * under another name first, and nothing is ever replaced.
 */
import { closeSync, constants, existsSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { numberedName } from '#client/chat/files/file-name.ts'
import { draftIn, draftOf } from '#firewall/file-grants.ts'
import { SottoError } from '#protocol/errors.ts'
import { placed } from './placed.ts'

/** Names that are tried. */
const NUMBERS = 1_000

export interface Where {
  readonly folder: string
  /** The core's folder: no other process has a draft of the same name. */
  readonly core: string
}

/** In a folder, under its name or with a number. @returns its path. @throws SottoError E_FILE, E_DISK_FULL; what `content` throws */
export async function saveInto(
  { folder, core }: Where,
  name: string,
  content: AsyncIterable<Uint8Array>,
): Promise<string> {
  const draft = draftIn(folder, core)
  return await written(draft, content, () => {
    for (let number = 1; number <= NUMBERS; number++) {
      const path = join(folder, numberedName(name, number))
      if (placed(draft, path)) return path
    }
    throw new SottoError('E_FILE', `There are too many files called ${name} in ${folder}.`)
  })
}

/** Under a path that the person has named. @throws as `saveInto`; E_FILE where it is taken */
export async function saveAs(
  { path, core }: Pick<Where, 'core'> & { readonly path: string },
  content: AsyncIterable<Uint8Array>,
): Promise<string> {
  const taken = (): SottoError => new SottoError('E_FILE', `${path} is there already.`, { kept: 'It was left alone.' })
  if (existsSync(path)) throw taken()
  const draft = draftOf(path, core)
  return await written(draft, content, () => {
    if (!placed(draft, path)) throw taken()
    return path
  })
}

/** By draft, the last one that is written there: two at once would put the content of one under the name of the other. */
const writing = new Map<string, Promise<unknown>>()

async function written(draft: string, content: AsyncIterable<Uint8Array>, place: () => string): Promise<string> {
  const before = writing.get(draft) ?? Promise.resolve()
  const own = before.then(() => writtenAlone(draft, content, place))
  const over = own.catch(() => {})
  writing.set(draft, over)
  try {
    return await own
  } finally {
    if (writing.get(draft) === over) writing.delete(draft)
  }
}

async function writtenAlone(draft: string, content: AsyncIterable<Uint8Array>, place: () => string): Promise<string> {
  // Of an earlier try that was cut short.
  tidied(draft)
  try {
    await write(draft, content)
    return place()
  } catch (error) {
    throw told(error, draft)
  } finally {
    tidied(draft)
  }
}

async function write(draft: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const file = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    for await (const part of content) {
      for (let at = 0; at < part.length; ) at += writeSync(file, part, at)
    }
  } finally {
    closeSync(file)
  }
}

function tidied(draft: string): void {
  try {
    unlinkSync(draft)
  } catch {
    // It is not there.
  }
}

function told(error: unknown, draft: string): unknown {
  if (error instanceof SottoError) return error
  const { code } = error as NodeJS.ErrnoException
  const folder = draft.slice(0, draft.lastIndexOf('/') + 1)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new SottoError('E_DISK_FULL', `There is no space left in ${folder}.`, { kept: 'The file is kept, sealed.' })
  if (typeof code !== 'string') return error
  return new SottoError('E_FILE', `Nothing can be written in ${folder}: ${code}.`, {
    kept: 'The file is kept, sealed.',
  })
}
