/** The templates that come with Sotto, from disk. The engine itself touches no files. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import type { Template } from '#engine/template.ts'

export const builtinFolder: string = join(import.meta.dirname, 'templates')

/** Ids, in alphabetical order. */
export function builtinIds(): string[] {
  const entries = readdirSync(builtinFolder, { withFileTypes: true })
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort()
}

/** @throws an error of node:fs where there is no such template, TemplateError where the file was changed for the worse */
export function loadBuiltin(id: string): Template {
  const file = join(builtinFolder, id, 'template.yaml')
  return loadTemplate(readFileSync(file, 'utf8'), file)
}

/** All of them, ready for use, in alphabetical order. */
export function compileBuiltins(): CompiledTemplate[] {
  return builtinIds().map((id) => compileTemplate(loadBuiltin(id)))
}
