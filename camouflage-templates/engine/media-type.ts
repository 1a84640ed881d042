/** A body is what its content type says: magic octets, form boundary, syntax. */
import type { BodyDraft } from './body.ts'
import type { Context } from './context.ts'
import { createDraw } from './draw.ts'
import type { DraftLine } from './headers.ts'
import type { AnyHole } from './hole.ts'
import type { Pattern } from './pattern.ts'
import { holesOf, render } from './pattern.ts'
import { TOKEN_LENGTH } from './slot.ts'
import type { Path } from './source.ts'
import type { BodyData, MultipartPart } from './template.ts'

const textTypes = /^(text\/|application\/(json|javascript|x-www-form-urlencoded|x-ndjson|graphql)\b)/

/** `at`: the path of the message in the template. */
export function checkMediaType(
  context: Context,
  lines: readonly DraftLine[],
  body: BodyData | undefined,
  draft: BodyDraft | undefined,
  at: Path,
): void {
  const type = lines.find((line) => line.name.toLowerCase() === 'content-type')
  if (body === undefined || draft === undefined) {
    if (type !== undefined) context.refuse(type.path, 'no content-type without a body')
    return
  }
  if (type === undefined) return context.refuse([...at, 'headers'], 'a content-type, there is a body')
  const written = describe(type.pattern)
  const wanted = wantedType(body)
  if (wanted === undefined) checkText(context, written, type.path, draft.head, [...at, 'body', 'text'])
  else if (written !== wanted) context.refuse(type.path, wanted)
  for (const [index, part] of (body.multipart?.parts ?? []).entries()) {
    checkPart(context, part, [...at, 'body', 'multipart', 'parts', index, 'headers'])
  }
}

/** undefined for texts. */
function wantedType(body: BodyData | MultipartPart): string | undefined {
  if ('multipart' in body && body.multipart) return `multipart/form-data; boundary=${body.multipart.boundary}`
  if (body.png !== undefined) return 'image/png'
  return body.raw ? 'application/octet-stream' : undefined
}

function checkPart(context: Context, part: MultipartPart, at: Path): void {
  const wanted = wantedType(part)
  const type = part.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  if (wanted !== undefined && type !== wanted) context.refuse(at, `content-type ${wanted}`)
}

function checkText(context: Context, type: string, typeAt: Path, text: Pattern, textAt: Path): void {
  if (!textTypes.test(type)) context.refuse(typeAt, 'the type of a text')
  if (!type.startsWith('application/json')) return
  const values = new Map(holesOf(text).map((hole) => [hole, sample(hole)]))
  try {
    JSON.parse(render(text, values))
  } catch {
    context.refuse(textAt, 'valid JSON once the holes are filled')
  }
}

/** The text as the template wrote it. */
function describe(pattern: Pattern): string {
  return pattern.pieces.map((piece) => (typeof piece === 'string' ? piece : `{{${piece.name}}}`)).join('')
}

function sample(hole: AnyHole): string {
  if (hole.kind === 'filler') return hole.draw(createDraw((length) => new Uint8Array(length)))
  return hole.kind === 'host' ? 'host' : hole.encode(new Uint8Array(hole.exact ?? TOKEN_LENGTH * hole.multiple))
}
