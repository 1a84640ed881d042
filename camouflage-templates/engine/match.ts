/** Which shapes a request could be of, by method and path alone. This is all that most strangers cost. */
import type { CompiledTemplate } from './compile.ts'
import { TemplateLimits } from './limits.ts'
import type { Pattern } from './pattern.ts'
import { spanOf } from './pattern.ts'
import type { Shape } from './shape.ts'

export interface Matcher {
  /** Empty for strangers, without allocating anything. Several live templates may share a path. */
  match(method: string, target: string): readonly Shape[]
}

const none: readonly Shape[] = Object.freeze([])

export function createMatcher(templates: readonly CompiledTemplate[]): Matcher {
  const entries = templates
    .flatMap((template) => template.shapes)
    .map((shape) => ({ shape, alone: Object.freeze([shape]) }))
  return {
    match(method, target) {
      if (target.length > TemplateLimits.targetLength) return none
      let found: readonly Shape[] = none
      for (const { shape, alone } of entries) {
        if (shape.method !== method || !pathFits(shape.path, target)) continue
        found = found === none ? alone : [...found, shape]
      }
      return found
    },
  }
}

/** The path of `target`, up to a question mark or the end. */
function pathFits(path: Pattern, target: string): boolean {
  const { pieces } = path
  let at = 0
  for (let index = 0; index < pieces.length; index++) {
    at = spanOf(pieces[index]!, target, at, pieces[index + 1])
    if (at < 0) return false
  }
  return at === target.length || target[at] === '?'
}
