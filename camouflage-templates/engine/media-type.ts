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
import type { BodyData, EngineIoData, FileData, MultipartPart, NdjsonData } from './template.ts'

const textTypes =
  /^(text\/|application\/(json|javascript|x-www-form-urlencoded|x-ndjson|graphql|graphql-response\+json|jose|vnd\.apple\.mpegurl)\b)/
const jsonTypes = /^application\/(json|graphql-response\+json)\b/

/** First what is most usual. */
const fileTypes: Readonly<Record<keyof FileData, readonly string[]>> = {
  png: ['image/png'],
  raw: ['application/octet-stream'],
  zip: ['application/zip'],
  segment: ['video/mp2t', 'video/mp4', 'audio/mp4', 'video/iso.segment'],
  fmp4: ['audio/mp4', 'video/mp4', 'video/iso.segment'],
  ndjson: ['application/x-ndjson', 'application/x-ndjson; charset=utf-8'],
  engineio: ['text/plain; charset=UTF-8', 'text/plain;charset=UTF-8'],
  grpcWeb: ['application/grpc-web+proto', 'application/grpc-web'],
}

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
  const wanted = wantedTypes(body)
  if (wanted === undefined) checkText(context, written, type.path, draft.head, [...at, 'body', 'text'])
  else if (!wanted.includes(written)) context.refuse(type.path, wanted.join(' or '))
  if (body.ndjson !== undefined) checkLines(context, body.ndjson, [...at, 'body', 'ndjson'])
  if (body.engineio !== undefined) checkPackets(context, body.engineio, [...at, 'body', 'engineio', 'packets'])
  for (const [index, part] of (body.multipart?.parts ?? []).entries()) {
    checkPart(context, part, [...at, 'body', 'multipart', 'parts', index, 'headers'])
  }
}

/** undefined for texts. */
function wantedTypes(body: BodyData | MultipartPart): readonly string[] | undefined {
  if ('multipart' in body && body.multipart) return [`multipart/form-data; boundary=${body.multipart.boundary}`]
  if ('segment' in body && body.segment?.container === 'ts') return fileTypes.segment.slice(0, 1)
  if ('segment' in body && body.segment !== undefined) return fileTypes.segment.slice(1)
  const kind = (Object.keys(fileTypes) as (keyof FileData)[]).find((key) => (body as FileData)[key] !== undefined)
  return kind && fileTypes[kind]
}

function checkPart(context: Context, part: MultipartPart, at: Path): void {
  const wanted = wantedTypes(part)
  const type = part.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  if (wanted !== undefined && !wanted.some((each) => each === type)) {
    context.refuse(at, `content-type ${wanted.join(' or ')}`)
  }
}

function checkLines(context: Context, { first, line }: NdjsonData, at: Path): void {
  if (first !== undefined && !isJson(context.parse(first, at))) context.refuse([...at, 'first'], validJson)
  if (!isJson(context.parse(line, at))) context.refuse([...at, 'line'], validJson)
}

/** Ping, pong, noop, and events of socket.io, which are arrays that begin with a name. */
function checkPackets(context: Context, { packets }: EngineIoData, at: Path): void {
  for (const [index, text] of packets.entries()) {
    const event = text.startsWith('42[') && isJson(context.parse(text.slice(2), at))
    if (!event && !/^[236]$/.test(text)) context.refuse([...at, index], '2, 3, 6, or 42 and a JSON array')
  }
}

const validJson = 'valid JSON once the holes are filled'

function isJson(text: Pattern): boolean {
  const values = new Map(holesOf(text).map((hole) => [hole, sample(hole)]))
  try {
    JSON.parse(render(text, values))
    return true
  } catch {
    return false
  }
}

function checkText(context: Context, type: string, typeAt: Path, text: Pattern, textAt: Path): void {
  if (!textTypes.test(type)) context.refuse(typeAt, 'the type of a text')
  if (jsonTypes.test(type) && !isJson(text)) context.refuse(textAt, validJson)
  if (type.startsWith('application/vnd.apple.mpegurl') && !describe(text).startsWith('#EXTM3U\n')) {
    context.refuse(textAt, 'a playlist that begins with #EXTM3U')
  }
}

/** The text as the template wrote it. */
function describe(pattern: Pattern): string {
  return pattern.pieces.map((piece) => (typeof piece === 'string' ? piece : `{{${piece.name}}}`)).join('')
}

function sample(hole: AnyHole): string {
  if (hole.kind === 'filler') return hole.draw(createDraw((length) => new Uint8Array(length)))
  return hole.kind === 'host'
    ? 'host'
    : hole.encode(new Uint8Array(hole.exact ?? Math.max(TOKEN_LENGTH * hole.multiple, hole.least)))
}
