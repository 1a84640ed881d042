/** Finds a request's token without reading more of the request than it takes. */
import { latin1 } from '#protocol/bytes.ts'
import { decodeText } from './encodings/text-encoding.ts'
import { TemplateLimits } from './limits.ts'
import type { Line, Message } from './message.ts'
import type { Pattern, Values } from './pattern.ts'
import { holesOf, longest, scan, scanAll } from './pattern.ts'

export type HeaderLookup = (name: string) => string | undefined
export type TokenReader = (
  target: string,
  header: HeaderLookup,
  bodyPrefix: Uint8Array | undefined,
) => Uint8Array | 'needs-body' | undefined

/**
 * For a compiled request, which has exactly one token.
 * @throws RangeError (completes "expected ...") where the token could stand too deep in the body
 */
export function createTokenReader(message: Message): TokenReader {
  const token = message.token!
  const decode = (values: Values, found: boolean): Uint8Array | undefined => {
    return found ? decodeText(token, values.get(token)!) : undefined
  }
  const line = message.lines.find((each) => holesOf(each.pattern).includes(token))
  if (line !== undefined) {
    return (target, header) => {
      const values: Values = new Map()
      const text = lineText(line, target, header)
      return decode(values, text !== undefined && scanAll(line.pattern, text, values))
    }
  }
  const head = message.body!.head
  const needed = endOfToken(message, head)
  return (_target, _header, prefix) => {
    if (prefix === undefined) return 'needs-body'
    const values: Values = new Map()
    const found = scan(head, latin1(prefix.subarray(0, needed)), 0, values, token) >= 0
    return found || prefix.length >= needed ? decode(values, found) : 'needs-body'
  }
}

export function lineText(line: Line, target: string, header: HeaderLookup): string | undefined {
  return line.name === '' ? target : header(line.name.toLowerCase())
}

/** Octets of the body's beginning that hold the token whatever stands before it. */
function endOfToken(message: Message, head: Pattern): number {
  const at = head.pieces.indexOf(message.token!)
  if (at < 0) throw new RangeError('the token in front of the file')
  const needed = longest({ pieces: head.pieces.slice(0, at + 1) }, (hole) => hole.max)
  if (needed <= TemplateLimits.tokenWithin) return needed
  throw new RangeError(`the token within the first ${TemplateLimits.tokenWithin} octets of the body`)
}
