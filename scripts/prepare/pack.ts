/** What a program is made of: every module that its first ones lead to, with what each import in it leads to. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'
import { build } from 'esbuild'
import { moduleText, TSCONFIG } from './module-text.ts'

export interface PackedModule {
  /** From the program's folder, with slashes. */
  readonly file: string
  readonly text: string
  /** Module by the words of an import: its number. Others are Node's, or stay where they are installed. */
  readonly links: Readonly<Record<string, number>>
}

export interface PackInput {
  /** The program's folder. */
  readonly root: string
  /** Files that something begins with, from there. */
  readonly entries: readonly string[]
  /** Text instead of a file's; it may import what Node has. */
  readonly replaced: Readonly<Record<string, string>>
}

type Inputs = Metafile['inputs']

/** Add-ons look for their files beside themselves. */
const EXTERNAL: readonly string[] = ['tls-impersonate']

/** All of them, in the order of their names. */
export async function pack({ root, entries, replaced }: PackInput): Promise<PackedModule[]> {
  const inputs = await graph(root, entries)
  const files = Object.keys(inputs).sort()
  const numbers = new Map(files.map((file, at) => [file, at]))
  return await Promise.all(
    files.map(async (file) => {
      const source = replaced[file] ?? (await readFile(join(root, file), 'utf8'))
      const isModule = inputs[file]!.format === 'esm' || file.endsWith('.ts')
      return { file, text: await moduleText(file, source, isModule), links: linksOf(inputs[file]!, numbers) }
    }),
  )
}

async function graph(root: string, entries: readonly string[]): Promise<Inputs> {
  const { metafile } = await build({
    ...{ absWorkingDir: root, entryPoints: [...entries], bundle: true, metafile: true, write: false, outdir: 'none' },
    ...{ format: 'esm', platform: 'node', target: 'node26', external: [...EXTERNAL], tsconfigRaw: TSCONFIG },
    logLevel: 'error',
  })
  return metafile.inputs
}

function linksOf({ imports }: Inputs[string], numbers: ReadonlyMap<string, number>): Record<string, number> {
  const links: Record<string, number> = {}
  for (const { path, original, external } of imports) {
    if (external || original === undefined) continue
    const number = numbers.get(path)!
    if ((links[original] ?? number) !== number) throw new Error(`${original} leads to two modules`)
    links[original] = number
  }
  return links
}
