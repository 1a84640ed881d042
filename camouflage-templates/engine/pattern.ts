/**
 * Text with holes: what a path, a header's value or a document is made of. Read strictly from left to right; a text that
 * could be read in two ways is refused before (`findAmbiguity`), so no back-tracking and no regular expression.
 */
import type { AnyHole, Hole } from './hole.ts'
import { TemplateLimits } from './limits.ts'

export type Piece = string | AnyHole

export interface Pattern {
  /** Literals are not empty and no two are neighbours. */
  readonly pieces: readonly Piece[]
}

/** Of the holes of one message. A hole that stands in two places has the same value in both. */
export type Values = Map<Hole, string>

const holePattern = /\{\{([a-zA-Z][a-zA-Z0-9]*)\}\}/

/** @throws RangeError whose message completes "expected ..." */
export function parsePattern(text: string, holes: ReadonlyMap<string, AnyHole>): Pattern {
  const pieces = text.split(holePattern).map((piece, at): Piece => {
    if (at % 2 === 0) {
      if (piece.includes('{{')) throw new RangeError('holes to be written {{name}}')
      return piece
    }
    const hole = holes.get(piece)
    if (hole === undefined) throw new RangeError(`a hole declared under holes, there is no ${piece}`)
    return hole
  })
  if (pieces.length > TemplateLimits.pieces) throw new RangeError(`at most ${TemplateLimits.pieces} texts and holes`)
  return joinPatterns({ pieces })
}

export function joinPatterns(...patterns: readonly (Pattern | string)[]): Pattern {
  const pieces: Piece[] = []
  for (const piece of patterns.flatMap((pattern) => (typeof pattern === 'string' ? [pattern] : pattern.pieces))) {
    const last = pieces.at(-1)
    if (piece === '') continue
    if (typeof piece === 'string' && typeof last === 'string') pieces[pieces.length - 1] = last + piece
    else pieces.push(piece)
  }
  return { pieces }
}

export function holesOf(pattern: Pattern): AnyHole[] {
  return pattern.pieces.filter((piece) => typeof piece !== 'string')
}

/** Why a reader could not tell where a hole ends; undefined where it always can. `followed`: more text comes behind. */
export function findAmbiguity(pattern: Pattern, followed: boolean): string | undefined {
  for (const [at, piece] of pattern.pieces.entries()) {
    if (typeof piece === 'string' || piece.endsItself) continue
    const next = pattern.pieces[at + 1]
    if (next === undefined && !followed) continue
    const told = typeof next === 'string' && !piece.alphabet.includes(next[0]!)
    if (!told) return `behind {{${piece.name}}} a character that cannot be part of it`
  }
  return undefined
}

/** `values` holds every hole of the pattern. */
export function render(pattern: Pattern, values: Values): string {
  let out = ''
  for (const piece of pattern.pieces) out += typeof piece === 'string' ? piece : values.get(piece)!
  return out
}

/**
 * Reads `text` from `at` on and puts what the holes hold into `values`. Returns where the pattern (or, with `until`, that
 * hole) ends, or -1 where the text does not fit.
 */
export function scan(pattern: Pattern, text: string, at: number, values: Values, until?: Hole): number {
  const { pieces } = pattern
  let from = at
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index]!
    const end = spanOf(piece, text, from, pieces[index + 1])
    if (end < 0) return -1
    if (typeof piece !== 'string') {
      const value = text.slice(from, end)
      const earlier = values.get(piece)
      if (earlier !== undefined && earlier !== value) return -1
      values.set(piece, value)
      if (piece === until) return end
    }
    from = end
  }
  return from
}

/** As `scan` of the whole of `text`. */
export function scanAll(pattern: Pattern, text: string, values: Values): boolean {
  return scan(pattern, text, 0, values) === text.length
}

/** Where `piece` ends if it stands at `from`, or -1. Allocates nothing. */
export function spanOf(piece: Piece, text: string, from: number, next: Piece | undefined): number {
  if (typeof piece === 'string') return text.startsWith(piece, from) ? from + piece.length : -1
  return piece.span(text, from, typeof next === 'string' ? next[0]! : '')
}

/** Characters at most; `payload` says how long a payload slot's value is. */
export function longest(pattern: Pattern, payload: (hole: AnyHole) => number): number {
  let length = 0
  for (const piece of pattern.pieces) {
    if (typeof piece === 'string') length += piece.length
    else length += piece.kind === 'payload' ? payload(piece) : piece.max
  }
  return length
}
