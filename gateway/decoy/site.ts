/**
 * The files of a static site: an index by URL path, made by walking the folder, and the contents kept in memory. No
 * path that a stranger sends ever reaches the file system, so there is nothing to escape from.
 */
import type { Dirent, Stats } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Millis } from '#protocol/bytes.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Validators } from './conditions.ts'
import { mediaType } from './media-types.ts'

/** What a site may take. Its files are the operator's, but requests of strangers make us walk and keep them. */
export interface SiteLimits {
  /** Files in the folder. Attack: none; a folder by mistake, such as a home directory, would take minutes. */
  readonly files: number
  /** Octets kept in memory. Attack: asking for every large file in turn; the oldest gives way. */
  readonly cacheBytes: number
  /** Octets of a file that is kept in memory; a larger one is read from disk each time. */
  readonly cachedFileBytes: number
  /** Milliseconds between two walks, at the earliest. Attack: asking for what is not there, to make us walk. */
  readonly walkMs: Millis
}

export const SiteLimits: SiteLimits = Object.freeze({
  files: 20_000,
  cacheBytes: 64 * 1024 ** 2,
  cachedFileBytes: 4 * 1024 ** 2,
  walkMs: 5_000,
})

export interface SiteFile extends Validators {
  /** In the file system. */
  readonly file: string
  readonly size: number
  readonly mtimeMs: number
  readonly type: string
}

/** A path of the site: a file, a folder with or without its slash. */
export type SiteEntry =
  | { readonly kind: 'file'; readonly file: SiteFile }
  | { readonly kind: 'redirect' }
  | { readonly kind: 'forbidden' }

const redirect: SiteEntry = { kind: 'redirect' }
const forbidden: SiteEntry = { kind: 'forbidden' }

export interface SiteOptions {
  readonly folder: string
  readonly now?: () => Millis
  readonly limits?: Partial<SiteLimits>
  /** Told where the folder can no longer be walked; what was found before is served on. */
  readonly onFault?: (error: unknown) => void
}

export class Site {
  private entries: ReadonlyMap<string, SiteEntry> = new Map()
  private readonly contents = new Map<SiteFile, Buffer>()
  private cachedBytes = 0
  private readonly folder: string
  private readonly limits: SiteLimits
  private readonly now: () => Millis
  private readonly onFault: (error: unknown) => void
  private nextWalk = 0
  private walking: Promise<void> | undefined

  private constructor(options: SiteOptions) {
    this.folder = options.folder
    this.limits = { ...SiteLimits, ...options.limits }
    this.now = options.now ?? (() => Date.now())
    this.onFault = options.onFault ?? (() => undefined)
  }

  /** @throws SottoError E_CONFIG where there is no such folder, or no index.html in it */
  static async open(options: SiteOptions): Promise<Site> {
    const site = new Site(options)
    await site.walk()
    if (site.entries.get('/')?.kind !== 'file') {
      throw new SottoError('E_CONFIG', `decoy.folder: there is no index.html in ${options.folder}.`)
    }
    return site
  }

  /** The answer may be some seconds old; asking starts a new walk in the background when it is. */
  find(path: string): SiteEntry | undefined {
    if (this.now() >= this.nextWalk) void this.refresh()
    return this.entries.get(path)
  }

  /** Kept in memory already. */
  cached(file: SiteFile): Buffer | undefined {
    return this.contents.get(file)
  }

  /** From memory or disk; undefined where it is too large for memory, or has changed since it was found. */
  async content(file: SiteFile): Promise<Buffer | undefined> {
    const kept = this.contents.get(file)
    if (kept !== undefined || file.size > this.limits.cachedFileBytes) return kept
    const content = await readFile(file.file).catch(() => undefined)
    if (content?.length !== file.size) return undefined
    this.keep(file, content)
    return content
  }

  /** Walks now, or waits for the walk that is under way. */
  refresh(): Promise<void> {
    this.walking ??= this.walk()
      .catch((error: unknown) => this.onFault(error))
      .finally(() => {
        this.walking = undefined
      })
    return this.walking
  }

  private keep(file: SiteFile, content: Buffer): void {
    if (this.contents.has(file)) return
    this.contents.set(file, content)
    this.cachedBytes += content.length
    for (const [oldest, { length }] of this.contents) {
      if (this.cachedBytes <= this.limits.cacheBytes) break
      this.contents.delete(oldest)
      this.cachedBytes -= length
    }
  }

  private async walk(): Promise<void> {
    this.nextWalk = this.now() + this.limits.walkMs
    const entries = await walkSite(this.folder, this.limits, this.entries)
    this.entries = entries
    const current = new Set([...entries.values()].map((entry) => (entry.kind === 'file' ? entry.file : undefined)))
    for (const [file, { length }] of this.contents) {
      if (current.has(file)) continue
      this.contents.delete(file)
      this.cachedBytes -= length
    }
  }
}

/** Entries of `known` whose file has not changed stay the same objects, so that their content stays in memory. */
async function walkSite(
  folder: string,
  limits: SiteLimits,
  known: ReadonlyMap<string, SiteEntry>,
): Promise<Map<string, SiteEntry>> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw new SottoError('E_CONFIG', `decoy.folder: there is no folder ${folder}.`, { cause })
  })
  const entries = new Map<string, SiteEntry>()
  const folders = ['/']
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    const children = await readdir(join(root, path), { withFileTypes: true })
    entries.set(path, forbidden)
    if (path !== '/') entries.set(path.slice(0, -1), redirect)
    for (const child of children) {
      if (isHidden(child.name)) continue
      if (child.isDirectory()) folders.push(`${path}${child.name}/`)
      else await addFile(entries, known, root, `${path}${child.name}`, child)
    }
    const index = entries.get(`${path}index.html`)
    if (index !== undefined) entries.set(path, index)
    if (entries.size > limits.files) {
      throw new SottoError('E_CONFIG', `decoy.folder: ${folder} has more than ${limits.files} files.`)
    }
  }
  return entries
}

/** Names that begin with a dot are not for the public, but for what certificate authorities ask for. */
const isHidden = (name: string): boolean => name.startsWith('.') && name !== '.well-known'

async function addFile(
  entries: Map<string, SiteEntry>,
  known: ReadonlyMap<string, SiteEntry>,
  root: string,
  path: string,
  child: Dirent,
): Promise<void> {
  const file = join(root, path)
  // A link may point to a file inside the site only, and never to a folder.
  if (!child.isFile() && !(child.isSymbolicLink() && (await isInside(root, file)))) return
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) return
  const before = known.get(path)
  const same = before?.kind === 'file' && before.file.size === found.size && before.file.mtimeMs === found.mtimeMs
  entries.set(path, same ? before : { kind: 'file', file: describe(file, found) })
}

async function isInside(root: string, file: string): Promise<boolean> {
  const target = await realpath(file).catch(() => undefined)
  return target?.startsWith(root + sep) === true && !target.slice(root.length).split(sep).some(isHidden)
}

function describe(file: string, { size, mtimeMs }: Stats): SiteFile {
  const seconds = Math.floor(mtimeMs / 1000)
  return {
    ...{ file, size, mtimeMs },
    type: mediaType(file),
    etag: `"${seconds.toString(16)}-${size.toString(16)}"`,
    lastModified: new Date(seconds * 1000).toUTCString(),
  }
}
