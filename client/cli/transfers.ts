/** What the commands and the chat view do alike with files: send, wait, save, describe. */
import { join, relative, sep } from 'node:path'
import type { ContactId } from '#client/chat/events.ts'
import { saveAs, saveInto } from '#client/files/save.ts'
import { openSource, type Source } from '#client/files/source.ts'
import type { TransferView } from '#client/files/transfer.ts'
import type { Member } from '#client/member.ts'
import { SottoError } from '#protocol/errors.ts'
import { sanitize } from './sanitize.ts'
import { describeSize } from './text.ts'

export interface HowToSend {
  readonly noStore: boolean
  readonly keepMetadata: boolean
}

/** @throws SottoError as `openSource` and `Files.send` */
export async function sendFile(
  member: Member,
  contact: ContactId,
  path: string,
  { noStore, keepMetadata }: HowToSend,
): Promise<{ readonly view: TransferView; readonly metadata: Source['metadata'] }> {
  const source = await openSource(path, keepMetadata)
  try {
    return { view: await member.files.send(contact, source, { noStore }), metadata: source.metadata }
  } finally {
    source.close()
  }
}

/** What the person should know of what a file tells about them; undefined where there is nothing. */
export function describeMetadata(metadata: Source['metadata']): string | undefined {
  if (metadata === 'kept')
    return 'The picture goes with all that it tells: place, time and camera, where they are in it.'
  if (metadata === 'none') return undefined
  return 'Sotto looks into JPEG and PNG alone: a file of another kind may tell who made it, when and where.'
}

/** Milliseconds without any progress after which a command no longer waits. */
const PATIENCE_MS = 60_000

/**
 * Resolves once it is done, has failed, or no piece has come or gone for a minute or two; `told` hears of what happens meanwhile.
 * @throws SottoError E_FILE_UNKNOWN where it has gone
 */
export function moved(member: Member, id: string, told: (view: TransferView) => void): Promise<TransferView> {
  return new Promise((resolve, reject) => {
    const current = (): TransferView | undefined => member.files.list().find((view) => view.id === id)
    const end = (): void => {
      clearInterval(timer)
      unlisten()
      const view = current()
      if (view === undefined) reject(new SottoError('E_FILE_UNKNOWN', 'The file has gone.'))
      else resolve(view)
    }
    const look = (view: TransferView): void => {
      if (view.id !== id) return
      told(view)
      if (view.state === 'done' || view.state === 'failed') end()
    }
    let arrived: number | undefined
    // Whoever listens hears of a few steps alone, and of each try that fails.
    const timer = setInterval(() => {
      const before = arrived
      arrived = current()?.arrived
      if (arrived === before) end()
    }, PATIENCE_MS)
    const unlisten = member.files.onChange(look)
    const view = current()
    arrived = view?.arrived
    if (view?.state !== 'moving') end()
  })
}

/** Fetches it where that was not done. @throws SottoError as `Files.fetch` */
export async function here(
  member: Member,
  { id, contact, message = '' }: TransferView,
  told: (view: TransferView) => void,
): Promise<TransferView> {
  const fetching = member.files.fetch(contact, message)
  return fetching.state === 'done' ? fetching : await moved(member, id, told)
}

/** @returns where it is. @throws SottoError as `Files.save` and `saveInto` */
export function saveToFolder(member: Member, id: string, folder: string): Promise<string> {
  return member.files.save(id, (name, content) => saveInto({ folder, core: member.folder }, name, content))
}

/** As `saveToFolder`, under a path. */
export function saveToPath(member: Member, id: string, path: string): Promise<string> {
  return member.files.save(id, (_name, content) => saveAs({ path, core: member.folder }, content))
}

/** A file in the folder that the person shares. @throws SottoError E_FILE for one that is not: the state, with all keys, is not far */
export function inFolder(folder: string, name: string): string {
  const path = join(folder, name)
  const way = relative(folder, path)
  if (way !== '' && way.split(sep)[0] !== '..') return path
  throw new SottoError('E_FILE', `${sanitize(name)} is not in the folder for files.`, { kept: 'Nothing was sent.' })
}

const said = {
  out: { moving: 'on its way', done: 'sent', failed: 'not sent', offered: '' },
  in: { moving: 'coming', done: 'here', failed: 'not here', offered: 'waits for you to save it' },
} as const

/** Letters of an id that people see and give. */
export const SHORT_ID = 8

/** One line. */
export function describeTransfer({ id, way, name, size, state, arrived, pieces, code }: TransferView): string {
  const part = state === 'moving' ? `, ${Math.floor((arrived * 100) / pieces)} %` : ''
  const why = code === undefined ? '' : ` (${code})`
  return `${id.slice(0, SHORT_ID)}  ${sanitize(name)}  ${describeSize(size)}  ${said[way][state]}${part}${why}`
}

/** The file that starts with these letters. @throws SottoError E_FILE_UNKNOWN for none, or several */
export function transferNamed(views: readonly TransferView[], id: string): TransferView {
  const named = /^[0-9a-f]{4,32}$/.test(id) ? views.filter((view) => view.id.startsWith(id)) : []
  if (named.length === 1) return named[0]!
  throw new SottoError('E_FILE_UNKNOWN', `There is no file ${sanitize(id)}.`)
}
