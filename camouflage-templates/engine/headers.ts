/** Header lists of a template as lines of a message. */
import type { Context } from './context.ts'
import { TemplateLimits } from './limits.ts'
import type { Line } from './message.ts'
import { holesOf } from './pattern.ts'
import type { Path } from './source.ts'
import type { HeaderData } from './template.ts'

/** A line of the message and where in the template it stands. */
export interface DraftLine extends Line {
  readonly path: Path
}

/** Written by dialer and carrier, or about the connection, or kept by visitors: none of a template's business. */
const foreign = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'cookie',
  'date',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export function draftHeaders(context: Context, headers: readonly HeaderData[], path: Path): DraftLine[] {
  const seen = new Set<string>()
  return headers.map(([name, value], index) => {
    const at = [...path, index]
    const lower = name.toLowerCase()
    if (foreign.has(lower) || lower.startsWith('sec-websocket-'))
      context.refuse(at, `no ${lower}, templates do not write it`)
    if (seen.has(lower)) context.refuse(at, `${lower} once`)
    seen.add(lower)
    if (value !== value.trim()) context.refuse(at, 'a value without spaces at its ends')
    const pattern = context.parse(value, [...at, 1])
    if (holesOf(pattern).some((hole) => hole.alphabet.includes('\n'))) context.refuse([...at, 1], 'no line breaks')
    const carries = holesOf(pattern).some((hole) => hole.kind === 'token' || hole.kind === 'payload')
    return {
      name,
      pattern,
      read: carries || lower === 'content-type',
      most: TemplateLimits.headerValueLength,
      path: [...at, 1],
    }
  })
}
