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
  const entries = all.map(({ shape, value }) => ({ shape, value, alone: Object.freeze([value]) }))
  return {
    match(method, target) {
      if (target.length > TemplateLimits.targetLength) return none
      let found = none
      for (const { shape, value, alone } of entries) {
        if (shape.method !== method || !pathFits(shape.path, target)) continue
        found = found === none ? alone : [...found, value]
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
