/** What the rules look at: a template's data, the places of its holes, messages drawn from it, and its site's answers. */
import type { CompiledTemplate, Shape } from '#engine/compile.ts'
import { compileTemplate } from '#engine/compile.ts'
import type { Path } from '#engine/source.ts'
import type {
  BodyData,
  HoleData,
  HttpRequest,
  HttpResponse,
  ShapeData,
  SocketData,
  Template,
  TemplateData,
  Text,
} from '#engine/template.ts'
import { seeded } from '../seeded.ts'
import type { SiteAnswers } from './site.ts'

export const LINT_HOST = 'www.example.org'
/** Stands for the request that asks for a WebSocket where others have the name of their shape. No shape has this name. */
export const SOCKET = 'socket.request'
/** Messages drawn of the smallest class of each direction, and of each other class. */
const DRAWS = 16
const DRAWS_MORE = 1

export type Direction = 'request' | 'response'
export type PlaceKind = 'path' | 'query' | 'header' | 'field' | 'body'

/** Where a text of the template stands in a message. */
export interface Written {
  readonly shape: string
  readonly direction: Direction
  readonly kind: PlaceKind
  /** Of the parameter, header, member or part, in small letters; '' for paths and whole bodies. */
  readonly name: string
  readonly text: Text
  readonly path: Path
}

/** One hole in such a text. */
export interface Place extends Omit<Written, 'text'> {
  readonly hole: string
  readonly data: HoleData
  /** Characters of the longest value. */
  readonly longest: number
}

export interface Drawn<Message> {
  readonly shape: string
  /** Octets of the parcel in it. */
  readonly parcel: number
  readonly message: Message
  /** Of the message in the template. */
  readonly path: Path
}

export interface Subject {
  readonly data: TemplateData
  readonly compiled: CompiledTemplate
  readonly texts: readonly Written[]
  readonly places: readonly Place[]
  readonly requests: readonly Drawn<HttpRequest>[]
  readonly responses: readonly Drawn<HttpResponse>[]
  /** undefined where no site was named. */
  readonly site: SiteAnswers | undefined
}

/** @throws TemplateError where the template does not compile */
export function createSubject(template: Template): Omit<Subject, 'site'> {
  const { data } = template
  const compiled = compileTemplate(template)
  const texts = [
    ...Object.entries(data.shapes).flatMap(([name, shape]) => textsOf(name, shape)),
    ...(data.socket === undefined ? [] : socketTexts(data.socket)),
  ]
  const places = texts.flatMap((text) => placesOf(data, text))
  return { data, compiled, texts, places, ...draw(compiled) }
}

function draw(compiled: CompiledTemplate): Pick<Subject, 'requests' | 'responses'> {
  const random = seeded(20_260_103)
  const times = (classes: readonly number[]): number[] =>
    classes.flatMap((length, at) => Array.from({ length: at === 0 ? DRAWS : DRAWS_MORE }, () => length))
  const asking: [string, Shape][] = compiled.shapes.map((shape) => [shape.name, shape])
  if (compiled.socket !== undefined) asking.push([SOCKET, compiled.socket.upgrade])
  const requests = asking.flatMap(([name, shape]) =>
    times(shape.up.classes).map((parcel) => {
      const input = { token: random(16), parcel: random(parcel), host: LINT_HOST, random }
      return { ...{ shape: name, parcel }, message: shape.encodeRequest(input), path: at(name, 'request') }
    }),
  )
  const responses = compiled.shapes.flatMap((shape) =>
    times(shape.down.classes).map((parcel) => {
      const message = shape.encodeResponse({ parcel: random(parcel), random })
      return { shape: shape.name, parcel, message, path: at(shape.name, 'response') }
    }),
  )
  return { requests, responses }
}

/** Of a message in the template. */
export const at = (shape: string, direction: Direction): Path =>
  shape === SOCKET ? ['socket', 'request'] : ['shapes', shape, direction]

function textsOf(shape: string, { request, response }: ShapeData): Written[] {
  const up = { shape, direction: 'request' } as const
  const down = { shape, direction: 'response' } as const
  return [
    ...lineTexts(up, request),
    ...(request.body === undefined ? [] : bodyTexts(up, request.body)),
    ...headerTexts(down, response.headers),
    ...bodyTexts(down, response.body),
  ]
}

