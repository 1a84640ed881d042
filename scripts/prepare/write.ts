/** Writes what `loader.cjs` runs into a folder beside the sources: modules by programs, and what Node is started with. */
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { builtinSources } from '../../camouflage-templates/builtin.ts'
import { pack } from './pack.ts'

export const root: string = join(import.meta.dirname, '..', '..')

/** By name: files that something begins with, from the project's folder. Their modules exist once in a process. */
export type Programs = Readonly<Record<string, readonly string[]>>
/** By name of the file, without `.cjs`: the program and the module in it. */
export type Starts = Readonly<Record<string, readonly [program: string, file: string]>>

/** Where its text stands in that of the program, in characters. */
export interface PlannedModule {
  readonly file: string
  readonly at: number
  readonly length: number
  readonly links: Readonly<Record<string, number>>
}

/** Stands in the place of firewall/program.ts. */
const PROGRAM = `
import { join } from 'node:path'
export const coreEntry = join(import.meta.prepared, 'client.cjs')
export const confineModule = join(import.meta.prepared, 'confine.cjs')
`

/** Stands in the place of camouflage-templates/sources.ts. What it has was found right when it was written; no line is named any more. */
const SOURCES = `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
export function builtinSources() {
  const templates = JSON.parse(readFileSync(join(import.meta.prepared, 'templates.json'), 'utf8'))
  return templates.map(({ data, ...said }) => ({
    ...said,
    load: () => ({ data, source: { file: said.id, line: () => 1 } }),
  }))
}
`

const replaced = { 'firewall/program.ts': PROGRAM, 'camouflage-templates/sources.ts': SOURCES } as const

/** `folder`: in the project's folder. */
export async function writePrograms(folder: string, programs: Programs): Promise<void> {
  await cp(join(import.meta.dirname, 'loader.cjs'), join(folder, 'loader.cjs'))
  const templates = builtinSources().map(({ load, ...said }) => ({ ...said, data: load().data }))
  await writeFile(join(folder, 'templates.json'), JSON.stringify(templates))
  for (const [name, entries] of Object.entries(programs)) {
    const modules = await pack({ root, entries, replaced })
    await writeFile(join(folder, `${name}.js`), modules.map(({ text }) => text).join(''), 'latin1')
    await writeFile(join(folder, `${name}.json`), JSON.stringify(planned(modules)))
  }
}

function planned(modules: Awaited<ReturnType<typeof pack>>): PlannedModule[] {
  let at = 0
  return modules.map(({ file, text, links }) => {
    const plan = { file, at, length: text.length, links }
    at += text.length
    return plan
  })
}

/** `onScript`: the text of a third argument of the loader's `run`, for each program. */
export async function writeStarts(
  folder: string,
  starts: Starts,
  onScript: (program: string) => string | undefined = () => undefined,
): Promise<void> {
  for (const [name, [program, file]] of Object.entries(starts)) {
    const args = [`'${program}'`, `'${file}'`, onScript(program)].filter((each) => each !== undefined)
    await writeFile(join(folder, `${name}.cjs`), `'use strict'\nrequire('./loader.cjs').run(${args.join(', ')})\n`)
  }
}
