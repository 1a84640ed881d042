/**
 * `made.json` in the state folder: which files `gateway init` has written, and what was in them, so that a file that
 * somebody has changed is not written over, and `gateway uninstall` takes away what was made and nothing else.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, rmdir, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { hex, utf8 } from '#protocol/bytes.ts'
import { sha256 } from '#protocol/crypto/hash.ts'
import { stateFault, unreadable } from '../store/faults.ts'

export const MADE_FILE = 'made.json'

const schema = v.strictObject({
  /** Stands for `/etc`. */
  etc: v.optional(v.string()),
  files: v.record(v.string(), v.string()),
  folders: v.array(v.string()),
})

/** What became of a file. `foreign`: it was there and is not ours. `edited`: ours, and changed by somebody since. */
export type Fate = 'made' | 'renewed' | 'same' | 'foreign' | 'edited'

export class Made {
  /** Where system files go. */
  etc: string | undefined
  private readonly folder: string
  private readonly files: Map<string, string>
  private readonly folders: Set<string>

  private constructor(folder: string, record: v.InferOutput<typeof schema>) {
    this.folder = folder
    this.etc = record.etc
    this.files = new Map(Object.entries(record.files))
    this.folders = new Set(record.folders)
  }

  /** Of the state folder `folder`; empty where there is none. @throws SottoError E_STATE_UNREADABLE */
  static async open(folder: string): Promise<Made> {
    const file = join(folder, MADE_FILE)
    if (!existsSync(file)) return new Made(folder, { files: {}, folders: [] })
    const parsed = v.safeParse(schema, parseJson(Buffer.from(await read(file)).toString()))
    if (!parsed.success) throw unreadable(`${file} is damaged.`)
    return new Made(folder, parsed.output)
  }

  /** Absolute paths. */
  get paths(): string[] {
    return [...this.files.keys()]
  }

  has(path: string): boolean {
    return this.files.has(path)
  }

  /**
   * Puts on record, before anything is written, what is missing of `files` (path and content): what breaks off half way is
   * still taken away by `gateway uninstall`.
   * @throws SottoError E_STATE_UNREADABLE, E_DISK_FULL
   */
  async intend(files: readonly (readonly [string, Uint8Array | string])[]): Promise<void> {
    for (const [path, content] of files) {
      if (existsSync(path)) continue
      this.note(path, hashOf(bytesOf(content)), 'made')
      for (const folder of missingFolders(dirname(path))) this.folders.add(folder)
    }
    await this.save()
  }

  /**
   * Writes a file unless it is foreign or, without `force`, edited. The same text in the same place is as good as ours, and stays
   * whose it is: it may be another gateway's of this machine.
   * @throws SottoError E_STATE_UNREADABLE, E_DISK_FULL
   */
  async write(path: string, content: Uint8Array | string, mode: number, force: boolean): Promise<Fate> {
    const bytes = bytesOf(content)
    const [wanted, found] = [hashOf(bytes), await hashAt(path)]
    if (found === undefined) {
      await this.makeFolder(dirname(path))
      await replace(path, bytes, mode)
      return this.note(path, wanted, 'made')
    }
    const ours = this.files.get(path)
    if (ours === undefined) return found === wanted ? 'same' : 'foreign'
    if (found === wanted) return this.note(path, wanted, 'same')
    if (found !== ours && !force) return 'edited'
    await replace(path, bytes, mode)
    return this.note(path, wanted, 'renewed')
  }

  /** A file that something else has just written for us. */
  async adopt(path: string): Promise<void> {
    const found = await hashAt(path)
    if (found !== undefined) this.note(path, found, 'made')
  }

  /** Whether the file is as we wrote it. */
  async isUnchanged(path: string): Promise<boolean> {
    const found = await hashAt(path)
    return found !== undefined && found === this.files.get(path)
  }

  /** Removes a file of ours, and the folders made for it that are empty now. */
  async remove(path: string): Promise<void> {
    try {
      for (const each of [path, draftOf(path)]) await unlink(each).catch(missingIsFine)
      this.files.delete(path)
      for (const folder of [...this.folders].toSorted((a, b) => b.length - a.length)) {
        if (path.startsWith(`${folder}/`) && (await removeEmpty(folder))) this.folders.delete(folder)
      }
    } catch (error) {
      throw stateFault(error, `remove ${path}`)
    }
    await this.save()
  }

  async save(): Promise<void> {
    const record = { etc: this.etc, files: Object.fromEntries(this.files), folders: [...this.folders] }
    await replace(join(this.folder, MADE_FILE), utf8(`${JSON.stringify(record, undefined, 1)}\n`), 0o600)
  }

  /** With all it takes; those that were not there are remembered. */
  private async makeFolder(folder: string): Promise<void> {
    try {
      for (const each of missingFolders(folder)) {
        await mkdir(each)
        await chmod(each, 0o755)
        this.folders.add(each)
      }
    } catch (error) {
      throw stateFault(error, `make ${folder}`)
    }
  }

  private note(path: string, hash: string, fate: Fate): Fate {
    this.files.set(path, hash)
    return fate
  }
}

const bytesOf = (content: Uint8Array | string): Uint8Array => (typeof content === 'string' ? utf8(content) : content)

/** The outermost first. */
function missingFolders(folder: string): string[] {
  const missing: string[] = []
  for (let at = folder; !existsSync(at); at = dirname(at)) missing.push(at)
  return missing.reverse()
}

/** Where a file is written before it takes its place: one that breaks off is written over by the next. No name of somebody else. */
const draftOf = (path: string): string => `${path}.sotto-draft`

const hashOf = (bytes: Uint8Array): string => hex(sha256(bytes))

async function hashAt(path: string): Promise<string | undefined> {
  return existsSync(path) ? hashOf(await read(path)) : undefined
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    throw stateFault(error, `read ${path}`)
  }
}

/** Whole or not at all. */
async function replace(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const draft = draftOf(path)
  try {
    await writeFile(draft, bytes, { mode, flush: true })
    await chmod(draft, mode)
    await rename(draft, path)
  } catch (error) {
    await unlink(draft).catch(() => undefined)
    throw stateFault(error, `write ${path}`)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function missingIsFine(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

async function removeEmpty(folder: string): Promise<boolean> {
  return await rmdir(folder).then(
    () => true,
    () => !existsSync(folder),
  )
}
