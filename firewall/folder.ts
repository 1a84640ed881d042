/** Folders and files that nobody but their owner may read, written so that a crash leaves the old or the new content. */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { chmod, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SottoError } from '#protocol/errors.ts'

const OTHERS = 0o077

/**
 * Makes the folder where it is missing, and closes it to others.
 * @throws SottoError E_STATE_UNREADABLE where it is a link, no folder, or another user's; E_DISK_FULL
 */
export async function privateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const stats = await lstat(path)
    if (!stats.isDirectory()) throw unreadable(path, 'it is no folder')
    if ((stats.mode & OTHERS) !== 0) await chmod(path, 0o700)
  } catch (cause) {
    throw asStateError(path, cause)
  }
}

/**
 * The permission model of Node judges paths by their text: a link in a folder that may be written leads out of it.
 * @throws SottoError E_STATE_UNREADABLE where there is one, at any depth
 */
export async function refuseLinks(path: string): Promise<void> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((cause) => {
    throw asStateError(path, cause)
  })
  const link = entries.find((entry) => entry.isSymbolicLink())
  if (link !== undefined) throw unreadable(join(link.parentPath, link.name), 'it is a link')
}

/**
 * Content of a file, or undefined where there is none. Never follows a link.
 * @throws SottoError E_STATE_UNREADABLE where others may read it, it is larger than `limit` octets, or reading fails
 */
export async function readPrivate(path: string, limit: number): Promise<Uint8Array | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const stats = await file.stat()
      if (!stats.isFile() || stats.size > limit) throw unreadable(path, 'it is not a file of ours')
      if ((stats.mode & OTHERS) !== 0) throw unreadable(path, 'others may read it (chmod 600)')
      return new Uint8Array(await file.readFile())
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (errno(cause) === 'ENOENT') return undefined
    throw asStateError(path, cause)
  }
}

/**
 * Replaces the file as a whole; when this resolves, the new content survives a loss of power. One writer only.
 * @throws SottoError E_DISK_FULL, E_STATE_UNREADABLE; the old content is kept
 */
export async function replacePrivate(path: string, content: Uint8Array): Promise<void> {
  const next = `${path}.next`
  try {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
    const file = await open(next, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
    try {
      // A left-over of a crash may have another mode.
      await file.chmod(0o600)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(next, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    throw asStateError(path, cause)
  }
}

/**
 * As `replacePrivate`, and what stood there is overwritten once it has no name any more. Disks that write elsewhere (flash,
 * copy on write) keep it nevertheless. What was not taken does not stay beside it.
 */
export async function replaceSecret(path: string, content: Uint8Array): Promise<void> {
  const old = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW).catch(() => undefined)
  try {
    await replacePrivate(path, content)
    if (old !== undefined) await overwrite(old)
  } catch (error) {
    await dropLeftOver(path).catch(() => undefined)
    throw error
  } finally {
    await old?.close()
  }
}

/**
 * Overwrites and removes what a crash has left of a `replaceSecret` that was not taken. For who alone writes the folder.
 * @throws SottoError E_STATE_UNREADABLE
 */
export async function dropLeftOver(path: string): Promise<void> {
  const next = `${path}.next`
  try {
    const file = await open(next, constants.O_WRONLY | constants.O_NOFOLLOW)
    try {
      await overwrite(file)
    } finally {
      await file.close()
    }
    await unlink(next)
  } catch (cause) {
    if (errno(cause) !== 'ENOENT') throw asStateError(next, cause)
  }
}

async function overwrite(file: FileHandle): Promise<void> {
  await file.write(new Uint8Array((await file.stat()).size), 0)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** E_STATE_UNREADABLE with the path and nothing of the content. */
export function unreadable(path: string, why: string, cause?: unknown): SottoError {
  return new SottoError('E_STATE_UNREADABLE', `${path} cannot be used: ${why}.`, {
    kept: 'Nothing was changed.',
    cause,
  })
}

function asStateError(path: string, cause: unknown): SottoError {
  if (cause instanceof SottoError) return cause
  const code = errno(cause) ?? 'unknown reason'
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SottoError('E_DISK_FULL', `${path} cannot be written: the disk is full.`, {
      kept: 'What was there before is kept.',
      cause,
    })
  }
  return unreadable(path, code, cause)
}

function errno(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