/** Of the request, and the name of the event, which a content network reads as well. */
function socketTexts({ request, event }: SocketData): Written[] {
  const up = { shape: SOCKET, direction: 'request' } as const
  return [...lineTexts(up, request), { ...up, kind: 'body', name: 'event', text: event, path: ['socket', 'event'] }]
}

/** Path, query and headers. */
function lineTexts(up: Where, request: SocketData['request']): Written[] {
  const { shape } = up
  const query = request.query.map(
    ([name, text], index): Written => ({
      ...up,
      ...{ kind: 'query', name: name.toLowerCase(), text, path: [...at(shape, 'request'), 'query', index] },
    }),
  )
  return [
    { ...up, kind: 'path', name: '', text: request.path, path: [...at(shape, 'request'), 'path'] },
    ...query,
    ...headerTexts(up, request.headers),
  ]
}

type Where = Pick<Written, 'shape' | 'direction'>

function headerTexts(where: Where, headers: ShapeData['request']['headers']): Written[] {
  const path = [...at(where.shape, where.direction), 'headers']
  return headers.map(([name, text], index) => ({
    ...where,
    ...{ kind: 'header', name: name.toLowerCase(), text, path: [...path, index] },
  }))
}

/** Parts of forms by their names; every other text of a body is one text. */
function bodyTexts(where: Where, body: BodyData): Written[] {
  const path = [...at(where.shape, where.direction), 'body']
  const parts = body.multipart?.parts ?? []
  if (parts.length === 0) return stringsIn(body).map((text) => ({ ...where, kind: 'body', name: '', text, path }))
  return parts.flatMap(({ headers, text }, index): Written[] => {
    const disposition = headers.find(([name]) => name.toLowerCase() === 'content-disposition')?.[1] ?? ''
    const name = /\bname="([^"]*)"/.exec(disposition)?.[1]?.toLowerCase() ?? ''
    const below = [...path, 'multipart', 'parts', index]
    return text === undefined ? [] : [{ ...where, kind: 'field', name, text, path: below }]
  })
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : []
}

function placesOf(data: TemplateData, { text, ...written }: Written): Place[] {
  return [...text.matchAll(/\{\{([a-zA-Z0-9]+)\}\}/g)].flatMap((match): Place[] => {
    const hole = match[1]!
    const holeData = data.holes[hole]
    if (holeData === undefined) return []
    const { classes } = written.shape === SOCKET ? data.socket!.request : data.shapes[written.shape]![written.direction]
    const longest = longestValue(holeData, classes.at(-1)!)
    // A member of JSON, or a parameter of a form, says what its value is.
    const member = written.kind === 'body' ? memberBefore(text.slice(0, match.index)) : undefined
    const place = member === undefined ? written : { ...written, kind: 'field' as const, name: member }
    return [{ ...place, hole, data: holeData, longest }]
  })
}

function memberBefore(text: string): string | undefined {
  const json = /"([^"\\]+)"\s*:\s*(?:\[\s*)?"?[^":{}]*$/.exec(text)
  const form = /(?:^|&)([^&=]+)=[^&=]*$/.exec(text)
  return (json?.[1] ?? form?.[1])?.toLowerCase()
}

function longestValue(hole: HoleData, largestClass: number): number {
  if ('token' in hole) return hole.token === 'hex' ? 32 : 24
  if ('payload' in hole) {
    const octets = hole.exact ?? largestClass
    return hole.payload === 'hex' ? 2 * octets : Math.ceil((4 * octets) / 3)
  }
  // Header, two short parts and a ciphertext.
  if ('jwe' in hole) return 128 + Math.ceil((4 * (hole.exact ?? largestClass)) / 3)
  if ('run' in hole) return hole.length[1]
  if ('oneOf' in hole) return Math.max(...hole.oneOf.map((value) => value.length))
  return String(hole.number[1]).length
}

/** It carries sealed octets. */
export function carries({ data }: Place): boolean {
  return 'token' in data || 'payload' in data || 'jwe' in data
}

/** Value of a header of a drawn message, '' where there is none. */
export function headerOf(message: { readonly headers: readonly (readonly [string, string])[] }, name: string): string {
  return message.headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? ''
}
