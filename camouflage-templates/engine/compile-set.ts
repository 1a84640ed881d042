/** Several templates at once, from text that anybody may have written: all of them, or none. */
import type { CompiledTemplate } from './compile.ts'
import { compileTemplate } from './compile.ts'
import { loadTemplate } from './load.ts'
import { refuse } from './source.ts'

/**
 * @param name of the whole, for errors: a template is called `<name>[<index>]`
 * @throws TemplateError (`E_TEMPLATE`) at the first fault, or where two have the same id
 */
export function compileSet(texts: readonly string[], name: string): CompiledTemplate[] {
  const ids = new Set<string>()
  return texts.map((text, index) => {
    const template = loadTemplate(text, `${name}[${index}]`)
    const { id } = template.data
    if (ids.has(id)) refuse(template.source, ['id'], 'an id that no other template of the pack has')
    ids.add(id)
    return compileTemplate(template)
  })
}
