/** Who is compared with whom: ours with the genuine client of the family, that one with itself, and what must be noticed. */
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Session } from './capture/session.ts'
import type { Tap } from './ground/network.ts'
import type { Pair } from './learn.ts'
import type { PeerSessions } from './peers/watch.ts'
import type { GuestKind } from './world.ts'

export const genuineKind = ({ family }: CompiledTemplate): GuestKind => (family === 'node' ? 'program' : 'browser')

/** Of what is seen from one place. */
export function pairsOf(
  templates: readonly CompiledTemplate[],
  tap: Tap,
  sessions: readonly Session[],
  peers: readonly PeerSessions[],
): Pair[] {
  const of = (template: CompiledTemplate, kind: GuestKind): Session[] =>
    sessions.filter((session) => session.template === template.id && session.kind === kind)
  const ours = templates.map(
    (template): Pair => ({
      name: `${template.id}: ours`,
      tap,
      role: 'ours',
      ...{ sought: of(template, 'ours'), genuine: of(template, genuineKind(template)) },
    }),
  )
  const nulls = templates.map((template): Pair => {
    const [sought, genuine] = halves(of(template, genuineKind(template)))
    return { name: `${template.id}: genuine and genuine`, tap, role: 'null', sought, genuine }
  })
  const [first] = templates
  const other = first && (genuineKind(first) === 'browser' ? 'program' : 'browser')
  const control: Pair[] =
    first === undefined
      ? []
      : [
          {
            name: `${first.id}: ${other} instead`,
            tap,
            role: 'control',
            sought: of(first, other!),
            genuine: of(first, genuineKind(first)),
          },
        ]
  const browsers = sessions.filter(({ kind }) => kind === 'browser')
  const genuine = browsers.length > 0 ? browsers : sessions.filter(({ kind }) => kind === 'program')
  const strangers = peers.map(
    ({ peer, sessions: sought }): Pair => ({
      name: peer,
      tap,
      role: 'peer',
      sought,
      genuine: genuine.slice(0, 3 * sought.length),
    }),
  )
  return [...ours, ...nulls, ...control, ...strangers]
}

/** Genuine visitors have no memory: every second session may stand beside the others. */
function halves(sessions: readonly Session[]): [Session[], Session[]] {
  return [sessions.filter((_, at) => at % 2 === 0), sessions.filter((_, at) => at % 2 === 1)]
}
