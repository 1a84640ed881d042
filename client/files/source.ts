/** What is sent: a file that the person has named, and of a picture what it shows and nothing beside it. */
import { FileLimits } from '#client/chat/files/limits.ts'
import type { Picture } from '#client/chat/files/note.ts'
import { KIND_BYTES, pictureKind } from '#client/chat/pictures/kinds.ts'
import { SottoError } from '#protocol/errors.ts'
import { OpenFile } from './open-file.ts'
import { look, PICTURE_BYTES } from './pictures/look.ts'

export interface Source {
  /** Harmless. */
  readonly name: string
  /** Octets. */
  readonly size: number
  readonly picture?: Picture
  /** What it tells beside a picture was left out; `unseen`: nobody looked, since it is no picture that we know. */
  readonly metadata: 'none' | 'kept' | 'unseen'
  /** @throws SottoError E_FILE where it cannot be read, or has changed */
  read(at: number, length: number): Uint8Array
  close(): void
}

/**
 * @param keepMetadata send a picture as it is
 * @throws SottoError E_FILE (not there, no file, not readable), E_FILE_SIZE, E_FILE_METADATA
 */
export async function openSource(path: string, keepMetadata: boolean): Promise<Source> {
  const file = new OpenFile(path)
  try {
    const source = await sourceOf(file, keepMetadata)
    if (source.read !== file.read) file.close()
    return source
  } catch (error) {
    file.close()
    throw error
  }
}

async function sourceOf(file: OpenFile, keepMetadata: boolean): Promise<Source> {
  const { size } = file
  if (size > FileLimits.fileBytes) {
    const most = Math.floor(FileLimits.fileBytes / 1024 ** 2)
    throw new SottoError('E_FILE_SIZE', `A file may have ${most} MiB at the most, and this one has more.`)
  }
  const common = { name: file.name, size, read: file.read, close: () => file.close() }
  const kind = pictureKind(file.read(0, Math.min(size, KIND_BYTES)))
  if (kind === undefined) return { ...common, metadata: 'unseen' }
  const looked = size <= PICTURE_BYTES ? look(kind, file.read(0, size)) : undefined
  if (looked === undefined) {
    if (keepMetadata) return { ...common, metadata: 'kept' }
    throw new SottoError('E_FILE_METADATA', 'What this picture tells beside what it shows could not be left out.', {
      kept: 'Nothing was sent.',
    })
  }
  const { stripped, size: measures, orientation, isPlain } = looked
  // Decoders are loaded where they are wanted: no other start waits for them.
  // One that is not plain could unfold to fill the memory, or take hours: it has none.
  const { thumbnailOf } = await import('./pictures/thumbnail.ts')
  const picture = isPlain ? thumbnailOf(kind, stripped, measures, orientation) : undefined
  const shown = picture === undefined ? {} : { picture }
  if (keepMetadata) return { ...common, ...shown, metadata: 'kept' }
  const read = (at: number, length: number): Uint8Array => stripped.subarray(at, at + length)
  return { name: file.name, size: stripped.length, read, close: () => {}, ...shown, metadata: 'none' }
}
