/** The document around a payload: text with holes, a file, or a form with a file in it. */
import { concat, latin1, utf8 } from '#protocol/bytes.ts'
import type { Context } from './context.ts'
import type { Draw } from './draw.ts'
import type { Binary } from './encodings/binary.ts'
import { SEPARATOR } from './encodings/engineio.ts'
import { draftMultipart } from './encodings/multipart.ts'
import type { FileDraft } from './files.ts'
import { draftFile } from './files.ts'
import type { AnyHole } from './hole.ts'
import { TemplateLimits } from './limits.ts'
import type { Pattern, Values } from './pattern.ts'
import { joinPatterns, longest, render, scan, scanAll } from './pattern.ts'
import type { Path } from './source.ts'
import type { BodyData } from './template.ts'

/** A body whose file is not made yet: what it can hold depends on what the rest of the message carries. */
export interface BodyDraft {
  readonly head: Pattern
  readonly tail: Pattern
  readonly file: FileDraft | undefined
}

export interface Body {
  /** In front of the file, or all there is. */
  readonly head: Pattern
  readonly file: Binary | undefined
  /** Of one fixed length, so that the file's end is known. */
  readonly tail: Pattern
  readonly tailLength: number
  /** Octets of the head at most; read only where a file follows. */
  readonly headLength: number
}

const nothing = joinPatterns()

export function draftBody(context: Context, data: BodyData, path: Path): BodyDraft {
  const { text, multipart } = data
  if (text !== undefined) return { head: context.parse(text, [...path, 'text']), tail: nothing, file: undefined }
  if (multipart === undefined) {
    return { head: draftHead(context, data, path), tail: nothing, file: draftFile(context, data, path) }
  }
  const at = [...path, 'multipart']
  const parse = (value: string, below: Path): Pattern => context.parse(value, below)
  const draft = context.attempt(at, () => draftMultipart(multipart, at, parse))
  const file = draft.file && draftFile(context, draft.file.part, draft.file.path)
  return { head: draft.head, tail: draft.tail, file }
}

/** The text in front of a file that has one. */
function draftHead(context: Context, { ndjson, engineio }: BodyData, path: Path): Pattern {
  if (ndjson?.first !== undefined) {
    return joinPatterns(context.parse(ndjson.first, [...path, 'ndjson', 'first']), '\n')
  }
  const packets = (engineio?.packets ?? []).map((text, index) => {
    return context.parse(text, [...path, 'engineio', 'packets', index])
  })
  return joinPatterns(...packets.flatMap((packet) => [packet, SEPARATOR]))
}

/** `classes`: what is left for the file of each size class, octets. */
export function finishBody(context: Context, draft: BodyDraft, classes: readonly number[]): Body {
  const { head, tail, file } = draft
  const binary = file && context.attempt(file.path, () => file.create(classes))
  const payload = (hole: AnyHole): number => hole.max
  return { head, file: binary, tail, tailLength: longest(tail, payload), headLength: longest(head, payload) }
}

/** `rest`: the octets for the file. */
export function writeBody(body: Body, rest: Uint8Array, values: Values, draw: Draw): Uint8Array {
  const head = utf8(render(body.head, values))
  if (body.file === undefined) return head
  const file = body.file.encode(rest, draw, values)
  return head.length + body.tailLength === 0 ? file : concat(head, file, utf8(render(body.tail, values)))
}

/** The file's octets (none without a file), with the holes put into `values`; undefined where it does not fit. */
export function readBody(body: Body, bytes: Uint8Array, values: Values): Uint8Array | undefined {
  if (bytes.length > TemplateLimits.bodyBytes) return undefined
  if (body.file === undefined) return scanAll(body.head, latin1(bytes), values) ? new Uint8Array(0) : undefined
  const start = scan(body.head, latin1(bytes.subarray(0, body.headLength)), 0, values)
  const end = bytes.length - body.tailLength
  if (start < 0 || !scanAll(body.tail, latin1(bytes.subarray(end)), values)) return undefined
  return body.file.decode(bytes.subarray(start, end), values)
}
