/** Where what was prepared lies: several starts may prepare at once, and any of them may be killed. */
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** What is there; another one after somebody else has put theirs. undefined: nothing whole. */
export async function seen(folder: string): Promise<string | undefined> {
  try {
    const { ino, mtimeMs } = await stat(join(folder, 'stamp'))
    return `${ino} ${mtimeMs}`
  } catch {
    return undefined
  }
}

/**
 * Puts `fresh` in the place of `folder`; not where somebody else has put theirs since `before`, whose program may be starting
 * from it at this moment. Should theirs be of older sources, the next start sees that.
 */
export async function replace(folder: string, fresh: string, before: string | undefined): Promise<void> {
  const now = await seen(folder)
  if (now !== undefined && now !== before) return
  await rm(folder, { recursive: true, force: true })
  try {
    await rename(fresh, folder)
  } catch (error) {
    // Between the two lines.
    if ((await seen(folder)) === undefined) throw error
  }
}

/** Removes what processes have left beside `folder` that are no more. */
export async function clear(folder: string): Promise<void> {
  const parent = dirname(folder)
  for (const name of await readdir(parent)) {
    const [, id] = /^prepared-(\d+)$/.exec(name) ?? []
    if (id !== undefined && !isAlive(Number(id))) await rm(join(parent, name), { recursive: true, force: true })
  }
}

function isAlive(id: number): boolean {
  try {
    return process.kill(id, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
