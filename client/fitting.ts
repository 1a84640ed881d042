/** Which templates go with which dialers: those that tell the same story as the dialer does on the wire. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { DialerReport } from '#firewall/permit.ts'

const versions = { node: undefined, chromium: /Chrome\/(\d+)/, firefox: /Firefox\/(\d+)/ } as const

const systems: readonly (readonly [RegExp, string])[] = [
  [/Android/, 'android'],
  [/Linux/, 'linux'],
  [/Windows/, 'win32'],
  [/Mac OS X/, 'darwin'],
]

/**
 * True where one of the dialers is of the template's family and works here. A browser's User-Agent names version and
 * system too, and those are in the ClientHello as well: one that says otherwise would be a population of one. Not so
 * where the dialer writes that field itself.
 */
export function fits(
  template: Pick<CompiledTemplate, 'family' | 'pageHeaders'>,
  dialers: readonly DialerReport[],
): boolean {
  const dialer = dialers.find(({ family, unfit }) => family === template.family && unfit === undefined)
  if (dialer === undefined) return false
  const pattern = versions[template.family]
  if (pattern === undefined || dialer.writesAgent) return true
  const agent = template.pageHeaders.find(([name]) => name.toLowerCase() === 'user-agent')?.[1] ?? ''
  const system = systems.find(([each]) => each.test(agent))?.[1]
  return pattern.exec(agent)?.[1] === dialer.version && system === dialer.os
}
