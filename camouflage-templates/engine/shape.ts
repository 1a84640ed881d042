/** How one HTTP request and its response carry a token and two parcels. */
import type { Random } from '#protocol/bytes.ts'
import type { Context } from './context.ts'
import { compileDirection } from './direction.ts'
import type { DraftLine } from './headers.ts'
import { draftHeaders } from './headers.ts'
import type { Message } from './message.ts'
import { readMessage, writeMessage } from './message.ts'
import type { Pattern } from './pattern.ts'
import type { SizeClasses } from './sizes.ts'
import type { Path } from './source.ts'
import { draftTarget } from './target.ts'
import type { Family, HttpRequest, HttpResponse, RequestData, ResponseData, ShapeData } from './template.ts'
import type { HeaderLookup, TokenReader } from './token-reader.ts'
import { createTokenReader, lineText } from './token-reader.ts'

/** How the two parcels of one exchange look, whatever carries it. */
export interface Form {
  /** Id and family of its template. */
  readonly template: string
  readonly family: Family
  readonly name: string
  /** Names template, version, method and path pattern: both ends hash it into a first contact. */
  readonly binding: string
  readonly up: SizeClasses
  readonly down: SizeClasses
  /** Longest hold, milliseconds, where it is another than that of HTTP exchanges. */
  readonly holdMs?: number

  /**
   * Client. `token` 16 octets, `parcel` of a length out of `up.classes`. Same input and random bytes, same message.
   * @throws SottoError `E_INTERNAL` for other lengths
   */
  encodeRequest(input: { token: Uint8Array; parcel: Uint8Array; host: string; random: Random }): HttpRequest
  /** Client. The parcel, or undefined: not ours (the decoy answered). `header` takes names in small letters. */
  decodeResponse(response: { status: number; header: HeaderLookup; body: Uint8Array }): Uint8Array | undefined
  /**
   * Gateway. `parcel` of a length out of `down.classes`.
   * @throws SottoError `E_INTERNAL` for other lengths
   */
  encodeResponse(input: { parcel: Uint8Array; random: Random }): HttpResponse
}

/** A form that an HTTP request and its response have. */
export interface Shape extends Form {
  readonly method: 'GET' | 'POST'
  readonly path: Pattern

  /**
   * Gateway. The token, undefined where there is none, or `needs-body` where it would stand in the body and `bodyPrefix` is
   * absent or shorter than it takes (never more than 4,096 octets); a body that ends before is a stranger's.
   */
  readToken: TokenReader
  /** Gateway. The parcel, or undefined where anything read deviates from what `encodeRequest` writes. */
  decodeRequest(request: { target: string; header: HeaderLookup; body: Uint8Array }): Uint8Array | undefined
}

const noBody = new Uint8Array(0)

/** `binding` of it. @throws TemplateError */
export function compileShape(
  context: Context,
  template: { readonly id: string; readonly family: Family },
  binding: string,
  name: string,
  data: ShapeData,
): Shape {
  const at: Path = ['shapes', name]
  const { message: request, path } = compileRequest(context, data.request, [...at, 'request'])
  const response = compileResponse(context, data.response, [...at, 'response'])
  const readToken = context.attempt([...at, 'request', 'body'], () => createTokenReader(request))
  const { method } = data.request
  const { status } = data.response
  return Object.freeze<Shape>({
    template: template.id,
    family: template.family,
    name,
    binding: `${binding} ${name} ${method} ${data.request.path}`,
    method,
    path,
    up: request.sizes,
    down: response.sizes,
    encodeRequest(input) {
      const { lines, body } = writeMessage(request, input)
      return { method, target: lines[0]!, headers: headersOf(request, lines), body }
    },
    decodeResponse(input) {
      if (input.status !== status) return undefined
      return readMessage(response, (index) => input.header(response.lines[index]!.name.toLowerCase()), input.body)
    },
    readToken,
    decodeRequest({ target, header, body }) {
      return readMessage(request, (index) => lineText(request.lines[index]!, target, header), body)
    },
    encodeResponse(input) {
      const { lines, body } = writeMessage(response, input)
      return { status, headers: headersOf(response, lines), body: body ?? noBody }
    },
  })
}

/** @throws TemplateError */
export function compileRequest(context: Context, data: RequestData, at: Path): { message: Message; path: Pattern } {
  if (data.method === 'GET' && data.body !== undefined) context.refuse([...at, 'body'], 'no body in a GET')
  if (data.method === 'POST' && data.body === undefined) context.refuse(at, 'a body in a POST')
  const { line, path } = draftTarget(context, data, at)
  const lines = [line, ...draftHeaders(context, data.headers, [...at, 'headers'])]
  const message = compileDirection(context, { lines, body: data.body, classes: data.classes, tokens: 1 }, at)
  return { message, path }
}

function compileResponse(context: Context, data: ResponseData, at: Path): Message {
  const lines: DraftLine[] = draftHeaders(context, data.headers, [...at, 'headers'])
  return compileDirection(context, { lines, body: data.body, classes: data.classes, tokens: 0 }, at)
}

/** `lines` without the target. */
export function headersOf(message: Message, lines: readonly string[]): [string, string][] {
  const first = message.lines[0]?.name === '' ? 1 : 0
  return lines.slice(first).map((value, index) => [message.lines[first + index]!.name, value])
}
