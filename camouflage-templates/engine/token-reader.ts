/** Finds a request's token without reading more of the request than it takes. */
import { eight, latin1 } from '#protocol/bytes.ts'
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
  // Most bodies are told apart by their first text, so that is compared as it is, and only what comes behind is made a text.
  const [first] = head.pieces
  const opening = typeof first === 'string' ? first : ''
  const rest = { pieces: head.pieces.slice(opening === '' ? 0 : 1) }
  return (_target, _header, prefix) => {
    if (prefix === undefined) return 'needs-body'
    const written = begins(prefix, opening)
      ? textOf(token, rest, textIn(prefix, opening.length, needed), false)
      : undefined
    if (written === undefined) return prefix.length >= needed ? undefined : 'needs-body'
    return decodeText(token, written)
  }
}

function begins(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false
  return true
}

/** Characters up to which a text is put together by ourselves: native code takes longer where it is not in the processor's caches. */
const SHORT_TEXT = 256

/** As Latin-1, from the octet `from` up to `to` or the end. */
function textIn(bytes: Uint8Array, from: number, to: number): string {
  const end = Math.min(to, bytes.length)
  if (end - from > SHORT_TEXT) return latin1(bytes.subarray(from, end))
  let text = ''
  let at = from
  for (; at + 8 <= end; at += 8) text += eight(bytes, at)
  for (; at < end; at++) text += String.fromCharCode(bytes[at]!)
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
