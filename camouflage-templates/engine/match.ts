/** Which shapes a request could be of, by method and path alone. This is all that most strangers cost. */
import type { CompiledTemplate } from './compile.ts'
import { TemplateLimits } from './limits.ts'
import type { Pattern } from './pattern.ts'
import { spanOf } from './pattern.ts'
import type { Shape } from './shape.ts'
import type { Socket } from './socket.ts'

export interface Matcher {
  /** Empty for strangers, without allocating anything. Several live templates may share a path. */
  match(method: string, target: string): readonly Shape[]
}

export function createMatcher(templates: readonly CompiledTemplate[]): Matcher {
  return matcherOf(templates.flatMap(({ shapes }) => shapes).map((shape) => ({ shape, value: shape })))
}

/** As `Matcher`, for requests that ask for a WebSocket. */
export interface SocketMatcher {
  match(method: string, target: string): readonly Socket[]
}

export function createSocketMatcher(templates: readonly CompiledTemplate[]): SocketMatcher {
  const sockets = templates.flatMap(({ socket }) => (socket === undefined ? [] : [socket]))
  return matcherOf(sockets.map((socket) => ({ shape: socket.upgrade, value: socket })))
}

function matcherOf<T>(all: readonly { readonly shape: Shape; readonly value: T }[]): {
  match(method: string, target: string): readonly T[]
} {
  const none: readonly T[] = Object.freeze([])
  const index = new Map<string, Index<Entry<T>>>()
  for (const [method, entries] of Map.groupBy(
    all.map(({ shape, value }): Entry<T> => ({ path: shape.path, value, alone: Object.freeze([value]) })),
    (_, at) => all[at]!.shape.method,
  )) {
    index.set(method, indexOf(entries))
  }
  return {
    match(method, target) {
      if (target.length > TemplateLimits.targetLength) return none
      const known = index.get(method)
      const candidates = known?.byCharacter.get(target.charCodeAt(known.at))
      if (candidates === undefined) return none
      let found = none
      for (const { path, value, alone } of candidates) {
        if (!pathFits(path, target)) continue
        found = found === none ? alone : [...found, value]
      }
      return found
    },
  }
}

interface Entry<T> {
  readonly path: Pattern
  readonly value: T
  readonly alone: readonly T[]
}

/**
 * By the character at one place, which all have in their first text: a request is compared with the few that it could fit. To
 * look at all of them takes several microseconds where nothing of them is in the processor's cache.
 */
interface Index<E> {
  readonly at: number
  readonly byCharacter: ReadonlyMap<number, readonly E[]>
}

function indexOf<E extends { readonly path: Pattern }>(entries: readonly E[]): Index<E> {
  const firsts = entries.map(({ path: { pieces } }) => (typeof pieces[0] === 'string' ? pieces[0] : ''))
  const least = Math.min(...firsts.map(({ length }) => length))
  const different = (at: number): number => new Set(firsts.map((first) => first[at])).size
  let best = 0
  for (let at = 1; at < least; at++) if (different(at) > different(best)) best = at
  return { at: best, byCharacter: Map.groupBy(entries, (_, i) => firsts[i]!.charCodeAt(best)) }
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
