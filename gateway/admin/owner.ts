/**
 * What root writes into a state folder belongs to whom the folder belongs to: the gateway, which has a user of its own, could not
 * read a list, a key or a store that root has made beside its own.
 */
import { lchown, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Does nothing for anybody but root, in root's own folders, and where there is none. Links are given, never followed. */
export async function giveToOwner(folder: string, me: number | undefined = process.getuid?.()): Promise<void> {
  if (me !== 0) return
  const owner = await lstat(folder).catch(() => undefined)
  if (owner === undefined || !owner.isDirectory() || owner.uid === 0) return
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name)
    // It may have gone meanwhile: the gateway runs.
    const found = await lstat(path).catch(() => undefined)
    if (found?.uid === 0) await lchown(path, owner.uid, owner.gid).catch(() => undefined)
  }
}
