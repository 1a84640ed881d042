/** The templates that come with the program: which of them a member begins with, and which are tried after it. */
import type { CompiledTemplate } from '#engine/compile.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Builtin } from '../camouflage-templates/builtins.ts'

export const compiled = (template: CompiledTemplate): Builtin => {
  const { id, family, pageHeaders } = template
  return { id, family, pageHeaders, template }
}

/** @throws SottoError E_USAGE where there is none */
export function templateNamed(builtins: readonly Builtin[], id: string): CompiledTemplate {
  const named = builtins.find((each) => each.id === id)
  if (named !== undefined) return named.template
  const names = builtins.map((each) => each.id).join(', ')
  throw new SottoError('E_USAGE', `there is no template «${id}»`, { next: `There are: ${names}.` })
}

/**
 * The one that the invite names; where no dialer goes with it, the same look of another client (`NAME-chromium`), and else
 * the one that comes first otherwise.
 */
export function begun(builtins: readonly Builtin[], invited: string): CompiledTemplate {
  const named = builtins.find(({ id }) => id === invited) ?? builtins.find(({ id }) => id.startsWith(`${invited}-`))
  return named?.template ?? ranked(builtins)[0]!
}

/** All of them, best first. */
export function ranked(builtins: readonly Builtin[]): CompiledTemplate[] {
  return builtins.map(({ template }) => template).sort((a, b) => rank(a) - rank(b))
}

/** Those of Node's own dialer first: browsers' are not equal to their browsers yet. Then those that never send. */
function rank(template: CompiledTemplate): number {
  return Number(template.family !== 'node') * 2 + Number(template.shape('send').method === 'POST')
}
