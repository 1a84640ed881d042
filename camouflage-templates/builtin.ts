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

const fileOf = (id: string): string => join(builtinFolder, id, 'template.yaml')

/** Its YAML. @throws an error of node:fs where there is no such template */
export function builtinText(id: string): string {
  return readFileSync(fileOf(id), 'utf8')
}

/** @throws an error of node:fs where there is no such template, TemplateError where the file was changed for the worse */
export function loadBuiltin(id: string): Template {
  return loadTemplate(builtinText(id), fileOf(id))
}

/** All of them, ready for use, in alphabetical order. */
export function compileBuiltins(): CompiledTemplate[] {
  return builtinIds().map((id) => compileTemplate(loadBuiltin(id)))
}
