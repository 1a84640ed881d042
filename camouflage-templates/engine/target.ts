/** Path and query of a request as one pattern, and the path alone for the matcher. */
import type { Context } from './context.ts'
import type { DraftLine } from './headers.ts'
import { TemplateLimits } from './limits.ts'
import type { Pattern } from './pattern.ts'
import { holesOf, joinPatterns } from './pattern.ts'
import { TOKEN_LENGTH } from './slot.ts'
import type { Path } from './source.ts'
import type { RequestData } from './template.ts'

const pathText = /^[A-Za-z0-9\-._~:,@!/%]*$/
/** A value's own separators are left out, so that parameters end where they seem to. */
const queryText = /^[A-Za-z0-9\-._~:,@!/%]*$/
/** What a hole may write: never the end of a segment or of a parameter. */
const holeText = /^[A-Za-z0-9\-._~:,@!]*$/

export interface Target {
  readonly line: DraftLine
  readonly path: Pattern
}

export function draftTarget(context: Context, data: RequestData, at: Path): Target {
  const path = parseUrl(context, data.path, [...at, 'path'], pathText)
  const query = data.query.flatMap(([name, value], index): (Pattern | string)[] => {
    const place = [...at, 'query', index]
    const named = parseUrl(context, name, [...place, 0], queryText)
    return [index === 0 ? '?' : '&', named, '=', parseUrl(context, value, [...place, 1], queryText)]
  })
  const pattern = joinPatterns(path, ...query)
  const isKept = data.body?.grpcWeb === undefined
  if (isKept && varietyOf(pattern) < TemplateLimits.urlBits) {
    context.refuse(
      [...at, 'path'],
      `${TemplateLimits.urlBits} bits of variety in path and query, so that no cache answers`,
    )
  }
  const line = { name: '', pattern, read: true, most: TemplateLimits.targetLength, path: [...at, 'path'] }
  return { line, path }
}

function parseUrl(context: Context, text: string, at: Path, allowed: RegExp): Pattern {
  const pattern = context.parse(text, at)
  for (const piece of pattern.pieces) {
    const fits = typeof piece === 'string' ? allowed.test(piece) : holeText.test(piece.alphabet)
    if (!fits) context.refuse(at, 'characters that stand in a URL as they are')
  }
  return pattern
}

/** Bits, at the least. */
function varietyOf(pattern: Pattern): number {
  let bits = 0
  for (const hole of new Set(holesOf(pattern))) {
    if (hole.kind === 'filler') bits += hole.bits
    else if (hole.kind !== 'host') bits += 8 * (hole.exact ?? TOKEN_LENGTH)
  }
  return bits
}
