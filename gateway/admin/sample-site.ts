/** The sample website, for a folder that has none. */
import { existsSync, readdirSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { utf8 } from '#protocol/bytes.ts'
import type { Made } from '../deploy/made.ts'
import { stateFault } from '../store/faults.ts'

/** Stands for the domain in the sample site. */
const SAMPLE_DOMAIN = 'workshop.example'
const sampleSite: string = join(import.meta.dirname, '../decoy/sample-site')
const speakOfDomain: readonly string[] = ['robots.txt', 'sitemap.xml']

export const isEmptyFolder = (folder: string): boolean => !existsSync(folder) || readdirSync(folder).length === 0

/**
 * Files that are there already stay. On record before the first is written: where it breaks off, it is completed when
 * `init` runs again, and `uninstall` takes it away.
 * @throws SottoError E_STATE_UNREADABLE, E_DISK_FULL
 */
export async function copySampleSite(made: Made, site: string, domain: string): Promise<void> {
  const files: [string, Uint8Array][] = []
  try {
    for (const entry of await readdir(sampleSite, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const name = relative(sampleSite, join(entry.parentPath, entry.name))
      const bytes = await readFile(join(sampleSite, name))
      const content = speakOfDomain.includes(name)
        ? utf8(bytes.toString('utf8').replaceAll(SAMPLE_DOMAIN, domain))
        : new Uint8Array(bytes)
      files.push([join(site, name), content])
    }
    await made.intend(files)
    for (const [path, content] of files) await made.write(path, content, 0o644, false)
    await made.save()
  } catch (error) {
    throw stateFault(error, `write ${site}`)
  }
}
