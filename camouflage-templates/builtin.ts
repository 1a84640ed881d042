/** The templates that come with Sotto, from disk. The engine itself touches no files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import { loadTemplate } from '#engine/load.ts'
import type { Family, HeaderData, Template } from '#engine/template.ts'
import type { ClientData, VariantData } from './dress.ts'
import { dress } from './dress.ts'

export const builtinFolder: string = join(import.meta.dirname, 'templates')

/** Ids, in alphabetical order. */
export function builtinIds(): string[] {
  const entries = readdirSync(builtinFolder, { withFileTypes: true })
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort()
}

const fileOf = (id: string, name: string): string => join(builtinFolder, id, name)

const isVariant = (id: string): boolean => existsSync(fileOf(id, 'variant.yaml'))
const variantOf = (id: string): VariantData => parse(readFileSync(fileOf(id, 'variant.yaml'), 'utf8')) as VariantData

/** Where it is written: a template, or what makes a variant of another one. */
export function builtinFile(id: string): string {
  return fileOf(id, isVariant(id) ? 'variant.yaml' : 'template.yaml')
}

/** Its YAML; that of a variant as it comes out. @throws an error of node:fs where there is no such template */
export function builtinText(id: string): string {
  if (!isVariant(id)) return readFileSync(builtinFile(id), 'utf8')
  const variant = variantOf(id)
  return stringify(dress(id, loadBuiltin(variant.base).data, variant, clientNamed(variant.client)), { lineWidth: 0 })
}

const clients = new Map<string, ClientData>()

/** What was recorded of a client. @throws an error of node:fs where there is none */
export function clientNamed(name: string): ClientData {
  const client = clients.get(name) ?? (parse(readFileSync(clientFile(name), 'utf8')) as ClientData)
  clients.set(name, client)
  return client
}

export const clientFile = (name: string): string => join(import.meta.dirname, 'clients', `${name}.yaml`)

/** @throws an error of node:fs where there is no such template, TemplateError where the file was changed for the worse */
export function loadBuiltin(id: string): Template {
  return loadTemplate(builtinText(id), builtinFile(id))
}

/** A template before it is compiled. */
export interface BuiltinSource {
  readonly id: string
  readonly family: Family
  /** Of its page; empty where Node's dialer asks for it. */
  readonly pageHeaders: readonly HeaderData[]
  /** @throws as `loadBuiltin` */
  load(): Template
}

/** All of them, in alphabetical order. Those that are no variants are of Node's family (builtin.test.ts). */
export function builtinSources(): BuiltinSource[] {
  return builtinIds().map((id) => {
    const client = isVariant(id) ? clientNamed(variantOf(id).client) : undefined
    return { id, family: client?.family ?? 'node', pageHeaders: client?.page ?? [], load: () => loadBuiltin(id) }
  })
}

/** All of them, or those of one family, ready for use, in alphabetical order. */
export function compileBuiltins(family?: Family): CompiledTemplate[] {
  const all = builtinIds().map((id) => compileTemplate(loadBuiltin(id)))
  return family === undefined ? all : all.filter((template) => template.family === family)
}
