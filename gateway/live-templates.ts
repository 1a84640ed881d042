/** The templates that a configuration names, ready for use. */
import type { CompiledTemplate } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import { SottoError } from '#protocol/errors.ts'
import { builtinIds, loadBuiltin } from '../camouflage-templates/builtin.ts'

/** @throws SottoError E_CONFIG for a name that there is not */
export function liveTemplates(names: readonly string[]): CompiledTemplate[] {
  const known = builtinIds()
  return names.map((id) => {
    if (!known.includes(id))
      throw new SottoError('E_CONFIG', `there is no template «${id}»; there are ${known.join(', ')}`)
    return compileTemplate(loadBuiltin(id))
  })
}
