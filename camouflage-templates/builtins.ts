/** The built-in templates as a client has them at hand: compiled when they are first used, and it needs one of them. */
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import type { BuiltinSource } from './builtin.ts'
import { builtinSources } from './sources.ts'

export interface Builtin extends Omit<BuiltinSource, 'load'> {
  /** The same one every time. @throws an error of node:fs, or TemplateError, where the files were changed for the worse */
  readonly template: CompiledTemplate
}

/** All of them, in alphabetical order. */
export function builtins(): Builtin[] {
  return builtinSources().map(({ load, ...said }) => {
    let template: CompiledTemplate | undefined
    return {
      ...said,
      get template(): CompiledTemplate {
        template ??= compileTemplate(load())
        return template
      },
    }
  })
}
