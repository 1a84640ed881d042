/** Finds a request's token without reading more of the request than it takes. */
import { latin1, lookupKey } from '#protocol/bytes.ts'
import { decodeText } from './encodings/text-encoding.ts'
import type { Slot } from './hole.ts'
import { TemplateLimits } from './limits.ts'
import type { Line, Message } from './message.ts'
import type { Pattern } from './pattern.ts'
import { holesOf, longest, spanOf } from './pattern.ts'

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
  const line = message.lines.find((each) => holesOf(each.pattern).includes(token))
  if (line !== undefined) {
    const name = line.name.toLowerCase()
    return (target, header) => {
      const text = name === '' ? target : header(name)
      const written = text === undefined ? undefined : textOf(token, line.pattern, text, true)
      return written === undefined ? undefined : decodeText(token, written)
    }
  }
  const head = message.body!.head
  const needed = endOfToken(message, head)
  return (_target, _header, prefix) => {
    if (prefix === undefined) return 'needs-body'
    const written = textOf(token, head, beginning(prefix, needed), false)
    if (written === undefined) return prefix.length >= needed ? undefined : 'needs-body'
    return decodeText(token, written)
  }
}

/** Characters up to which a text is put together by ourselves: native code takes longer where it is not in the processor's caches. */
const SHORT_TEXT = 256

function beginning(bytes: Uint8Array, count: number): string {
  const length = Math.min(count, bytes.length)
  if (length > SHORT_TEXT) return latin1(bytes.subarray(0, length))
  const eights = length - (length % 8)
  let text = lookupKey(bytes, eights)
  for (let i = eights; i < length; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/**
 * What stands for `token` where the text fits, up to it or as a whole. Whether a hole that stands twice has one value is for who
 * reads the whole request. Nothing is kept of the other holes.
 */
function textOf(token: Slot, { pieces }: Pattern, text: string, whole: boolean): string | undefined {
  let from = 0
  let found: string | undefined
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index]!
    const end = spanOf(piece, text, from, pieces[index + 1])
    if (end < 0) return undefined
    if (piece === token) {
      found = text.slice(from, end)
      if (!whole) return found
    }
    from = end
  }
  return from === text.length ? found : undefined
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
